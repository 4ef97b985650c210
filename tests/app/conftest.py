"""The command line, run in this process or in one of its own, over a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_ohllm.app import cli
from pytest_ohllm.sdk import environment

PROGRAM = "from pytest_ohllm.app.cli import main; main()"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Ohllm = Callable[..., Done]


@pytest.fixture(scope="session", autouse=True)
def _no_home_left() -> Iterator[None]:
    """The SDK runs in a throw-away home, which belongs to the process and goes with it."""
    yield
    environment.remove_home()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of profiles that every command of the test uses; it does not exist yet."""
    folder = tmp_path / "persistence" / "profiles"
    monkeypatch.setenv("LLM_PROFILES_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COLUMNS", raising=False)
    return folder


@pytest.fixture
def ohllm(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ohllm:
    """Run one command line in this process."""

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = cli.run(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def ohllm_process(folder: Path) -> Ohllm:
    """Run one command line in a process of its own."""

    def run(*arguments: str, **environ: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | environ,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
