"""``ohllm profiles check`` asks the endpoint: key, model, protocol, in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.app import contact
from pytest_ohllm.profiles import references
from pytest_ohllm.simulator.server import Simulator
from tests.app.conftest import PROGRAM
from tests.endpoints import Endpoint, answer, drips, hangs, head, refusal

KEY = "sk-canary-0123456789"
LIST = {"object": "list", "data": [{"id": "x", "object": "model"}]}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "SECONDS", 2.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def check(ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Check an address, and return code, JSON, and what people read."""

    def run(base_url: str, model: str = "openai/x", key: str | None = KEY, **more: Any) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"model": model, "base_url": base_url, **more}
        (folder / "p.json").write_text(json.dumps(settings))
        references.write(folder, "p", {"api_key": "env:MY_KEY"} if key else {})
        monkeypatch.setenv("MY_KEY", key or "")
        done = ohllm("profiles", "check", "p", "--json")
        shown = ohllm("profiles", "check", "p")
        assert (shown.code, shown.err, done.err) == (done.code, "", "")
        assert KEY not in done.out + shown.out
        return done.code, json.loads(done.out), shown.out

    return run


def _simulated(check: Any, personality: str) -> Any:
    with Simulator(personality) as simulator:
        model = dict(simulator.personality.settings).get("model", f"openai/{simulator.model}")
        code, data, shown = check(simulator.base_url, str(model), simulator.api_key)
        assert simulator.api_key not in shown + json.dumps(data)
        return code, data, shown


@pytest.mark.parametrize(
    ("personality", "protocol"),
    [("default", "chat"), ("anthropic", "anthropic"), ("gemini", "gemini")],
)
def test_a_healthy_endpoint_is_told_with_its_protocol(
    personality: str, protocol: str, check: Any
) -> None:
    code, data, shown = _simulated(check, personality)
    assert code == 0
    told = [data[name] for name in ("reachable", "protocol", "key_accepted", "model_listed")]
    assert told == [True, protocol, True, True] and data["diagnosis"] is None
    assert "the key is accepted, the model is there" in shown
    assert shown.endswith("nothing speaks against it: pytest --llm-profile=p\n")


def test_an_endpoint_that_needs_no_key_says_nothing_of_it(check: Any) -> None:
    code, data, _ = _simulated(check, "ollama")
    assert (code, data["protocol"], data["key_accepted"]) == (0, "ollama", None)
    with Simulator("ollama") as simulator:
        code, data, shown = check(simulator.base_url, f"ollama_chat/{simulator.model}", None)
    assert (code, data["model_listed"]) == (0, True) and "key is" not in shown


@pytest.mark.parametrize(
    ("personality", "kind", "words"),
    [
        ("bad-key", "credentials", "does not accept the key (HTTP 401)"),
        ("not-found", "configuration", "does not list the model 'sim-not-found'; it lists sim-an"),
        ("html-404", "configuration", "a web page answered (HTTP 404)"),
        ("html-200", "configuration", "a web page answered (HTTP 200)"),
        ("missing-v1", "configuration", "/v1 as base_url"),
        ("down", "provider_outage", "is in trouble (HTTP 503)"),
        ("hang", "provider_outage", "did not answer within"),
    ],
)
def test_what_speaks_against_a_run_is_told_with_what_to_do(
    personality: str, kind: str, words: str, check: Any
) -> None:
    code, data, shown = _simulated(check, personality)
    assert (code, data["usable"], data["diagnosis"]["kind"]) == (10, False, kind)
    lines = [line for line in shown.splitlines() if line.startswith("not usable now: ")]
    assert len(lines) == 1 and words in lines[0]
    assert data["diagnosis"]["next_step"] in lines[0] and "nothing speaks" not in shown
    assert data["key_accepted"] is {"bad-key": False, "not-found": True}.get(personality)


def test_a_key_is_refused_although_anybody_may_see_the_list(check: Any) -> None:
    class Open(Endpoint):
        def _serve(self, sock: Any) -> None:
            self._play = answer(body=LIST) if not self.posted else refusal(401, "no such key")
            super()._serve(sock)

        @property
        def posted(self) -> bool:
            return len(self.requests) % 3 == 2  # list, list without the key, empty call

    with Open(answer(body=LIST)) as endpoint:
        code, data, shown = check(endpoint.base_url)
    assert [request.method for request in endpoint.requests[:3]] == ["GET", "GET", "POST"]
    assert "authorization" not in endpoint.requests[1].headers
    assert endpoint.requests[2].body == b"{}"
    assert (code, data["key_accepted"]) == (10, False)
    assert "does not accept the key" in shown


def test_where_nobody_can_tell_of_the_key_that_is_said(check: Any) -> None:
    with Endpoint(answer(body=LIST)) as endpoint:
        code, data, shown = check(endpoint.base_url)
    assert (code, data["key_accepted"], data["model_listed"]) == (0, None, True)
    assert "anybody may see the list, so the key is not checked" in shown


def test_an_alias_that_is_not_listed_is_asked_for(check: Any) -> None:
    body = {"id": "x-2026-01-01", "object": "model", "data": [{"id": "y"}]}
    with Endpoint(answer(body=body)) as endpoint:
        code, data, _ = check(endpoint.base_url, "openai/x-latest", None)
    assert endpoint.requests[1].path == "/v1/models/x-latest"
    assert (code, data["model_listed"]) == (0, True)


@pytest.mark.parametrize(
    "play",
    [refusal(404, "no such route"), refusal(405, "no"), answer(body={"hello": 1})],
    ids=["404", "405", "something else"],
)
def test_an_endpoint_without_a_list_may_be_used(play: Any, check: Any) -> None:
    with Endpoint(play) as endpoint:
        code, data, shown = check(endpoint.base_url)
    assert (code, data["key_accepted"], data["model_listed"]) == (0, None, None)
    assert "does not list its models" in shown and "nothing speaks against it" in shown


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_key_does_not_follow_a_redirect(status: int, check: Any) -> None:
    with Endpoint(answer(body=LIST)) as other:
        elsewhere = answer(status, Location=f"{other.base_url}/models")
        with Endpoint(elsewhere) as endpoint:
            code, data, shown = check(endpoint.base_url)
    assert other.requests == []
    assert endpoint.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert code == 10 and "redirects to" in shown and data["diagnosis"]["kind"] == "configuration"


def test_a_netrc_takes_no_part(check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Endpoint(answer(body=LIST)) as endpoint:
        check(endpoint.base_url)
        check(endpoint.base_url, key=None)
    sent = {request.headers.get("authorization") for request in endpoint.requests}
    assert sent == {f"Bearer {KEY}", None}


def test_headers_of_the_profile_are_sent_and_password_and_query_are_not(check: Any) -> None:
    with Endpoint(answer(body=LIST)) as endpoint:
        url = endpoint.base_url.replace("//", "//user:hush@")
        _, _, shown = check(url, extra_headers={"X-Org": "7"})
    first = endpoint.requests[0]
    assert first.headers["x-org"] == "7" and first.headers["authorization"] == f"Bearer {KEY}"
    assert "hush" not in shown


def test_a_header_that_cannot_be_sent_is_one_line(
    ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Endpoint(answer(body=LIST)) as endpoint:
        folder.mkdir(parents=True)
        settings = {"model": "openai/x", "base_url": endpoint.base_url}
        settings |= {"extra_headers": {"X-Org": "ünï"}}
        (folder / "p.json").write_text(json.dumps(settings))
        done = ohllm("profiles", "check", "p")
    assert (done.code, done.err.count("\n")) == (4, 1) and "extra_headers" in done.err


@pytest.mark.parametrize(
    "play",
    [hangs(), drips(head(Content_Length=10**6), b" "), hangs(head())],
    ids=["silence", "drops", "only a head"],
)
def test_it_takes_seconds_at_most(play: Any, check: Any) -> None:
    started = time.monotonic()
    with Endpoint(play) as endpoint:
        code, _, _ = check(endpoint.base_url)
    assert code == 10 and time.monotonic() - started < 30  # twice 2 s


def test_an_endpoint_that_echoes_the_key_gets_it_into_no_output(check: Any) -> None:
    with Endpoint(refusal(401, f"Incorrect API key provided: {KEY}")) as endpoint:
        code, data, _ = check(endpoint.base_url)  # which looks for it
    assert code == 10 and "REDACTED" in data["diagnosis"]["summary"]


def test_neither_the_sdk_nor_pytest_is_imported_to_ask(folder: Path) -> None:
    folder.mkdir(parents=True)
    program = PROGRAM.replace("main; main()", "run") + (
        "\nimport sys\n"
        "code = run(['profiles', 'check', 'p'])\n"
        "heavy = {'pytest', '_pytest', 'openhands', 'litellm'}\n"
        "print(code, sorted(heavy & {name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    with Endpoint(answer(body=LIST)) as endpoint:
        settings = {"model": "openai/x", "base_url": endpoint.base_url}
        (folder / "p.json").write_text(json.dumps(settings))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "0 []\n"
