"""A conversation through a real agent server, and what is read out of its JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Profile, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment, server_events
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.sdk.scene import Scene, UnsupportedBySdk
from pytest_ohllm.sdk.server import is_installed
from pytest_ohllm.sdk.server_process import ServerProcess
from pytest_ohllm.sdk.server_rest import Rest, ServerFailed
from pytest_ohllm.simulator.server import Simulator
from tests.endpoints import Endpoint, head

needs_server = pytest.mark.skipif(
    not is_installed(), reason="needs openhands-agent-server: pip install 'pytest-ohllm[server]'"
)

RUN = (
    "Use the terminal tool to run exactly this command, once: `cat {file}`\nThen tell me the word."
)
SCENE = Scene(
    (RUN.format(file="first.txt"), RUN.format(file="second.txt")),
    ("cat first.txt", "cat second.txt"),
    files={"first.txt": "word-one\n", "second.txt": "word-two\n"},
)


def through_server(simulator: Simulator, scene: Scene = SCENE, **options: Any) -> Transcript:
    """What the driver makes of ``scene`` with the simulator's model."""
    settings = {"model": f"openai/{simulator.model}", "base_url": simulator.base_url}
    secrets = {"api_key": SecretStr(simulator.api_key)}
    known = Redactor({"key": simulator.api_key})
    options = {"timeout": 40.0, "redact": known.value} | options
    return Driver(
        Connection(Profile(name="test", settings=settings), secrets), **options
    ).through_server(scene)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process groups that are started, in order."""
    started: list[int] = []
    real = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> Any:
        process = real(*arguments, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", popen)
    return started


@pytest.fixture
def sealed() -> Iterator[None]:
    """The environment that servers are started in."""
    with environment.sealed():
        yield


# What goes through a real server.


@pytest.fixture(scope="module")
def played() -> Transcript:
    """One conversation with a competent model; it takes two starts of the server."""
    with Simulator() as simulator:
        return through_server(simulator)


@needs_server
def test_the_conversation_goes_on_after_switch_and_restart(played: Transcript) -> None:
    assert (played.error, played.end) == (None, "finished"), played.traceback
    assert "word-two" in played.final_text
    terminal = [event.text for event in played.observations("terminal")]
    assert terminal == ["word-one", "word-two"]
    assert played.facts["restored_llm"] == "profile:two"
    assert len(played.facts["start_seconds"]) == 2


@needs_server
def test_every_call_of_the_model_is_counted_and_none_is_for_a_title(played: Transcript) -> None:
    assert played.facts["calls_by_llm"] == {"ohllm-agent": 2, "profile:two": 2}
    assert played.usage.llm_calls == 4
    assert played.usage.prompt_tokens
    assert played.usage.cost is None


@needs_server
def test_talking_to_the_server_is_no_exchange_with_the_model(played: Transcript) -> None:
    assert played.exchanges == ()
    assert "POST /api/profiles/one 201" in played.facts["rest"]


@needs_server
def test_the_server_wants_its_key_and_keeps_no_other_in_plain_text(played: Transcript) -> None:
    assert played.facts["key_enforced"]
    assert played.facts["persisted_files"] > 3
    assert played.facts["files_with_secrets"] == []


@needs_server
def test_a_command_that_was_not_asked_for_never_runs() -> None:
    with Simulator("wrong-command") as simulator:
        transcript = through_server(simulator)
    assert transcript.rejections
    assert not transcript.observations("terminal")


@needs_server
def test_the_models_terminal_on_the_server_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's, nor the server's own: with those, what it keeps could be decrypted."""
    monkeypatch.setenv("AN_INNOCENT_NAME", "fake-secret-of-the-user")
    ask = "Use the terminal tool to run exactly this command, once: `env`"
    started: list[dict[str, str]] = []
    real = ServerProcess._environment
    monkeypatch.setattr(
        ServerProcess, "_environment", lambda self: started.append(real(self)) or started[-1]
    )
    with Simulator() as simulator:
        transcript = through_server(simulator, Scene((ask, ask), ("env",)))
    assert started[0]["OH_SECRET_KEY"], "the server itself has them"
    for observation in transcript.observations("terminal"):
        names = set(re.findall(r"^(\w+)=", observation.text, re.MULTILINE))
        assert "OH_PERSISTENCE_DIR" in names, "it was really looked"
        assert not {"AN_INNOCENT_NAME", "OH_SECRET_KEY", "OH_SESSION_API_KEYS_0"} & names
        for secret in (started[0]["OH_SECRET_KEY"], started[0]["OH_SESSION_API_KEYS_0"]):
            assert secret not in observation.text
    assert len(transcript.observations("terminal")) == 2


@needs_server
def test_an_error_of_the_endpoint_arrives_by_name_and_message() -> None:
    with Simulator("rate-limited") as simulator:
        transcript = through_server(simulator)
    assert transcript.end == "error"
    assert transcript.error is not None
    assert transcript.error.root.type == "LLMRateLimitError"
    assert transcript.error.status == 429
    assert "Rate limit reached" in transcript.error.root.message
    assert "restored_llm" not in transcript.facts


@needs_server
def test_the_key_is_in_no_argument_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Any, dict[str, str]]] = []
    real = subprocess.Popen

    def popen(arguments: Any, **options: Any) -> Any:
        if "openhands.agent_server" in arguments:
            started.append((arguments, options["env"]))
            return real([sys.executable, "-c", "raise SystemExit('no such server')"], **options)
        return real(arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setenv("OPENAI_API_KEY", "must-not-be-inherited")
    with Simulator() as simulator:
        transcript = through_server(simulator)
    ((arguments, env),) = started
    assert simulator.api_key not in str(arguments) + str(env)
    assert "must-not-be-inherited" not in str(env)
    assert transcript.error is not None
    assert transcript.error.root.message.endswith("no such server")
    assert transcript.error.status is None


@needs_server
@pytest.mark.usefixtures("sealed")
def test_nothing_is_left_running_when_the_block_ends_in_an_exception(
    tmp_path: Path, groups: list[int]
) -> None:
    server = ServerProcess(tmp_path / "server", tmp_path)
    with pytest.raises(RuntimeError), server.running():
        raise RuntimeError
    with pytest.raises(ProcessLookupError):
        os.killpg(groups[0], 0)


@needs_server
@pytest.mark.usefixtures("sealed")
def test_a_server_that_dies_is_told_from_one_that_refuses(
    tmp_path: Path, groups: list[int]
) -> None:
    server = ServerProcess(tmp_path / "server", tmp_path)
    with pytest.raises(UnsupportedBySdk, match="/api/no/such/route"), server.running() as rest:
        with pytest.raises(ServerFailed, match="HTTP 404") as refusal:
            rest.get("/api/profiles/absent")
        assert refusal.value.refusal == 404
        rest.post("/api/no/such/route")
    with pytest.raises(ServerFailed, match="the server has ended"), server.running() as rest:
        os.killpg(groups[-1], signal.SIGKILL)
        time.sleep(0.2)
        rest.get("/api/profiles")


@needs_server
def test_an_interrupted_session_leaves_no_server(tmp_path: Path) -> None:
    # Scenarios are played in daemon threads, which just stop when the main one ends.
    script = """
import subprocess, sys, threading
from pathlib import Path
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.server_process import ServerProcess
started, real = threading.Event(), subprocess.Popen
def popen(*arguments, **options):
    process = real(*arguments, **options)
    print(process.pid)
    return process
subprocess.Popen = popen
def play():
    with environment.sealed(), ServerProcess(Path(sys.argv[1]), Path(sys.argv[1])).running():
        started.set()
        threading.Event().wait()
threading.Thread(target=play, daemon=True).start()
started.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "server")],
        check=True,
        timeout=100,
        capture_output=True,
        text=True,
    )
    with pytest.raises(ProcessLookupError):
        os.killpg(int(done.stdout), 0)


# What needs no server.


def test_without_the_package_the_sdk_does_not_offer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ohllm.sdk.server.is_installed", lambda: False)
    with Simulator() as simulator:
        transcript = through_server(simulator)
    assert transcript.error is not None
    assert transcript.error.root.type.endswith(".UnsupportedBySdk")
    assert "pytest-ohllm[server]" in transcript.error.root.message


def test_a_server_out_of_reach_is_not_taken_for_the_provider() -> None:
    rest = Rest("http://127.0.0.1:9", "key", [])
    with pytest.raises(ServerFailed, match="ConnectError") as failure:
        rest.get("/health")
    assert failure.value.__cause__ is None


def test_a_proxy_never_sees_what_goes_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    def answers(connection: Any) -> None:
        connection.send(head() + b'{"status": "ok"}')

    log: list[str] = []
    with Endpoint(answers) as endpoint:
        rest = Rest(f"http://{endpoint.address}", "the-key", log)
        assert rest.post("/somewhere", {"a": 1}) == {"status": "ok"}
        assert rest.status("/health") == 200
    sent, knocked = endpoint.requests
    assert sent.headers["x-session-api-key"] == "the-key"
    assert "x-session-api-key" not in knocked.headers
    assert log == ["POST /somewhere 200"]


CALL: dict[str, Any] = {
    "id": "1",
    "kind": "ActionEvent",
    "source": "agent",
    "action": {"kind": "TerminalAction", "command": "ls"},
    "tool_name": "terminal",
    "tool_call_id": "call-1",
    "tool_call": {"id": "call-1", "name": "terminal", "arguments": '{"command": "ls"}'},
}
OBSERVATION: dict[str, Any] = {
    "id": "2",
    "kind": "ObservationEvent",
    "source": "environment",
    "observation": {
        "kind": "TerminalObservation",
        "content": [{"type": "text", "text": "a\x1b[0mb"}],
        "command": "ls",
        "metadata": {"exit_code": 0},
    },
    "tool_name": "terminal",
    "tool_call_id": "call-1",
    "action_id": "1",
}
REJECTION: dict[str, Any] = {
    "id": "3",
    "kind": "UserRejectObservation",
    "source": "environment",
    "rejection_reason": "no",
    "tool_name": "terminal",
    "tool_call_id": "call-1",
    "action_id": "1",
}
AGENT_ERROR: dict[str, Any] = {
    "id": "4",
    "kind": "AgentErrorEvent",
    "source": "agent",
    "error": "no such tool",
    "tool_name": "terminal",
    "tool_call_id": "call-1",
}


def _error(code: str, detail: str = "why") -> dict[str, Any]:
    return {"kind": "ConversationErrorEvent", "source": "environment"} | {
        "code": code,
        "detail": detail,
    }


def test_json_is_reduced_as_the_objects_are() -> None:
    text = [{"type": "text", "text": "hello"}]
    message = {"kind": "MessageEvent", "source": "user", "llm_message": {"content": text}}
    said, call, seen, refused, error = server_events.reduce_json(
        [message, CALL, OBSERVATION, REJECTION, AGENT_ERROR]
    )
    assert (said.kind, said.source, said.text) == ("message", "user", "hello")
    assert (call.kind, call.command, call.arguments) == ("tool_call", "ls", {"command": "ls"})
    assert (seen.kind, seen.text, seen.exit_code, seen.call_id) == (
        "observation",
        "ab",
        0,
        "call-1",
    )
    assert (refused.kind, refused.text) == ("rejection", "no")
    assert (error.kind, error.text) == ("error", "no such tool")


def test_a_call_with_arguments_that_do_not_fit_is_shown_as_it_was_written() -> None:
    # The server leaves out what is null.
    broken = {name: value for name, value in CALL.items() if name != "action"}
    (call,) = server_events.reduce_json([broken])
    assert (call.kind, call.text) == ("tool_call", '{"command": "ls"}')
    assert server_events.pending([broken]) == []


def test_unknown_events_are_kept_by_name() -> None:
    (event,) = server_events.reduce_json([{"kind": "SomethingNew", "source": "environment"}])
    assert (event.kind, event.text) == ("other", "SomethingNew")


@pytest.mark.parametrize("answer", [OBSERVATION, REJECTION, AGENT_ERROR], ids=lambda a: a["kind"])
def test_a_call_waits_until_it_is_answered(answer: dict[str, Any]) -> None:
    second = CALL | {"id": "9", "tool_call_id": "call-2"}
    assert server_events.pending([CALL, second]) == [CALL, second]
    assert server_events.pending([CALL, second, answer]) == [second]


def test_a_later_call_with_a_used_id_waits_nevertheless() -> None:
    again = CALL | {"id": "9"}
    assert server_events.pending([CALL, OBSERVATION, again]) == [again]
    assert server_events.pending([CALL, AGENT_ERROR, again]) == [again]


def test_the_last_error_is_the_reason_and_a_limit_is_none() -> None:
    first, last = _error("SomethingElse"), _error("LLMAuthenticationError", "bad key")
    found = server_events.failure([first, last])
    assert found is not None
    assert (found.root.type, found.root.message, found.status) == (
        "LLMAuthenticationError",
        "bad key",
        401,
    )
    unknown = server_events.failure([last, first])
    assert unknown is not None
    assert unknown.status is None
    assert server_events.failure([_error("MaxIterationsReached")]) is None
    assert server_events.failure([CALL]) is None


def test_usage_adds_up_over_the_llms_and_an_unknown_price_is_not_zero() -> None:
    used = {"accumulated_token_usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    stats = {
        "usage_to_metrics": {
            "one": used | {"response_latencies": [{}, {}], "accumulated_cost": 0.0},
            "two": used | {"response_latencies": [{}], "accumulated_cost": 0.0},
        }
    }
    total = server_events.usage(stats)
    assert (total.llm_calls, total.prompt_tokens, total.completion_tokens) == (3, 10, 4)
    assert total.cost is None
    assert server_events.calls_by_llm(stats) == {"one": 2, "two": 1}
    stats["usage_to_metrics"]["two"]["accumulated_cost"] = 0.5
    assert server_events.usage(stats).cost == 0.5
    assert server_events.usage({}).llm_calls == 0


def test_files_that_hold_a_secret_are_named_and_encrypted_ones_are_none(tmp_path: Path) -> None:
    key = "sk-test-0123456789abcdefghijklmnop"
    server = ServerProcess(tmp_path / "server", tmp_path)
    sealed = "gAAAAABrAV-bMHOGFZ2Wtcm3ZKj7MatKGXg9TgLnJ0g1l2Xn9sq0ppM_5Kqq5jGVZtcIYzPQ=="
    (server.folder / "sealed.json").write_text(json.dumps({"api_key": sealed}))
    (server.folder / "plain.json").write_text(json.dumps({"api_key": key}))
    left = server.left_behind(Redactor({"key": key}).value)
    assert left == {"persisted_files": 2, "files_with_secrets": ["plain.json"]}
