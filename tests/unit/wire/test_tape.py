from __future__ import annotations

import contextlib
import gc
import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpcore
import httpx
import pytest

from pytest_ohllm.model import Exchange
from pytest_ohllm.simulator.server import Simulator
from pytest_ohllm.wire import take
from pytest_ohllm.wire.tape import Tape
from tests.endpoints import (
    SSE,
    Connection,
    Endpoint,
    Play,
    answer,
    drips,
    hangs,
    head,
    says,
    self_signed,
    sends,
    unused_port,
)

FAKE_KEY = "fake-key-for-tests"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy, and nothing left installed by a tape that failed."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    before = httpx.HTTPTransport.handle_request, httpcore.SyncBackend.connect_tcp
    yield
    assert (httpx.HTTPTransport.handle_request, httpcore.SyncBackend.connect_tcp) == before


def ask(endpoint: Endpoint, **options: object) -> httpx.Response:
    """One request, as a client library makes it."""
    url = f"{endpoint.base_url}/chat/completions"
    arguments = {"json": {"model": "m", "n": 1}, "timeout": 10} | options
    return httpx.post(url, **arguments)  # type: ignore[arg-type]


def record(play: Play, **options: object) -> Exchange:
    """The one exchange of a request that succeeds."""
    tape = Tape()
    with Endpoint(play) as endpoint, tape.recording():
        ask(endpoint, **options)
    (exchange,) = tape.exchanges
    return exchange


class TestWhatIsRecorded:
    def test_request_and_response_as_they_went_over_the_wire(self) -> None:
        before = time.time()
        tape = Tape()
        with Endpoint(says("hello")) as endpoint, tape.recording():
            ask(endpoint, headers={"X-Trace": "7"})

        (exchange,) = tape.exchanges
        assert exchange.method == "POST"
        assert exchange.url == f"{endpoint.base_url}/chat/completions"
        assert exchange.request == endpoint.requests[0].json == {"model": "m", "n": 1}
        assert exchange.request_headers["x-trace"] == "7"
        assert exchange.status == 200
        assert exchange.content_type == "application/json"
        assert exchange.response["choices"][0]["message"]["content"] == "hello"
        assert exchange.error is None
        assert before <= exchange.started <= time.time()
        assert exchange.first_byte is not None
        assert 0 < exchange.first_byte <= exchange.seconds < 5

    def test_the_client_gets_what_it_would_have_got(self) -> None:
        with Endpoint(says("hello")) as endpoint:
            bare = ask(endpoint)
            with Tape().recording():
                taped = ask(endpoint)

        assert taped.json() == bare.json()
        assert taped.headers == bare.headers

    def test_an_error_status_with_its_body(self) -> None:
        exchange = record(answer(429, {"error": {"message": "slow down"}}, Retry_After=7))

        assert exchange.status == 429
        assert exchange.response == {"error": {"message": "slow down"}}
        assert exchange.response_headers["retry-after"] == "7"

    def test_compressed_bodies_in_plain(self) -> None:
        body = gzip.compress(json.dumps({"text": "hello"}).encode())

        assert record(answer(body=body, Content_Encoding="gzip")).response == {"text": "hello"}

    def test_a_body_that_is_not_what_its_encoding_says(self) -> None:
        tape = Tape()
        with (
            Endpoint(answer(body=b"plain", Content_Encoding="gzip")) as endpoint,
            tape.recording(),
            pytest.raises(httpx.DecodingError),
        ):
            ask(endpoint)

        assert tape.exchanges[0].response == "plain"

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"", None),
            (b"Not Found", "Not Found"),
            (b"[1, 2]", [1, 2]),
            (b'\n {"a": 1}', {"a": 1}),
            (b'{"a": 1', '{"a": 1'),
            (b"null", "null"),
            (b"caf\xe9", "caf\ufffd"),
        ],
    )
    def test_json_as_data_and_the_rest_as_text(self, body: bytes, expected: object) -> None:
        assert record(answer(body=body)).response == expected

    def test_a_stream_as_its_text_with_its_chunks(self) -> None:
        events = [b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', b"data: [DONE]\n\n"]

        exchange = record(sends(head(content_type=SSE), *events))

        assert exchange.response == b"".join(events).decode()
        assert exchange.chunks == 3
        assert exchange.first_byte is not None
        assert exchange.first_byte < exchange.seconds

    def test_a_request_without_a_body(self) -> None:
        tape = Tape()
        with Endpoint(answer(body=[])) as endpoint, tape.recording():
            httpx.get(f"{endpoint.base_url}/models")

        assert (tape.exchanges[0].method, tape.exchanges[0].request) == ("GET", None)

    def test_each_hop_of_a_redirect(self) -> None:
        tape = Tape()
        with (
            Endpoint(says("hello")) as there,
            Endpoint(answer(307, Location=f"{there.base_url}/x")) as here,
            tape.recording(),
        ):
            ask(here, follow_redirects=True)

        assert [exchange.status for exchange in tape.exchanges] == [307, 200]
        assert tape.exchanges[0].response_headers["location"] == f"{there.base_url}/x"

    def test_only_the_beginning_of_a_huge_body(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(take, "MAX_BODY_BYTES", 1000)
        tape = Tape()
        with Endpoint(answer(body=b"x" * 300_000)) as endpoint, tape.recording():
            response = ask(endpoint)

        assert len(response.content) == 300_000
        assert tape.exchanges[0].response == "x" * 1000

    def test_everything_through_the_redactor(self) -> None:
        def redact(value: object) -> object:
            text = json.dumps(value).replace("hello", "[censored]").replace("v1", "v0")
            return json.loads(text)

        tape = Tape(redact=redact)
        with Endpoint(says("hello")) as endpoint, tape.recording():
            ask(endpoint, headers={"X-Word": "hello"}, json={"word": "hello"})

        (exchange,) = tape.exchanges
        assert "hello" not in exchange.model_dump_json()
        assert "/v0/" in exchange.url

    def test_tls_like_anything_else(self, tmp_path: Path) -> None:
        tape = Tape(deadline=time.monotonic() + 10)
        with Endpoint(says("hello"), tls=self_signed(tmp_path)) as endpoint, tape.recording():
            ask(endpoint, verify=False)

        assert tape.exchanges[0].status == 200


class TestCredentials:
    @pytest.mark.parametrize(
        "name",
        [
            "Authorization",
            "Proxy-Authorization",
            "X-Api-Key",
            "api-key",
            "x-goog-api-key",
            "Ocp-Apim-Subscription-Key",
            "X-Amz-Security-Token",
            "X-Auth-Token",
            "CF-Access-Client-Secret",
            "Cookie",
        ],
    )
    def test_never_stand_in_a_request(self, name: str) -> None:
        exchange = record(says("hello"), headers={name: FAKE_KEY})

        assert FAKE_KEY not in exchange.model_dump_json()
        assert exchange.request_headers[name.lower()] == "[REDACTED]"

    def test_never_stand_in_a_response(self) -> None:
        exchange = record(answer(body={}, Set_Cookie=f"session={FAKE_KEY}"))

        assert FAKE_KEY not in exchange.model_dump_json()

    def test_headers_that_only_sound_alike_are_kept(self) -> None:
        exchange = record(answer(body={}, X_Ratelimit_Remaining_Tokens=12))

        assert exchange.response_headers["x-ratelimit-remaining-tokens"] == "12"


class TestTheDeadline:
    @pytest.mark.parametrize(
        "play",
        [
            hangs(),
            hangs(head(Content_Length=9)),
            hangs(head(Content_Length=9), b"{"),
            drips(head(Content_Length=10**6), b" ", every=0.05),
            drips(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a", every=0.05),
            drips(b"HTTP/1.1 200 OK\r\n", b"X-Slow: a\r\n", every=0.05),
            drips(head(content_type=SSE), b": still thinking\n\n", every=0.05),
            drips(head(Content_Length=10**9), b"x" * 10**5, every=0),
        ],
        ids=[
            "hangs",
            "hangs-after-headers",
            "hangs-in-the-body",
            "drips-a-body",
            "drips-a-header",
            "drips-headers",
            "drips-comments",
            "floods",
        ],
    )
    def test_ends_whatever_does_not_end_by_itself(self, play: Play) -> None:
        tape = Tape(deadline=time.monotonic() + 0.4)
        started = time.monotonic()
        with Endpoint(play) as endpoint, tape.recording(), pytest.raises(httpx.ReadTimeout):
            ask(endpoint)

        assert 0.3 < time.monotonic() - started < 1
        assert "ReadTimeout" in str(tape.exchanges[0].error)
        assert tape.remaining == 0

    def test_counts_from_the_start_however_late_the_last_byte_comes(self) -> None:
        def late(connection: Connection) -> None:
            connection.wait(0.3)
            hangs(head(Content_Length=9))(connection)

        tape = Tape(deadline=time.monotonic() + 0.4)
        started = time.monotonic()
        with Endpoint(late) as endpoint, tape.recording(), pytest.raises(httpx.ReadTimeout):
            ask(endpoint)

        assert time.monotonic() - started < 0.6

    def test_holds_on_a_connection_that_an_earlier_tape_had_opened(self) -> None:
        one_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        with Endpoint(hangs(one_answer)) as endpoint, httpx.Client() as client:
            with Tape(deadline=time.monotonic() + 5).recording():
                assert client.get(endpoint.base_url).json() == {}
            started = time.monotonic()
            with (
                Tape(deadline=time.monotonic() + 0.3).recording(),
                pytest.raises(httpx.ReadTimeout),
            ):
                client.get(endpoint.base_url, timeout=10)

        assert time.monotonic() - started < 1
        assert endpoint.connections == 1, "the connection was not used again"

    def test_holds_on_a_connection_that_was_opened_before_any_tape(self) -> None:
        def play(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            connection.receive()
            drips(head(Content_Length=10**6), b" ", every=0.05)(connection)

        with Endpoint(play) as endpoint, httpx.Client() as client:
            assert client.get(endpoint.base_url).json() == {}
            started = time.monotonic()
            tape = Tape(deadline=time.monotonic() + 0.3)
            with tape.recording(), pytest.raises(httpx.ReadTimeout):
                client.get(endpoint.base_url, timeout=10)

        assert time.monotonic() - started < 1
        assert endpoint.connections == 1, "the connection was not used again"

    def test_is_put_off_by_what_passed_before_the_first_request(self) -> None:
        tape = Tape(deadline=time.monotonic() + 0.3)
        with Endpoint(says("hello")) as endpoint, tape.recording():
            time.sleep(0.4)
            ask(endpoint)
            assert 0 < (tape.remaining or 0) < 0.3

        assert 0.4 <= tape.preparing < 0.7

    def test_is_not_put_off_a_second_time(self) -> None:
        tape = Tape(deadline=time.monotonic() + 0.3)
        with (
            Endpoint(hangs()) as endpoint,
            tape.recording(),
            pytest.raises(httpx.ReadTimeout),
        ):
            with contextlib.suppress(httpx.ReadTimeout):
                ask(endpoint, timeout=0.2)
            started = time.monotonic()
            ask(endpoint)

        assert time.monotonic() - started < 0.3

    def test_shortens_a_client_s_own_limit_and_never_lengthens_it(self) -> None:
        tape = Tape(deadline=time.monotonic() + 30)
        started = time.monotonic()
        with Endpoint(hangs()) as endpoint, tape.recording(), pytest.raises(httpx.ReadTimeout):
            ask(endpoint, timeout=0.2)

        assert time.monotonic() - started < 1

    def test_is_optional(self) -> None:
        assert Tape().remaining is None
        assert record(says("hello"), timeout=None).status == 200

    def test_that_has_passed_lets_nothing_through(self) -> None:
        tape = Tape(deadline=time.monotonic() - 1)
        with (
            Endpoint(hangs()) as endpoint,
            tape.recording(),
            pytest.raises(httpx.ReadTimeout),
        ):
            ask(endpoint)

        assert tape.remaining == 0


class TestFailures:
    def test_a_refused_connection_is_an_exchange_without_a_response(self) -> None:
        tape = Tape()
        url = f"http://127.0.0.1:{unused_port()}/v1"
        with tape.recording(), pytest.raises(httpx.ConnectError):
            httpx.get(url)

        (exchange,) = tape.exchanges
        assert (exchange.url, exchange.status, exchange.response) == (url, None, None)
        assert str(exchange.error).startswith("ConnectError: ")

    def test_a_response_that_breaks_off_keeps_what_came(self) -> None:
        tape = Tape()
        cut = sends(head(Content_Length=100) + b'{"id": "x", "choi')
        with Endpoint(cut) as endpoint, tape.recording(), pytest.raises(httpx.RemoteProtocolError):
            ask(endpoint)

        (exchange,) = tape.exchanges
        assert exchange.status == 200
        assert exchange.response == '{"id": "x", "choi'
        assert "RemoteProtocolError" in str(exchange.error)

    def test_an_answer_that_is_not_http(self) -> None:
        tape = Tape()
        with (
            Endpoint(sends(b"-ERR unknown command\r\n\r\n")) as endpoint,
            tape.recording(),
            pytest.raises(httpx.RemoteProtocolError),
        ):
            ask(endpoint)

        assert tape.exchanges[0].status is None
        assert "illegal status line" in str(tape.exchanges[0].error)

    def test_a_client_that_stops_reading_is_no_error(self) -> None:
        tape = Tape()
        endless = drips(head(content_type=SSE), b"data: 1\n\n", every=0.02)
        with (
            Endpoint(endless) as endpoint,
            tape.recording(),
            httpx.stream("GET", endpoint.base_url) as response,
        ):
            next(response.iter_bytes())

        (exchange,) = tape.exchanges
        assert exchange.error is None
        assert str(exchange.response).startswith("data: 1")

    def test_a_client_that_never_reads_is_recorded(self) -> None:
        heard: list[Exchange] = []
        tape = Tape(on_exchange=heard.append)
        with (
            Endpoint(says("hello")) as endpoint,
            tape.recording(),
            httpx.stream("GET", endpoint.base_url),
        ):
            pass

        assert [exchange.status for exchange in heard] == [200]
        assert (heard[0].chunks, heard[0].response) == (0, None)


class TestTelling:
    def test_an_exchange_is_told_once_when_it_ends(self) -> None:
        heard: list[Exchange] = []
        tape = Tape(on_exchange=heard.append)
        with Endpoint(says("hello")) as endpoint, tape.recording():
            ask(endpoint)
            assert len(heard) == 1
            ask(endpoint)

        assert len(heard) == 2
        assert tuple(heard) == tape.exchanges

    def test_one_that_fails_is_told_once(self) -> None:
        heard: list[Exchange] = []
        tape = Tape(on_exchange=heard.append)
        with tape.recording(), pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{unused_port()}")
        with (
            Endpoint(sends(head(Content_Length=9) + b"{")) as endpoint,
            tape.recording(),
            pytest.raises(httpx.RemoteProtocolError),
        ):
            ask(endpoint)

        assert [exchange.status for exchange in heard] == [None, 200]
        assert all(exchange.error for exchange in heard)

    def test_one_under_way_is_on_the_tape_and_not_told_yet(self) -> None:
        heard: list[Exchange] = []
        tape = Tape(on_exchange=heard.append)
        endless = drips(head(content_type=SSE), b"data: 1\n\n", every=0.02)
        with (
            Endpoint(endless) as endpoint,
            tape.recording(),
            httpx.stream("GET", endpoint.base_url) as response,
        ):
            chunks = response.iter_bytes()
            assert next(chunks) == b"data: 1\n\n"
            assert [exchange.status for exchange in tape.exchanges] == [200]
            assert heard == []
        assert len(heard) == 1


class TestThreads:
    def test_tapes_of_two_threads_do_not_mix(self) -> None:
        both = threading.Barrier(2, timeout=10)
        tapes = [Tape(), Tape()]

        def work(endpoint: Endpoint, number: int) -> None:
            with tapes[number].recording():
                for turn in range(5):
                    both.wait()
                    ask(endpoint, json={"thread": number, "turn": turn})
                both.wait()

        with Endpoint(says("hello")) as endpoint:
            threads = [threading.Thread(target=work, args=(endpoint, n)) for n in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        for number, tape in enumerate(tapes):
            sent = [exchange.request for exchange in tape.exchanges]
            assert sent == [{"thread": number, "turn": turn} for turn in range(5)]

    def test_a_library_s_own_thread_falls_to_the_only_tape(self) -> None:
        tape = Tape()
        with Endpoint(says("hello")) as endpoint, tape.recording():
            thread = threading.Thread(target=ask, args=(endpoint,))
            thread.start()
            thread.join()

        assert [exchange.status for exchange in tape.exchanges] == [200]

    def test_with_two_tapes_it_falls_to_neither(self) -> None:
        outer, inner = Tape(), Tape()
        with Endpoint(says("hello")) as endpoint, outer.recording(), inner.recording():
            thread = threading.Thread(target=ask, args=(endpoint,))
            thread.start()
            thread.join()

        assert outer.exchanges == inner.exchanges == ()

    def test_the_inner_of_two_tapes_records(self) -> None:
        outer, inner = Tape(), Tape()
        with Endpoint(says("hello")) as endpoint, outer.recording():
            with inner.recording():
                ask(endpoint)
            ask(endpoint)

        assert (len(outer.exchanges), len(inner.exchanges)) == (1, 1)


class TestAfterwards:
    def test_the_last_tape_leaves_the_transport_as_it_was(self) -> None:
        before = httpx.HTTPTransport.handle_request, httpcore.SyncBackend.connect_tcp
        with Tape().recording():
            with Tape().recording():
                pass
            assert httpx.HTTPTransport.handle_request is not before[0]
        assert (httpx.HTTPTransport.handle_request, httpcore.SyncBackend.connect_tcp) == before

    def test_so_it_does_when_the_scenario_fails(self) -> None:
        before = httpx.HTTPTransport.handle_request
        with pytest.raises(ZeroDivisionError), Tape().recording():
            raise ZeroDivisionError
        assert httpx.HTTPTransport.handle_request is before

    def test_nothing_more_is_recorded(self) -> None:
        tape = Tape()
        with Endpoint(says("hello")) as endpoint:
            with tape.recording():
                ask(endpoint)
            ask(endpoint)

        assert len(tape.exchanges) == 1


@pytest.mark.parametrize("cyclic", [False, True])
def test_a_stream_that_is_collected_while_its_pool_is_locked_does_not_hang(cyclic: bool) -> None:
    """The garbage collector may run in a thread that holds the pool's lock; closing takes it.

    In a cycle, it ends all generators of the stream, and not the outermost one alone.
    """
    with Simulator() as simulator, Tape().recording() as tape, httpx.Client() as client:
        request = client.build_request(
            "POST",
            f"{simulator.base_url}/chat/completions",
            headers={"Authorization": f"Bearer {simulator.api_key}"},
            json={
                "model": simulator.model,
                "stream": True,
                "messages": [{"role": "user", "content": "Count from one to thirty."}],
            },
        )
        lines = client.send(request, stream=True).iter_lines()
        next(lines)
        if cyclic:
            holder: list[object] = [lines]
            holder.append(holder)
            del holder
        pool = client._transport._pool  # type: ignore[attr-defined]
        done = threading.Event()

        def collect() -> None:
            nonlocal lines
            with pool._optional_thread_lock:
                lines = iter(())  # the last reference to the stream goes here
                gc.collect()
            done.set()

        threading.Thread(target=collect, daemon=True).start()

        assert done.wait(5), "closing the abandoned stream waits for a lock that its thread holds"
    assert tape.exchanges[0].status == 200
