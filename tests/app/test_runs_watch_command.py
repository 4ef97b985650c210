"""``ohllm runs watch``: a run that goes on is followed to its end, however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.app.terminal import typed
from tests.app.test_runs_command import RUNS
from tests.run_folders import leave_run

WRITER = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import CheckResult, Outcome, Profile, Stage, Usage
now = datetime.now(UTC)
folder = RunFolder.create(Path(), None, now, Redactor())
folder.begin(now, [Profile(name="gpt", settings={"model": "openai/gpt"})])
usage = Usage(llm_calls=2, prompt_tokens=1000, completion_tokens=234, cost=0.5)
for number in range(int(sys.argv[1])):
    where = {"profile": "gpt", "stage": Stage.A, "check": f"m::test_{number}"}
    check = folder.check_folder("gpt", Stage.A, f"m::test_{number}")
    check.start()
    folder.event("started", **where)
    print("begun", flush=True)
    time.sleep(float(sys.argv[2]))
    check.finish(CheckResult(id=f"m::test_{number}", node="n", profile="gpt", stage=Stage.A,
                             outcome=Outcome.PASSED, seconds=1, usage=usage))
    folder.event("finished", **where, outcome=Outcome.PASSED, seconds=1.0, usage=usage)
folder.end(3.0)
folder.write_run(read_run(folder.path))
"""


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts a process that writes a run in the current project; it is there on return."""
    monkeypatch.chdir(tmp_path)
    started: list[subprocess.Popen[str]] = []

    def start(checks: int, seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(checks), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_run_that_goes_on_is_followed_until_it_ends(writer: Any, ohllm: Any) -> None:
    writer(3, 0.4)

    done = ohllm("runs", "watch")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:3] == [f"A {n} (gpt): passed 1.0 s" for n in range(3)]
    assert "INCONCLUSIVE" in done.out.splitlines()[3], "and then the answer"


def test_a_program_gets_one_object_a_line(writer: Any, ohllm: Any) -> None:
    writer(2, 0.3)

    done = ohllm("runs", "watch", "last", "--json")

    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {line["schema_version"] for line in lines} == {1}
    checks = [line for line in lines if line["event"] == "check"]
    assert [check["check"] for check in checks] == ["m::test_0", "m::test_1"]
    assert checks[1].keys() == {
        *("schema_version", "event", "profile", "stage", "check", "outcome", "seconds"),
        *("running", "current", "done", "usage", "elapsed"),
    }
    assert checks[1]["usage"]["llm_calls"] == 4 and checks[1]["usage"]["cost"] == 1.0
    assert lines[-1].keys() == {"schema_version", "event", "state", "path"}
    assert lines[-1]["state"] == "finished"


def test_a_run_that_is_killed_ends_the_watch_and_says_so(writer: Any, ohllm: Any) -> None:
    process = writer(1, 60)
    threading.Timer(1.0, process.kill).start()

    done = ohllm("runs", "watch")

    assert done.code == 10
    assert done.err == "the run was interrupted; what it had found until then:\n"
    assert "gpt" in done.out and "INCONCLUSIVE" in done.out


def test_a_run_that_has_ended_is_told_at_once(
    ohllm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    leave_run(tmp_path / RUNS, {"gpt": "A+ B+ C+"})
    before = time.monotonic()

    done = ohllm("runs", "watch", "last")

    assert done.code == 0 and "✓ WORKS" in done.out
    assert time.monotonic() - before < 5


def test_on_a_terminal_there_is_a_status_line(writer: Any) -> None:
    writer(2, 1.5)

    said = typed(
        [sys.executable, "-c", "from pytest_ohllm.app.cli import main; main()", "runs", "watch"], ()
    )

    assert said.code == 0
    assert "A 0 (gpt) " in said.shown and "2 calls · 1.2k tokens · $0.50" in said.shown
    assert "\r\x1b[KA 0 (gpt): passed 1.0 s\n" in said.shown


def test_interrupting_the_watch_leaves_the_run_alone(writer: Any, tmp_path: Path) -> None:
    process = writer(1, 3)
    watch = subprocess.Popen(
        [sys.executable, "-c", "from pytest_ohllm.app.cli import main; main()", "runs", "watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5)
    watch.send_signal(2)
    _, err = watch.communicate(timeout=20)

    assert (watch.returncode, "Traceback" in err) == (130, False)
    assert process.wait(20) == 0
