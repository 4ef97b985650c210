"""A run goes on as long as the process that writes it, whatever else is true."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_ohllm.evidence.liveness import YOUNG, Hold, last_activity, may_be_written, state

WRITER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
folder = RunFolder.create(Path(), Path(sys.argv[1]), datetime.now(UTC), Redactor())
folder.begin(datetime.now(UTC), [])
print("begun", flush=True)
time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "session.json").write_text("{}")
    return tmp_path


def test_a_run_is_running_until_its_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert state(path) == "running"
        assert may_be_written(path, now=time.time() + 10 * YOUNG), "however long nothing happens"
    finally:
        process.kill()
        process.communicate()
    assert state(path) == "interrupted"


def test_who_looks_does_not_disturb_who_writes(run: Path) -> None:
    hold = Hold(run)
    assert [state(run) for _ in range(50)] == ["running"] * 50
    hold.release()
    assert state(run) == "interrupted"
    hold.release()  # twice is once


def test_a_run_with_an_end_has_ended_whoever_holds_it(run: Path) -> None:
    hold = Hold(run)
    (run / "end.json").write_text("{}")

    assert state(run) == "finished"
    assert not may_be_written(run)
    hold.release()


def test_what_was_written_minutes_ago_is_left_alone_without_a_lock(run: Path) -> None:
    (run / "events.jsonl").touch()
    assert may_be_written(run)

    long_ago = time.time() - YOUNG - 1
    for name in ("events.jsonl", "session.json"):
        os.utime(run / name, (long_ago, long_ago))
    assert not may_be_written(run)
    assert last_activity(run) == pytest.approx(long_ago)


def test_an_empty_folder_is_no_running_run(tmp_path: Path) -> None:
    assert state(tmp_path) == "interrupted"
    assert last_activity(tmp_path) == 0
    Hold(tmp_path).release()
