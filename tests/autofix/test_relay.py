"""What passes the relay and what does not, over its real socket, in five protocols."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.autofix.forwarder import Forwarder
from pytest_ohllm.autofix.relay import MAX_REQUEST_BYTES, MOST_AT_ONCE, Relay
from pytest_ohllm.autofix.sandbox import Sandbox, environment_for, places_of_this_python
from pytest_ohllm.autofix.upstream import PLACEHOLDER, Request, Upstream
from pytest_ohllm.model import Profile
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.client import answer, build_llm
from pytest_ohllm.simulator.server import Simulator
from tests import endpoints
from tests.autofix import programmer
from tests.autofix.ground import ground

KEY = "sk-canary-Zq8vT3mWx1Lr5Ny7Kb2Hd9Fs"
MESSAGES = [{"role": "user", "content": "Say hello."}]
BODY = {"model": "some-model", "messages": MESSAGES}


def _connection(
    base_url: str | None, model: str = "openai/some-model", key: str | None = KEY, **settings: Any
) -> Connection:
    there = {} if base_url is None else {"base_url": base_url}
    secrets = {} if key is None else {"api_key": SecretStr(key)}
    profile = Profile(name="mine", settings={"model": model, **there, **settings})
    return Connection(profile, secrets)


@contextmanager
def _relayed(connection: Connection, tmp_path: Path, most: int = 100) -> Iterator[Relay]:
    with Relay(tmp_path / "llm.sock", connection, most_requests=most) as relay:
        yield relay


def _client(tmp_path: Path) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(tmp_path / "llm.sock"))
    return httpx.Client(transport=transport, base_url="http://relay", timeout=10)


def _post(
    tmp_path: Path,
    path: str = "/v1/chat/completions",
    body: Any = BODY,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    shown = {"authorization": f"Bearer {PLACEHOLDER}", **(headers or {})}
    with _client(tmp_path) as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(path, content=content, headers=shown)


def _sent_by(relay: Relay) -> list[str]:
    """The addresses of the requests that go on to the endpoint, as they go."""
    sent: list[str] = []
    send = relay.send

    def noted(request: Request, body: bytes) -> httpx.Response:
        sent.append(request.url)
        return send(request, body)

    relay.send = noted  # type: ignore[method-assign]
    return sent


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", programmer.PROTOCOLS)
def test_the_sdk_speaks_every_protocol_through_it(
    protocol: str, stream: bool, tmp_path: Path
) -> None:
    environment.load()
    with Simulator(protocol, api_key=KEY) as simulator:
        outside = programmer.connection(simulator, stream=stream)
        with (
            _relayed(outside, tmp_path) as relay,
            Forwarder(tmp_path / "llm.sock") as forwarder,
            environment.sealed(),
        ):
            sent = _sent_by(relay)
            settings = {**relay.upstream.settings, "base_url": forwarder.url + relay.upstream.path}
            inside = Connection(
                Profile(name="inside", settings=settings), {"api_key": SecretStr(PLACEHOLDER)}
            )
            llm = build_llm(inside, usage_id="relayed", timeout=20)
            facts: dict[str, Any] | None = {} if stream else None
            assert "hello" in answer(llm, "Say hello in one word.", facts=facts).lower()
        assert relay.problems == []
        paths = [entry.path for entry in simulator.journal]
        if protocol == "ollama":
            # litellm asks for a description of the model, in a thread that closing may cut off.
            asked = [url for url in sent if not url.endswith("/api/show")]
            assert len(asked) == len([path for path in paths if path != "/api/show"]) >= 1
        else:
            assert relay.requests == len(sent) == len(paths) >= 1
        if facts is not None:
            assert facts["deltas"] >= 1


def test_a_stream_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    def play(connection: endpoints.Connection) -> None:
        connection.send(endpoints.head(content_type=endpoints.SSE))
        for number in range(4):
            connection.send(b'data: {"number": %d}\n\n' % number)
            connection.wait(0.3)

    with (
        endpoints.Endpoint(play) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
        _client(tmp_path) as client,
        client.stream("POST", "/v1/chat/completions", json=BODY) as response,
    ):
        arrived = [(time.monotonic(), piece) for piece in response.iter_raw()]
    assert b"".join(piece for _, piece in arrived).count(b"number") == 4
    assert arrived[-1][0] - arrived[0][0] > 0.8
    gaps = [after[0] - before[0] for before, after in pairwise(arrived)]
    assert len(arrived) >= 4 and max(gaps) < 0.7


@pytest.mark.parametrize(
    ("model", "path", "shown", "arrives"),
    [
        ("openai/m", "/v1/chat/completions", {"authorization": "Bearer relay"}, f"Bearer {KEY}"),
        ("openai/m", "/v1/responses", {"authorization": "Bearer relay"}, f"Bearer {KEY}"),
        ("anthropic/m", "/v1/v1/messages", {"x-api-key": "relay"}, KEY),
        ("gemini/m", "/v1/models/m:streamGenerateContent", {"x-goog-api-key": "relay"}, KEY),
        ("azure/m", "/v1/openai/deployments/m/chat/completions", {"api-key": "relay"}, KEY),
        ("ollama_chat/m", "/v1/api/chat", {"authorization": "Bearer relay"}, f"Bearer {KEY}"),
    ],
)
def test_the_key_goes_where_the_protocol_has_it(
    tmp_path: Path, model: str, path: str, shown: dict[str, str], arrives: str
) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url, model), tmp_path),
        _client(tmp_path) as client,
    ):
        assert client.post(f"{path}?alt=sse", json={"model": "m"}, headers=shown).json() == {}
        (request,) = endpoint.requests
    assert request.path == f"{path}?alt=sse"
    assert request.headers[next(iter(shown))] == arrives
    assert str(request.headers).count(KEY) == 1


def test_the_key_in_a_query_is_filled_in(tmp_path: Path) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url, "gemini/m"), tmp_path),
        _client(tmp_path) as client,
    ):
        client.post("/v1/models/m:generateContent?key=relay&alt=json", json={})
        assert endpoint.requests[0].path == f"/v1/models/m:generateContent?key={KEY}&alt=json"


def test_an_endpoint_without_a_key_gets_none(tmp_path: Path) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url, key=None), tmp_path),
    ):
        assert _post(tmp_path).status_code == 200
        assert "authorization" not in endpoint.requests[0].headers


def test_headers_of_the_profile_are_added_outside(tmp_path: Path) -> None:
    settings = {"extra_headers": {"X-Gateway-Token": "gateway-secret-1234567", "x-team": "blue"}}
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url, **settings), tmp_path) as relay,
    ):
        _post(tmp_path, headers={"cookie": "a=b", "x-evil": "1", "x-gateway-token": "mine"})
        headers = endpoint.requests[0].headers
    assert headers["x-gateway-token"] == "gateway-secret-1234567"
    assert headers["x-team"] == "blue"
    assert "cookie" not in headers and "x-evil" not in headers
    assert "gateway-secret-1234567" not in json.dumps(relay.upstream.settings)


def test_user_and_password_of_the_address_stay_outside(tmp_path: Path) -> None:
    with endpoints.Endpoint(endpoints.answer(body={})) as endpoint:
        url = f"http://me:{KEY}@{endpoint.address}/base"
        with _relayed(_connection(url, key=None), tmp_path) as relay:
            assert _post(tmp_path, "/base/chat/completions").status_code == 200
        assert endpoint.requests[0].headers["authorization"].startswith("Basic ")
        assert relay.upstream.path == "/base"
        assert KEY not in json.dumps(relay.upstream.settings)


def test_a_key_of_somebody_else_is_not_passed_on(tmp_path: Path) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        _post(tmp_path, headers={"authorization": "Bearer other", "x-api-key": "other"})
        assert "other" not in str(endpoint.requests[0].headers)


def test_an_echo_of_the_key_is_taken_out(tmp_path: Path) -> None:
    told = {"error": {"message": f"Incorrect API key provided: {KEY}. Bearer {KEY}"}}
    play = endpoints.answer(401, told, x_request_id=f"for-{KEY}")
    with (
        endpoints.Endpoint(play) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path) as relay,
    ):
        response = _post(tmp_path)
    assert response.status_code == 401
    assert "Incorrect API key provided: [REDACTED:" in response.text
    assert KEY not in response.text and KEY not in str(response.headers)
    assert relay.problems == ["the endpoint answered HTTP 401"]


def test_an_echo_that_comes_in_pieces_is_taken_out_of_a_stream(tmp_path: Path) -> None:
    head = endpoints.head(content_type=endpoints.SSE)
    line = f'data: {{"text": "your key is {KEY}"}}\n\ndata: [DONE]\n\n'.encode()
    pieces = [line[at : at + 7] for at in range(0, len(line), 7)]
    with (
        endpoints.Endpoint(endpoints.sends(head, *pieces)) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        text = _post(tmp_path).text
    assert KEY not in text
    assert text.startswith('data: {"text": "your key is [REDACTED:') and "[DONE]" in text


def test_what_only_looks_like_a_key_is_the_model_s_text(tmp_path: Path) -> None:
    code = 'client = Client(api_key="sk-proj-AbCdEfGhIjKlMnOpQrStUvWx", password="hunter2")'
    with (
        endpoints.Endpoint(endpoints.says(code)) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        said = _post(tmp_path).json()["choices"][0]["message"]["content"]
    assert said == code


def test_a_limit_is_passed_on_with_its_patience(tmp_path: Path) -> None:
    play = endpoints.refusal(429, "Rate limit reached", retry_after=7)
    with (
        endpoints.Endpoint(play) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        response = _post(tmp_path)
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert "Rate limit reached" in response.text


def test_an_endpoint_that_is_down_is_a_bad_gateway(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{endpoints.unused_port()}/v1"
    with _relayed(_connection(url), tmp_path) as relay:
        response = _post(tmp_path)
    assert response.status_code == 502
    assert "does not answer: ConnectError" in response.json()["error"]["message"]
    assert len(relay.problems) == 1


def test_a_stream_that_breaks_off_is_no_whole_one(tmp_path: Path) -> None:
    head = endpoints.head(content_type=endpoints.SSE, Content_Length=1000)
    with (
        endpoints.Endpoint(endpoints.sends(head, b"data: {}\n\n")) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path) as relay,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        _post(tmp_path)
    assert "broke off" in relay.problems[0]


def test_redirects_are_not_followed(tmp_path: Path) -> None:
    with endpoints.Endpoint(endpoints.answer(body={})) as elsewhere:
        play = endpoints.answer(307, location=f"{elsewhere.base_url}/chat/completions")
        with (
            endpoints.Endpoint(play) as endpoint,
            _relayed(_connection(endpoint.base_url), tmp_path),
        ):
            response = _post(tmp_path)
        assert response.status_code == 502 and "redirects" in response.text
        assert elsewhere.requests == []


def test_there_are_only_so_many_requests(tmp_path: Path) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path, most=2) as relay,
    ):
        assert [_post(tmp_path).status_code for _ in range(2)] == [200, 200]
        assert not relay.exhausted
        last = _post(tmp_path)
        assert last.status_code == 403 and "limit of 2 requests" in last.text
        assert relay.exhausted and len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models", BODY),
        ("/v1/files", BODY),
        ("/v1/embeddings", BODY),
        ("/chat/completions", BODY),
        ("/v1/chat/completions/../../admin", BODY),
        ("/v1/models/..%2f..%2fadmin:generateContent", {}),
        ("/v1/models/other-model:generateContent", {}),
        ("/v1/chat/completions", {**BODY, "model": "the-dearest-model"}),
        ("/v1/chat/completions", b"model=some-model"),
        ("http://elsewhere/v1/models", BODY),
    ],
)
def test_nothing_but_calls_of_the_model_is_forwarded(
    tmp_path: Path, path: str, body: object
) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path) as relay,
    ):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n\r\n"
        assert _raw(tmp_path, head.encode() + raw).startswith(b"HTTP/1.1 403")
        assert endpoint.requests == []
        assert relay.requests == 0 and len(relay.problems) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_only_posts_are_forwarded(tmp_path: Path, method: str) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
        _client(tmp_path) as client,
    ):
        assert client.request(method, "/v1/chat/completions").status_code == 403
        assert endpoint.requests == []


def test_the_host_of_a_request_does_not_matter(tmp_path: Path) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        endpoints.Endpoint(endpoints.answer(body={})) as elsewhere,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        raw = json.dumps(BODY).encode()
        target = f"{elsewhere.base_url}/chat/completions"
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n\r\n"
        assert _raw(tmp_path, head.encode() + raw).startswith(b"HTTP/1.1 200")
        assert len(endpoint.requests) == 1 and elsewhere.requests == []


@pytest.mark.parametrize(
    "length", [f"Content-Length: {MAX_REQUEST_BYTES + 1}", "Transfer-Encoding: chunked"]
)
def test_requests_of_any_size_are_refused(tmp_path: Path, length: str) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n"
        assert _raw(tmp_path, head.encode()).startswith(b"HTTP/1.1 403")
        assert endpoint.requests == []


def test_idle_connections_do_not_keep_the_agent_out(tmp_path: Path) -> None:
    with (
        endpoints.Endpoint(endpoints.answer(body={})) as endpoint,
        _relayed(_connection(endpoint.base_url), tmp_path),
    ):
        idle = [_connect(tmp_path) for _ in range(2 * MOST_AT_ONCE)]
        time.sleep(0.3)
        for one in idle:
            one.close()
        time.sleep(0.2)
        assert _post(tmp_path).status_code == 200


def test_it_closes_while_an_answer_is_under_way(tmp_path: Path) -> None:
    ended = threading.Event()

    def ask() -> None:
        with pytest.raises(httpx.HTTPError):
            _post(tmp_path)
        ended.set()

    play = endpoints.hangs(endpoints.head(content_type=endpoints.SSE), b"data: {}\n\n")
    with endpoints.Endpoint(play) as endpoint:
        with _relayed(_connection(endpoint.base_url), tmp_path):
            threading.Thread(target=ask, daemon=True).start()
            while not endpoint.requests:
                time.sleep(0.01)
            time.sleep(0.2)
            started = time.monotonic()
        assert ended.wait(5)
    assert time.monotonic() - started < 5
    assert not (tmp_path / "llm.sock").exists()


def test_what_closing_cuts_off_is_nobody_s_fault(tmp_path: Path) -> None:
    asked, closed, ended = threading.Event(), threading.Event(), threading.Event()

    def play(connection: endpoints.Connection) -> None:
        asked.set()
        closed.wait(10)

    def ask() -> None:
        with pytest.raises(httpx.HTTPError):
            _post(tmp_path)

    with endpoints.Endpoint(play) as endpoint:
        relay = Relay(tmp_path / "llm.sock", _connection(endpoint.base_url), most_requests=9)
        note = relay.note

        def noted(problem: str) -> str:
            ended.set()
            return note(problem)

        relay.note = noted  # type: ignore[method-assign]
        with relay:
            threading.Thread(target=ask, daemon=True).start()
            assert asked.wait(10)
        closed.set()
        assert ended.wait(10), "the request failed, as it had to"
    assert relay.problems == []


def test_the_socket_is_the_owner_s_alone(tmp_path: Path) -> None:
    (tmp_path / "llm.sock").write_text("left by an earlier run")
    with _relayed(_connection("http://127.0.0.1:9/v1"), tmp_path):
        mode = (tmp_path / "llm.sock").stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_a_socket_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("folder" * 10) / ("another" * 10)
    deep.mkdir(parents=True)
    with (
        endpoints.Endpoint(endpoints.answer(body={"deep": 1})) as endpoint,
        _relayed(_connection(endpoint.base_url), deep),
        Forwarder(deep / "llm.sock") as forwarder,
    ):
        url = f"{forwarder.url}/v1/chat/completions"
        assert httpx.post(url, json=BODY).json() == {"deep": 1}
    assert list(deep.iterdir()) == []


def test_the_forwarder_runs_a_command_in_a_sandbox(tmp_path: Path) -> None:
    place = ground(tmp_path / "ground")
    place.scratch.mkdir()
    script = (
        "import httpx, os, sys; url = os.environ['OHLLM_RELAY_URL']; "
        "r = httpx.post(url + '/v1/chat/completions', json={'model': 'some-model'}); "
        "print(url, r.json()); sys.exit(5)"
    )
    path = str(place.scratch / "llm.sock")
    forwarder = [sys.executable, "-P", "-m", "pytest_ohllm.autofix.forwarder", "--port", "4321"]
    with (
        endpoints.Endpoint(endpoints.answer(body={"inside": 1})) as endpoint,
        _relayed(_connection(endpoint.base_url), place.scratch),
    ):
        done = Sandbox(
            place.worktree, place.main / ".git", place.scratch, places_of_this_python()
        ).run(
            [*forwarder, path, "--", sys.executable, "-c", script],
            environment=environment_for(place.worktree, place.scratch),
            timeout=60,
        )
    assert done.output == "http://127.0.0.1:4321 {'inside': 1}\n"
    assert done.code == 5


def test_the_forwarder_says_how_it_is_used() -> None:
    command = [sys.executable, "-m", "pytest_ohllm.autofix.forwarder", "socket"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "SOCKET -- COMMAND" in done.stderr


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        (_connection(None, "bedrock/some.model"), "signs its requests with AWS keys"),
        (_connection(None, "vertex_ai/some-model"), "Google's credentials"),
        (_connection("http://x/v1", aws_profile_name="me"), "AWS keys"),
        (_connection(None, "unheard_of/some-model"), "address of unheard_of/some-model"),
        (
            _connection("http://x/v1", litellm_extra_body={"auth": {"token": "t0p-secret"}}),
            "litellm_extra_body",
        ),
    ],
)
def test_what_cannot_be_relayed_is_refused(
    connection: Connection, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(AutofixError, match=problem) as caught:
        Relay(tmp_path / "llm.sock", connection, most_requests=1)
    assert caught.value.advice
    assert "t0p-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "target", "url"),
    [
        ("openai/m", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("anthropic/m", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        (
            "gemini/m",
            "/v1beta/models/m:generateContent",
            "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
        ),
        (
            "openrouter/vendor/m:free",
            "/api/v1/chat/completions",
            "https://openrouter.ai/api/v1/chat/completions",
        ),
    ],
)
def test_a_provider_s_own_address_is_known(model: str, target: str, url: str) -> None:
    upstream = Upstream(_connection(None, model))
    body = json.dumps({"model": model.partition("/")[2]}).encode()
    assert upstream.request(target, {}, body).url == url
    assert target.startswith(upstream.path)


def test_settings_for_the_sandbox_hold_no_secret_and_no_address() -> None:
    settings = {
        "temperature": 0.5,
        "extra_headers": {"authorization": KEY},
        "log_completions": True,
        "fallback_strategy": {"fallback_llms": ["other"]},
    }
    inside = Upstream(_connection("https://host.example/v1", **settings)).settings
    assert inside == {"model": "openai/some-model", "temperature": 0.5}


def _connect(tmp_path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(os.fspath(tmp_path / "llm.sock"))
    return client


def _raw(tmp_path: Path, request: bytes) -> bytes:
    with _connect(tmp_path) as client:
        client.sendall(request)
        received = b""
        while more := client.recv(65536):
            received += more
    return received
