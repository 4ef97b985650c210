"""The run folder: what a run leaves behind, written ahead so that a crash loses nothing.

::

    run.json                      the contract for other tools, written last
    summary.json                  its few lines that a list of many runs shows
    session.json                  written first: who is tested, when, where; locked while it runs
    allowances.json               failures that are known or waived, if any were named
    sdk.json                      the SDK's revision, once somebody has imported the SDK
    end.json                      how long it took; missing while it runs and after a crash
    events.jsonl                  what happened, in order, from all processes
    hosts/<host>.json             a host that did not answer: nobody asks it again in this run
    profiles/<profile>/gate.json  the stage that failed and thereby closed the later ones
    profiles/<profile>/remedy.json
    profiles/<profile>/<stage>/<check>[~try2]/
        started.json  transcript.json  exchanges.jsonl  log.txt  traceback.txt  stacks.txt
        result.json               written last: without it the check was interrupted

Everything is redacted before it is serialised, folders have mode 0700 and files 0600.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from pytest_ohllm.evidence.allowances import ALLOWANCES, Allowances
from pytest_ohllm.evidence.check_folder import CheckFolder, Redacts, json_document, json_line
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.files import append_line, create_file, make_folder, replace_file
from pytest_ohllm.evidence.liveness import Hold
from pytest_ohllm.evidence.run_summary import SUMMARY, summary_of
from pytest_ohllm.evidence.slug import slug
from pytest_ohllm.model import (
    SCHEMA_VERSION,
    Profile,
    Record,
    Remedy,
    Revision,
    Run,
    Stage,
)


class RunFolderError(RunError):
    """The run folder cannot be used; the message is one line for the user."""


class SessionRecord(Record):
    """``session.json``: what was asked for; ``started`` is UTC in ISO 8601."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    started: str
    profiles: tuple[Profile, ...]
    stages: tuple[Stage, ...] = tuple(Stage)
    host: dict[str, str] = Field(default_factory=dict)
    packages: dict[str, str] = Field(default_factory=dict)


class SdkRecord(Record):
    """``sdk.json``: which SDK was tested, and the versions of what it brings."""

    revision: Revision
    packages: dict[str, str] = Field(default_factory=dict)


class RunFolder:
    """One run's folder, shared by all processes of the run; constructing it touches no file."""

    def __init__(self, path: Path, redactor: Redacts) -> None:
        self.path = path.absolute()  # checks may change the working directory
        self._redactor = redactor
        self._hold: Hold | None = None

    @classmethod
    def create(
        cls, root: Path, explicit: Path | None, now: datetime, redactor: Redacts
    ) -> RunFolder:
        """A new folder ``<root>/.ohllm/runs/<UTC>-<6 hex>``, or exactly ``explicit``.

        Raises ``RunFolderError`` if it holds a run, is a file, or cannot be written.
        """
        try:
            path = _default_path(root, now) if explicit is None else explicit
            if (path / "run.json").exists() or (path / "session.json").exists():
                raise RunFolderError(f"run folder {path} already holds a run")
            make_folder(path)
            _prove_writable(path)
        except OSError as error:
            where = error.filename or explicit or root
            reason = error.strerror or error
            raise RunFolderError(f"run folder cannot be written: {where}: {reason}") from error
        return cls(path, redactor)

    def begin(
        self,
        now: datetime,
        profiles: Sequence[Profile],
        *,
        stages: Sequence[Stage] = tuple(Stage),
        host: Mapping[str, str] | None = None,
        packages: Mapping[str, str] | None = None,
    ) -> SessionRecord:
        """Write ``session.json``. Raises ``RunFolderError`` if another session was first."""
        record = SessionRecord(
            run_id=_run_id(self.path, now),
            started=now.astimezone(UTC).isoformat(timespec="seconds"),
            profiles=tuple(profiles),
            stages=tuple(stages),
            host=dict(host or {}),
            packages=dict(packages or {}),
        )
        if not create_file(self.path / "session.json", self._json(record)):
            raise RunFolderError(f"run folder {self.path} already holds a run")
        self._hold = Hold(self.path)
        return record

    def record_sdk(self, revision: Revision, packages: Mapping[str, str] | None = None) -> None:
        """Write ``sdk.json``; called by every process that imports the SDK, the first one wins."""
        record = SdkRecord(revision=revision, packages=dict(packages or {}))
        create_file(self.path / "sdk.json", self._json(record))

    def end(self, seconds: float) -> None:
        """Record that the session came to its end after ``seconds`` of wall-clock time."""
        replace_file(self.path / "end.json", self._json({"seconds": seconds}))
        if self._hold is not None:
            self._hold.release()

    def allow(self, allowances: Allowances) -> None:
        """Record which failures do not count, for all processes and all who read the run."""
        replace_file(self.path / ALLOWANCES, self._json(allowances))

    def write_run(self, run: Run) -> Path:
        """Write ``run.json`` and its summary, and return the path of the first."""
        path = self.path / "run.json"
        replace_file(path, self._json(run))
        replace_file(self.path / SUMMARY, self._json(summary_of(run.model_dump(mode="json"))))
        return path

    def check_folder(
        self, profile: str, stage: Stage, check_id: str, attempt: int = 1
    ) -> CheckFolder:
        """Where the evidence of one attempt of one check goes; created by its first write."""
        name = self._slug(check_id) + (f"~try{attempt}" if attempt > 1 else "")
        path = self._profile(profile) / stage.value / name
        identity = {"id": check_id, "profile": profile, "stage": stage.value, "attempt": attempt}
        return CheckFolder(path, identity, self._redactor)

    def close_gate(self, profile: str, stage: Stage, reason: str) -> bool:
        """Close the stages after ``stage``; of several processes the first one's reason stands."""
        path = self._profile(profile) / "gate.json"
        make_folder(path.parent)
        record = {"profile": profile, "stage": stage.value, "reason": reason}
        return create_file(path, self._json(record))

    def gate(self, profile: str) -> tuple[Stage, str] | None:
        """The stage that failed and why, or ``None`` while all stages may run."""
        try:
            record = json.loads((self._profile(profile) / "gate.json").read_bytes())
            return Stage(record["stage"]), str(record["reason"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # Only a full disk or a foreign hand leads here; a closed gate stays closed.
            return Stage.A, "the record of the failed stage (gate.json) cannot be read"

    def note_dead_host(self, host: str, summary: str) -> None:
        """Record for all workers that nothing answers at ``host`` (with its port)."""
        path = self._dead_host(host)
        make_folder(path.parent)
        create_file(path, self._json({"host": host, "summary": summary}))

    def dead_host(self, host: str) -> str | None:
        """Why nobody should ask ``host`` any more, if so."""
        try:
            return str(json.loads(self._dead_host(host).read_bytes())["summary"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _dead_host(self, host: str) -> Path:
        return self.path / "hosts" / f"{self._slug(host)}.json"

    def record_remedy(self, profile: str, remedy: Remedy) -> None:
        """Record the settings thanks to which the profile works."""
        path = self._profile(profile) / "remedy.json"
        make_folder(path.parent)
        replace_file(path, self._json({"profile": profile, **remedy.model_dump()}))

    def event(self, name: str, **facts: Any) -> None:
        """Append one line to ``events.jsonl``: the time (Unix, seconds), ``name`` and ``facts``."""
        record = {"time": time.time(), "event": name, **facts}
        append_line(self.path / "events.jsonl", json_line(record, self._redactor))

    def relative(self, folder: CheckFolder) -> str:
        """``folder`` as seen from the run folder, with forward slashes."""
        return folder.path.relative_to(self.path).as_posix()

    def _profile(self, profile: str) -> Path:
        return self.path / "profiles" / self._slug(profile)

    def _slug(self, name: str) -> str:
        return slug(name, shown=self._redactor.text(name))

    def _json(self, value: Any) -> bytes:
        return json_document(value, self._redactor)


def _run_id(path: Path, now: datetime) -> str:
    """The folder's own name where it was made by us, else a name in the same form."""
    stamp = _stamp(now)
    return path.name if path.name.startswith(stamp) else f"{stamp}-{secrets.token_hex(3)}"


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _default_path(root: Path, now: datetime) -> Path:
    home = root / ".ohllm"
    if make_folder(home):
        create_file(home / ".gitignore", b"*\n")
    make_folder(home / "runs")
    while (path := home / "runs" / f"{_stamp(now)}-{secrets.token_hex(3)}").exists():
        pass
    return path


def _prove_writable(path: Path) -> None:
    """Raise ``OSError`` unless a file can be made; asking for rights would not see a full disk."""
    probe = path / f".{secrets.token_hex(8)}.tmp"
    create_file(probe, b"")
    probe.unlink()
