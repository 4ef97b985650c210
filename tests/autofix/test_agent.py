"""The real agent in the real sandbox, its model being a script: what it can do, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.autofix import process
from pytest_ohllm.autofix.agent import EVENTS, RESULT, SOCKET, AgentRun, Limits, run_agent
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Profile
from pytest_ohllm.profiles.connection import Connection
from tests import endpoints
from tests.autofix.ground import TOKEN, Ground, git, ground, running
from tests.autofix.programmer import (
    Forever,
    connection,
    create,
    finish,
    programmer,
    replaces,
    says,
    terminal,
    view,
)

KEY = "sk-canary-Hn4wQ8zLp2Xv6Tc9Rb3Yd7Gm"
CANARY = "canary-0d52f7b8c1e64a93"
LIMITS = Limits(cost=5.0, minutes=2.0, iterations=30)


@pytest.fixture
def place(tmp_path: Path) -> Ground:
    return ground(tmp_path / "ground")


def _fix(place: Ground) -> Any:
    return replaces(place.worktree / "calc.py", "a - b", "a + b")


def _run(
    place: Ground,
    endpoint: Connection,
    limits: Limits = LIMITS,
    *,
    unsafe: bool = False,
    conversation: str | None = None,
    on_event: Callable[[str], None] = str,
    task: str = "add() subtracts: repair it.",
) -> AgentRun:
    return run_agent(
        task,
        endpoint,
        place.sandbox(unsafe=unsafe),
        limits,
        place.root / "run",
        Redactor(),
        on_event,
        conversation=conversation,
    )


def _events(place: Ground) -> list[dict[str, Any]]:
    text = (place.root / "run" / EVENTS).read_text()
    return [json.loads(line) for line in text.splitlines()]


def _observed(place: Ground) -> str:
    """All that the agent's tools have said."""
    return "\n".join(event["text"] for event in _events(place) if event["kind"] == "observation")


def _files_with(word: str, *folders: Path) -> list[Path]:
    files = (path for folder in folders for path in folder.rglob("*"))
    return [p for p in files if p.is_file() and word.encode() in p.read_bytes()]


def test_it_repairs_and_goes_on_where_it_stopped(place: Ground) -> None:
    steps: list[str] = []
    shown: list[bytes] = []

    def on_event(line: str) -> None:
        steps.append(line)
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if file.parent.name != str(os.getpid()):
                    shown.append(file.read_bytes() + (file.parent / "environ").read_bytes())
            except OSError:
                continue

    first = [
        view(place.worktree / "calc.py"),
        _fix(place),
        terminal("python -c 'import calc; print(calc.add(20, 3))'; git diff --stat"),
        terminal("env | grep LOG_AUTO_CONFIG || echo NO-SETTINGS-OF-THE-WORKER"),
        terminal("env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'"),
        terminal("python -c 'import marker_of_the_worktree as m; print(m.HERE)'"),
        finish(f"add() adds now. My key is {KEY}."),
    ]
    second = [terminal("cat calc.py"), says("It is as I left it.")]
    with programmer(first, second, api_key=KEY) as simulator:
        endpoint = connection(simulator)
        run = _run(place, endpoint, on_event=on_event)
        assert (run.status, run.problem) == ("finished", ""), run
        again = _run(place, endpoint, conversation=run.conversation, task="Is it still there?")
        key_arrived = all(entry.status == 200 for entry in simulator.journal)
    assert key_arrived
    assert git(place.worktree, "diff").count("+    return a + b") == 1
    # The relay takes it out even of what the model says.
    assert run.message == "add() adds now. My key is [REDACTED:key_0]."
    assert (run.usage.llm_calls, again.usage.llm_calls) == (7, 2)
    assert run.cost is not None and again.cost is not None
    assert 0 < again.cost < run.cost
    assert (again.status, again.message) == ("finished", "It is as I left it.")
    assert again.conversation == run.conversation
    # The second round knows the first one.
    said = json.dumps(simulator.journal[-1].body)
    assert "add() subtracts" in said and "Is it still there?" in said

    seen = _observed(place)
    assert "23" in seen and "calc.py | 2" in seen
    assert f"{place.worktree}/openhands-sdk/marker_of_the_worktree.py" in seen
    assert "OHLLM_EXPECT_SDK_ROOT" in seen and "NO-SETTINGS-OF-THE-WORKER\n" in seen
    assert steps[2].startswith("$ python -c 'import calc;")
    assert steps[-1].startswith("finish add() adds now. My key is [REDACTED")

    folders = (place.worktree, place.scratch, place.root / "run")
    assert _files_with(KEY, *folders) == []
    assert shown and not any(KEY.encode() in one for one in shown)
    assert not (place.scratch / SOCKET).exists()

    result = json.loads((place.root / "run" / RESULT).read_text())
    assert result["status"] == "finished" and result["usage"]["llm_calls"] == 2
    for name in (EVENTS, RESULT):
        assert (place.root / "run" / name).stat().st_mode & 0o777 == 0o600


def test_it_reaches_nothing_but_its_worktree(
    place: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text(CANARY)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    other = subprocess.Popen(["sleep", "600"], env={"SECRET": CANARY})
    before = (place.main / ".git" / "config").read_bytes(), (place.worktree / ".git").read_bytes()
    ask = "curl -s -m 5 http://127.0.0.1:4711"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        attempts = [
            terminal(f"cat ~/.ssh/* {home}/.ssh/* /proc/*/environ | tr '\\0' '\\n'; ls /home"),
            view(home / ".ssh" / "id_ed25519"),
            terminal(f"kill -9 {other.pid} {os.getpid()}; kill -0 {other.pid} || echo NOT-KILLED"),
            terminal("getent hosts example.com || echo NO-DNS"),
            terminal(f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]} || echo NO-TCP"),
            terminal(f"{ask}/v1/models; {ask}/v1/files -d '{{}}'; echo"),
            terminal(f'{ask}/v1/chat/completions -d \'{{"model": "dearest"}}\'; echo'),
            create(home / "planted.txt", "x"),
            create(place.main / "planted.txt", "x"),
            terminal(f"cat {place.main}/.git/config; echo x > {place.main}/.git/config"),
            terminal("rm -f .git; mv .git y; echo x > .git; git commit --allow-empty -m x"),
            finish("I tried."),
        ]
        with programmer(attempts, api_key=KEY) as simulator:
            run = _run(place, connection(simulator))
        with pytest.raises(TimeoutError):
            server.accept()
    assert run.status == "finished", run
    assert other.poll() is None
    other.kill()
    other.wait()
    seen = _observed(place)
    for said in ("NOT-KILLED", "NO-DNS", "NO-TCP", "calls of the model alone", "not of dearest"):
        assert said in seen, said
    files = _files_with(CANARY, place.worktree, place.scratch, place.root / "run")
    assert files == [] and TOKEN not in seen
    assert _files_with(KEY, place.worktree, place.scratch, place.root / "run") == []
    assert not (home / "planted.txt").exists() and not (place.main / "planted.txt").exists()
    after = (place.main / ".git" / "config").read_bytes(), (place.worktree / ".git").read_bytes()
    assert after == before
    assert git(place.main, "log", "--all", "--oneline").count("\n") == 1


@pytest.mark.slow
def test_it_stops_at_the_limit_on_cost(place: Ground) -> None:
    script = [terminal(f"echo {number}") for number in range(20)]
    with programmer(script) as simulator:
        run = _run(place, connection(simulator), replace(LIMITS, cost=0.02))
    assert run.status == "budget", run
    assert run.cost is not None and 0.02 <= run.cost < 0.04
    assert run.usage.llm_calls < 6


@pytest.mark.slow
def test_it_stops_after_so_many_steps_and_says_if_the_price_is_unknown(place: Ground) -> None:
    script = [terminal(f"echo {number}") for number in range(20)]
    with programmer(script) as simulator:
        unpriced = {"input_cost_per_token": None, "output_cost_per_token": None}
        endpoint = connection(simulator, **unpriced)
        run = _run(place, endpoint, replace(LIMITS, iterations=3))
    assert (run.status, run.cost, run.usage.llm_calls) == ("iteration_limit", None, 3), run
    assert "price" in run.problem and "was not applied" in run.problem


@pytest.mark.slow
def test_it_stops_when_it_is_stuck(place: Ground) -> None:
    with programmer(Forever([terminal("echo same")])) as simulator:
        run = _run(place, connection(simulator))
    assert run.status == "stuck", run


def test_it_stops_when_the_time_is_up(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    began, hours = time.monotonic, 0.0

    def on_event(line: str) -> None:
        nonlocal hours
        hours = float(line.startswith("$ sleep"))

    clock = SimpleNamespace(monotonic=lambda: began() + 3600 * hours, sleep=time.sleep)
    monkeypatch.setattr(process, "time", clock)
    with programmer([_fix(place), terminal("sleep 24494897")]) as simulator:
        endpoint = connection(simulator)
        run = _run(place, endpoint, replace(LIMITS, minutes=30), on_event=on_event)
    assert run.status == "timeout" and "no end after 30 minutes" in run.problem
    assert running("24494897") == [] and running(str(place.scratch)) == []
    # What it did before is there, and what it had cost is known.
    assert git(place.worktree, "diff") != ""
    assert run.cost is not None and run.cost > 0
    assert json.loads((place.root / "run" / RESULT).read_text())["status"] == "timeout"


@pytest.mark.slow
def test_it_stops_where_it_asks_the_model_by_itself(place: Ground) -> None:
    call = "curl -s http://127.0.0.1:4711/v1/chat/completions -d '{}'"
    script = [terminal(f"for i in $(seq 60); do {call}; done | tail -c 300"), finish()]
    with programmer(script) as simulator:
        run = _run(place, connection(simulator), replace(LIMITS, iterations=3))
    assert run.status == "iteration_limit", run
    assert "limit of 29 requests" in run.problem
    assert run.usage.llm_calls == 29


@pytest.mark.slow
def test_a_refused_key_is_the_provider_s(place: Ground) -> None:
    play = endpoints.refusal(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")
    with endpoints.Endpoint(play) as endpoint:
        settings = {"model": "openai/m", "base_url": endpoint.base_url, "num_retries": 0}
        mine = Connection(Profile(name="p", settings=settings), {"api_key": SecretStr(KEY)})
        run = _run(place, mine)
        shown = endpoint.requests[0].headers["authorization"]
    assert shown == f"Bearer {KEY}"
    assert (run.status, run.from_provider) == ("error", True), run
    assert "Incorrect API key provided" in run.problem and "HTTP 401" in run.problem
    assert KEY not in run.problem
    assert _files_with(KEY, place.worktree, place.scratch, place.root / "run") == []


@pytest.mark.slow
def test_settings_that_the_sdk_refuses_are_not_the_provider_s(place: Ground) -> None:
    with programmer([finish()]) as simulator:
        run = _run(place, connection(simulator, timeout=-3))
    assert (run.status, run.from_provider) == ("error", False)
    assert "timeout" in run.problem


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_whoever_started_it(place: Ground, how: signal.Signals) -> None:
    script = f"""
from pathlib import Path
from tests.autofix.ground import Ground
from tests.autofix.programmer import connection, programmer, terminal
from tests.autofix.test_agent import _run
with programmer([terminal("touch begun; sleep 26457513")]) as simulator:
    _run(Ground(Path({str(place.root)!r})), connection(simulator))
"""
    file = place.root / "parent.py"
    file.write_text(script)
    parent = subprocess.Popen(
        [sys.executable, str(file)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 90
        while not (place.worktree / "begun").exists():
            assert parent.poll() is None, parent.stderr
            assert time.monotonic() < until
            time.sleep(0.05)
        parent.send_signal(how)
        parent.wait(15)
        until = time.monotonic() + 5
        while running(str(place.root)) or running("26457513"):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.communicate()
    # Only an orderly end can tidy up.
    assert (place.scratch / SOCKET).exists() == (how is signal.SIGKILL)
    assert _events(place)[-1]["arguments"]["command"].startswith("touch begun")


@pytest.mark.slow
def test_without_a_sandbox_it_has_the_same_environment(
    place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    script = [_fix(place), terminal("env; (setsid sleep 28284271 &)"), finish("Done.")]
    with programmer(script, api_key=KEY) as simulator:
        run = _run(place, connection(simulator), unsafe=True)
    assert (run.status, run.message) == ("finished", "Done."), run
    seen = _observed(place)
    assert "OHLLM_EXPECT_SDK_ROOT" in seen and f"HOME={place.scratch}/home" in seen
    assert CANARY not in seen and KEY not in seen
    assert running("28284271") == []
    assert git(place.worktree, "diff") != ""


@pytest.mark.slow
def test_words_of_the_model_cannot_play_tricks_on_a_terminal(place: Ground) -> None:
    steps: list[str] = []
    script = [terminal("echo '\x1b]0;evil\x07'\necho " + "x" * 500), finish("a\x1b[2Jb\nc")]
    with programmer(script) as simulator:
        _run(place, connection(simulator), on_event=steps.append)
    assert all(step.isprintable() and len(step) <= 160 for step in steps), steps
