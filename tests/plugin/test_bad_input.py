"""Whatever is wrong with an endpoint: one line that says what, and never "the model failed"."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_ohllm.model import CheckSummary, Diagnosis, Outcome, Profile
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.wire import reachability
from tests.conftest import Compat, Result, some_of
from tests.endpoints import (
    HOST,
    SSE,
    Endpoint,
    Play,
    answer,
    drips,
    full_listener,
    hangs,
    head,
    refusal,
    says,
    self_signed,
    sends,
    unused_port,
    web_page,
)

FAKE_KEY = "fake-key-0123456789-for-tests"
INCONCLUSIVE, USAGE = 10, 4

CHUNK = b'data: {"id": "1", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'


class Gate:
    """Runs the suite against an address and looks at what every bad one has in common."""

    def __init__(self, compat: Compat) -> None:
        self.compat = compat

    def run(self, base_url: str | None, *options: str, model: str = "openai/some-model") -> Result:
        arguments = [f"--llm-model={model}", "--llm-api-key-env=FAKE_KEY"]
        if base_url is not None:
            arguments.append(f"--llm-base-url={base_url}")
        return self.compat(*arguments, *options)

    def diagnosis(self, result: Result) -> Diagnosis:
        """The one diagnosis, of a run that says nothing about the model and says so readably."""
        (profile,) = result.run.profiles
        failed = [check for check in profile.checks if check.diagnosis is not None]
        assert result.ret == INCONCLUSIVE, result.output
        assert profile.verdict == "INCONCLUSIVE", result.output
        assert [check.outcome for check in failed] == [Outcome.INCONCLUSIVE], result.output
        others = {check.outcome for check in profile.checks if check is not failed[0]}
        assert others == {Outcome.NOT_RUN}
        assert "Traceback" not in result.output
        assert ".py:" not in result.output
        diagnosis = failed[0].diagnosis
        assert diagnosis is not None
        for line in (diagnosis.summary, diagnosis.next_step):
            assert line.strip()
            assert "\n" not in line
            assert len(line) <= 300
        assert " ".join(diagnosis.summary.split()[:4]) in " ".join(result.output.split())
        self._leaks_nothing(result)
        return diagnosis

    def _leaks_nothing(self, result: Result) -> None:
        assert FAKE_KEY not in result.output
        for path in result.files("**/*"):
            assert path.is_dir() or FAKE_KEY not in path.read_text(errors="replace"), path


def first(result: Result) -> CheckSummary:
    """The check that everything else waits for."""
    return result.check("test_the_model_answers")


@pytest.fixture(scope="module")
def _warm() -> None:
    """Have everything imported that a call takes: pytester forgets what its own runs import."""
    for play in (says("hello"), refusal(500, "boom")):
        with Endpoint(play) as endpoint:
            settings = {"model": "openai/some-model", "base_url": endpoint.base_url}
            connection = Connection(Profile(name="warm", settings=settings))
            Driver(connection, timeout=30, redact=lambda value: value).complete("Say hello.")
            assert endpoint.requests


@pytest.fixture
def gate(_warm: None, compat: Compat, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setenv("FAKE_KEY", FAKE_KEY)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return Gate(compat)


# --- Nothing that could answer: known before the SDK is needed, and before a key is sent ---


@pytest.fixture
def unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A base URL at which nothing can answer, by the name of what is wrong with it."""
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 0.5)
    with ExitStack() as stack:
        enter = stack.enter_context
        match request.param:
            case "dead":
                yield f"http://{HOST}:{enter(full_listener())}/v1"
            case "refused":
                yield f"http://{HOST}:{unused_port()}/v1"
            case "unknown-name":
                yield "http://no-such-host.invalid/v1"
            case "https-to-plain":
                plain = enter(Endpoint(says("hello")))
                yield plain.base_url.replace("http:", "https:")
            case "self-signed":
                yield enter(Endpoint(says("hello"), tls=self_signed(tmp_path))).base_url


@pytest.mark.parametrize(
    ("unreachable", "kind", "words"),
    [
        ("dead", "provider_outage", "did not accept a connection within 0.5 s"),
        ("refused", "configuration", "nothing listens at"),
        ("unknown-name", "configuration", "'no-such-host.invalid' cannot be resolved"),
        ("https-to-plain", "configuration", "does not speak TLS"),
        ("self-signed", "configuration", "certificate"),
    ],
    indirect=["unreachable"],
)
def test_where_nothing_can_answer_nothing_is_asked(
    gate: Gate, unreachable: str, kind: str, words: str
) -> None:
    result = gate.run(unreachable)

    diagnosis = gate.diagnosis(result)
    assert diagnosis.kind == kind
    assert words in diagnosis.summary
    assert unreachable.split("/")[2] in diagnosis.summary
    assert first(result).llm_calls == 0
    assert first(result).seconds < 2
    assert result.run.profiles[0].base_url == unreachable


@pytest.mark.parametrize(
    ("base_url", "words", "advice"),
    [
        ("http://127.0.0.1:1/v1/chat/completions", "'/chat/completions'", "http://127.0.0.1:1/v1"),
        ("127.0.0.1:1/v1", "no scheme", "http://127.0.0.1:1/v1"),
        ("http://127.0.0.1:1/v1 ", "white space", "remove"),
        ("http://127.0.0.1:1/ v1", "white space", "remove"),
        ("gopher://127.0.0.1:1/v1", "scheme 'gopher'", "http://"),
        ("http://127.0.0.1:99999/v1", "not a URL", "correct"),
        ("http://[::1/v1", "not a URL", "correct"),
        ("http:///v1", "names no host", "http://HOST:PORT/v1"),
    ],
)
def test_a_malformed_base_url_is_explained(
    gate: Gate, base_url: str, words: str, advice: str
) -> None:
    result = gate.run(base_url)

    diagnosis = gate.diagnosis(result)
    assert diagnosis.kind == "configuration"
    assert words in diagnosis.summary
    assert advice in diagnosis.next_step
    assert first(result).llm_calls == 0
    assert first(result).seconds < 2


def test_a_dead_endpoint_is_known_before_the_sdk_is_imported(gate: Gate) -> None:
    gate.compat.path.joinpath("openhands_must_stay_out.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('IMPORTED:', sorted({'openhands.sdk', 'litellm'} & set(sys.modules)))\n"
    )
    arguments = ["--llm-model=openai/m", f"--llm-base-url=http://{HOST}:{unused_port()}/v1"]

    result = gate.compat.subprocess(
        *arguments, "-p", "openhands_must_stay_out", env={"PYTHONPATH": str(gate.compat.path)}
    )

    assert result.ret == INCONCLUSIVE, result.output
    assert "IMPORTED: []" in result.output


# --- Something answers, and it is not what it should be ---


@dataclass(frozen=True)
class Bad:
    """What an endpoint does, and what is to be said of it."""

    play: Play
    kind: str
    words: str
    advice: str = ""


BAD = {
    "404-web-page": Bad(web_page(404), "configuration", "a web page answered (HTTP 404)", "/v1"),
    "404-json": Bad(
        answer(404, {"detail": "Not Found"}), "configuration", "nothing is served at", "/v1"
    ),
    "404-plain": Bad(
        answer(404, "404 page not found", "text/plain"), "configuration", "nothing is served at"
    ),
    "404-model": Bad(
        refusal(404, "The model `some-model` does not exist", code="model_not_found"),
        "configuration",
        "does not know the model 'openai/some-model'",
        "GET /models",
    ),
    "200-web-page": Bad(web_page(), "configuration", "a web page answered (HTTP 200)"),
    "200-text": Bad(answer(body="OK", content_type="text/plain"), "configuration", "not JSON"),
    "200-empty": Bad(answer(), "provider_outage", "empty body"),
    "200-null": Bad(answer(body="null"), "configuration", "not JSON"),
    "200-error": Bad(
        answer(body={"error": {"message": "upstream is down", "code": 503}}),
        "provider_outage",
        "upstream is down",
    ),
    "200-cut-json": Bad(
        answer(body='{"id": "x", "choices": [{"mess'), "provider_outage", "broken JSON"
    ),
    "200-short": Bad(
        sends(head(Content_Length=1000) + b'{"id": "x", "choi'),
        "provider_outage",
        "broke off the connection",
    ),
    "200-truncated-stream": Bad(answer(body=CHUNK, content_type=SSE), "provider_outage", "stream"),
    "200-cut-stream": Bad(
        sends(head(200, SSE, Transfer_Encoding="chunked") + b"ff\r\n" + CHUNK),
        "provider_outage",
        "broke off the connection",
    ),
    "301-same-host": Bad(
        answer(301, Location="/v2/chat/completions"), "configuration", "redirects to", "/v2 as"
    ),
    "301-dead-host": Bad(
        answer(301, Location="https://no-such-host.invalid/v1/chat/completions"),
        "configuration",
        "redirects to https://no-such-host.invalid/v1/chat/completions (HTTP 301)",
        "use https://no-such-host.invalid/v1 as base_url",
    ),
    "307-login": Bad(answer(307, Location="/login"), "configuration", "/login", "correct base_url"),
    "401": Bad(
        refusal(401, "Incorrect API key provided", code="invalid_api_key"),
        "credentials",
        "does not accept the key (HTTP 401)",
    ),
    "402": Bad(refusal(402, "Payment required"), "credentials", "cannot pay", "credit"),
    "403": Bad(refusal(403, "No access to this model"), "credentials", "HTTP 403"),
    "403-web-page": Bad(web_page(403), "configuration", "firewall"),
    "429": Bad(
        refusal(429, "Rate limit reached for requests", retry_after=7),
        "rate_limit",
        "limits the rate",
        "try again in 7 s",
    ),
    "500": Bad(refusal(500, "boom"), "provider_outage", "HTTP 500"),
    "502-web-page": Bad(web_page(502), "provider_outage", "gateway"),
    "503": Bad(refusal(503, "No healthy upstream"), "provider_outage", "HTTP 503"),
    "529": Bad(refusal(529, "Overloaded", type="overloaded_error"), "provider_outage", "HTTP 529"),
    "not-http": Bad(
        sends(b"-ERR unknown command\r\n\r\n"), "configuration", "does not speak HTTP", "port"
    ),
    "binary": Bad(sends(b"\x00\x01\xfe\xff" * 20), "configuration", "does not speak HTTP"),
    "hangs-up": Bad(sends(), "provider_outage", "broke off the connection"),
}


@pytest.mark.parametrize("name", some_of(BAD))
def test_a_bad_answer_is_the_endpoint_s_or_the_user_s_and_not_the_model_s(
    gate: Gate, name: str
) -> None:
    bad = BAD[name]
    with Endpoint(bad.play) as endpoint:
        result = gate.run(endpoint.base_url)

    diagnosis = gate.diagnosis(result)
    assert diagnosis.kind == bad.kind, diagnosis
    assert bad.words in diagnosis.summary
    assert bad.advice in diagnosis.next_step
    assert diagnosis.blame in ("endpoint", "user")
    assert _named(diagnosis, endpoint) or name == "301-dead-host"
    assert first(result).llm_calls >= 1
    assert result.run.profiles[0].base_url == endpoint.base_url
    sent = [request for request in endpoint.requests if request.method == "POST"]
    assert sent[0].headers["authorization"] == f"Bearer {FAKE_KEY}"


def test_plain_http_to_a_tls_port_leads_to_https(gate: Gate, tmp_path: Path) -> None:
    with Endpoint(says("hello"), tls=self_signed(tmp_path)) as endpoint:
        result = gate.run(endpoint.base_url.replace("https:", "http:"))

    diagnosis = gate.diagnosis(result)
    assert diagnosis.kind in ("configuration", "provider_outage")
    assert "https://" in diagnosis.next_step
    assert _named(diagnosis, endpoint)


SLOW = {
    "hangs": hangs(),
    "hangs-after-the-headers": hangs(head(Content_Length=100)),
    "drips-a-body": drips(head(Content_Length=10**6), b" "),
    "drips-headers": drips(b"HTTP/1.1 200 OK\r\n", b"X-Slow: yes\r\n"),
    "drips-comments": drips(head(content_type=SSE), b": thinking\n\n"),
}


@pytest.mark.parametrize("name", SLOW)
def test_an_endpoint_that_never_comes_to_an_end_is_left(gate: Gate, name: str) -> None:
    started = time.monotonic()
    with Endpoint(SLOW[name]) as endpoint:
        result = gate.run(endpoint.base_url, "--llm-timeout=2")
    seconds = time.monotonic() - started

    diagnosis = gate.diagnosis(result)
    assert diagnosis.kind == "provider_outage"
    assert "answer" in diagnosis.summary
    assert "--llm-timeout" in diagnosis.next_step
    assert _named(diagnosis, endpoint)
    assert re.search(r"within (2|1\.9)[.\d]* s", diagnosis.summary), diagnosis.summary
    assert 1.9 < first(result).seconds < 6  # the SDK's own part takes long on a busy machine
    assert seconds < 8


def _named(diagnosis: Diagnosis, endpoint: Endpoint) -> bool:
    return endpoint.address in " ".join([diagnosis.summary, *diagnosis.evidence])


# --- Nothing is sent, because it is unclear to whom ---


@pytest.mark.parametrize("model", ["some-model", "nosuchprovider/some-model"])
def test_a_model_without_a_known_provider_is_a_configuration(gate: Gate, model: str) -> None:
    with Endpoint(says("hello")) as endpoint:
        result = gate.run(endpoint.base_url, model=model)

    diagnosis = gate.diagnosis(result)
    assert diagnosis.kind == "configuration"
    assert repr(model) in diagnosis.summary
    assert f"openai/{model}" in diagnosis.next_step
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "$FAKE_KEY, which is empty"),
        ("   ", "is empty"),
        (f"{FAKE_KEY}\n", "line break"),
        (f"{FAKE_KEY[:9]}\n{FAKE_KEY[9:]}", "line break"),
        (f" {FAKE_KEY}", "space"),
        ("schlüssel-für-tests", "printable ASCII"),
        ("**********", "placeholder"),
        (None, "$FAKE_KEY, which is not set"),
    ],
)
def test_an_unusable_key_is_a_usage_error(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, key: str | None, words: str
) -> None:
    if key is None:
        monkeypatch.delenv("FAKE_KEY")
    else:
        monkeypatch.setenv("FAKE_KEY", key)
    with Endpoint(says("hello")) as endpoint:
        result = gate.run(endpoint.base_url)

    assert result.ret == USAGE
    lines = [line for line in result.output.splitlines() if line.startswith("ERROR:")]
    assert len(lines) == 1, result.output
    assert words in lines[0]
    assert FAKE_KEY[:9] not in result.output
    assert "Traceback" not in result.output
    assert result.folder is None, "no run was begun"
    assert endpoint.requests == []


def test_an_empty_base_url_never_becomes_the_provider_s_own(gate: Gate) -> None:
    """What an unset shell variable leaves behind must not send the key to somebody else."""
    result = gate.run("")

    assert result.ret == USAGE, result.output
    assert "--llm-base-url is empty" in result.output
    assert result.folder is None, "nothing was run"


def test_a_working_endpoint_passes_the_same_checks(gate: Gate) -> None:
    """The proof that the tests above fail for their own reasons."""
    with Endpoint(says("hello")) as endpoint:
        result = gate.run(endpoint.base_url, "--llm-stages=A")

    outcomes = {check.outcome for check in result.run.profiles[0].checks}
    assert outcomes == {Outcome.PASSED}, result.output
