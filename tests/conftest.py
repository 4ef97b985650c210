"""The harness: end-to-end tests run pytest in pytest, with the real SDK, against the simulator."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pytest_ohllm
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.model import CheckSummary, Run
from tests import secret_service

pytest_plugins = ["pytester"]

_OURS = ("OHLLM_", "OPENHANDS_", "LLM_", "OH_")

NO_GATES = "--llm-gates=none"
"""What the harness puts before a test's own arguments, of which the last one wins.

Stage D takes ten times as long as the others, and is the subject of few tests.
"""


def some_of(names: Iterable[str]) -> list[Any]:
    """Parameters for a test, of which every third is run each time, and all where all is wanted."""
    return [
        name if number % 3 == 0 else pytest.param(name, marks=pytest.mark.slow)
        for number, name in enumerate(names)
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless all of it is wanted."""
    if not os.environ.get("OHLLM_WHOLE_SUITE"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow: `nox -s whole` runs it"))


@dataclass(frozen=True)
class Result:
    """What one run of pytest left behind."""

    ret: int
    output: str
    folder: Path | None

    @property
    def run(self) -> Run:
        """The run as its folder tells it."""
        assert self.folder is not None, self.output
        return read_run(self.folder)

    def check(self, name: str, profile: str | None = None) -> CheckSummary:
        """The one check whose test function is called ``name``."""
        found = [
            check
            for one in self.run.profiles
            for check in one.checks
            if profile in (None, one.name) and check.id.endswith(f"::{name}")
        ]
        assert len(found) == 1, (name, [check.id for check in found], self.output)
        return found[0]

    def files(self, pattern: str) -> list[Path]:
        """Files of the run folder that match."""
        assert self.folder is not None, self.output
        return sorted(self.folder.glob(pattern))


class Compat:
    """Runs pytest in an empty project, in this process (fast) or in one of its own.

    The packaged checks of stage D are left out unless the arguments hold a ``--llm-gates``.
    """

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path

    def __call__(self, *arguments: str | Path) -> Result:
        """Run in this process, where the SDK is imported already."""
        return self.exactly(NO_GATES, *arguments)

    def exactly(self, *arguments: str | Path) -> Result:
        """The same with these arguments and no others, so with the plugin's defaults."""
        before = self._folders()
        result = self.pytester.runpytest_inprocess(*map(str, arguments))
        output = "\n".join([*result.outlines, *result.errlines])
        return Result(int(result.ret), output, self._new(before))

    def subprocess(
        self, *arguments: str | Path, env: dict[str, str] | None = None, timeout: float = 120
    ) -> Result:
        """Run in a process of its own, as a user does."""
        before = self._folders()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", NO_GATES, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.path,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout + done.stderr, self._new(before))

    def _folders(self) -> set[Path]:
        return set(self.path.glob(".ohllm/runs/*"))

    def _new(self, before: set[Path]) -> Path | None:
        new = sorted(self._folders() - before)
        return new[-1] if new else None


@pytest.fixture(scope="session")
def _imported() -> None:
    """Import everything once: pytester forgets what was first imported within a run of its own."""
    from pytest_ohllm.sdk import environment

    for module in pkgutil.walk_packages(pytest_ohllm.__path__, "pytest_ohllm."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    environment.load()


@pytest.fixture
def compat(_imported: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Compat:
    """pytest in an empty project, with an empty home and nothing of ours in the environment."""
    for name in list(os.environ):
        if name.startswith(_OURS) or name == "PYTEST_ADDOPTS":
            monkeypatch.delenv(name)
    # Between two tests of the run inside, this is sys.stderr, and an MCP server may be started.
    monkeypatch.setattr("_pytest.capture.CaptureIO.fileno", lambda _: 2)
    return Compat(pytester)


@pytest.fixture(scope="session")
def _bus() -> Iterator[str]:
    """A real keyring for the whole session."""
    with secret_service.running() as address:
        yield address


@pytest.fixture
def keyring(_bus: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real, unlocked keyring is what this process and its children find."""
    with secret_service.used(_bus, monkeypatch):
        yield
