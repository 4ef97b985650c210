"""What has been done about a cause, kept so that the next call goes on from there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.autofix.job import Cause, Row
from pytest_ohllm.evidence.files import make_folder, replace_file
from pytest_ohllm.model import SCHEMA_VERSION, Record

PLACE = "OHLLM_AUTOFIX_DIR"
"""Environment variable: the folder that holds one folder for each cause."""


class State(Record):
    """How far it has come; a step that is not here has not been done, or was interrupted.

    ``tree`` is the change as a tree of git: it is set when the agent has made it and the rules
    allow it, ``rows`` when it was proved, ``commit`` when it stands on its branch.
    """

    schema_version: int = SCHEMA_VERSION
    base: str = ""
    tree: str = ""
    rounds: int = 0
    rationale: str = ""
    rows: tuple[Row, ...] = ()
    proved: bool = False
    commit: str = ""
    url: str = ""
    cost: float = 0.0


class Folder:
    """Where everything about one cause is: outside of the run folder, and for its owner only."""

    def __init__(self, cause: Cause) -> None:
        self.path = _root() / f"{cause.source.run_id}-{cause.id}"
        self._file = self.path / "state.json"

    def read(self) -> State:
        """What was kept; an empty state if there is none that can be read."""
        try:
            return State.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return State()

    def keep(self, state: State) -> State:
        """Write ``state`` in one step, and give it back."""
        make_folder(self.path)
        replace_file(self._file, state.model_dump_json(indent=1).encode())
        return state

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process works here at a time. Raises AutofixError if another does."""
        make_folder(self.path)
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise AutofixError(
                f"another ohllm-autofix works on this cause, in {self.path}", "wait for it"
            ) from None
        try:
            yield
        finally:
            lock.release()


def archived_runs() -> Path:
    """Where runs go that were given as archives."""
    return _root() / "runs"


def _root() -> Path:
    if chosen := os.environ.get(PLACE):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "ohllm" / "autofix"
