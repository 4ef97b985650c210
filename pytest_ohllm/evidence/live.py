"""What a run that goes on has done so far, from its events."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_ohllm.model import Outcome, Usage

_MOST_AT_ONCE = 16 * 1024 * 1024


class EventTail:
    """Reads what is appended to ``events.jsonl``, each event once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events.jsonl"
        self._at = 0
        self._rest = b""

    def new(self) -> list[dict[str, Any]]:
        """The events since the last call; none while there is no file."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read(_MOST_AT_ONCE)
        except OSError:
            return []
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for line in lines if (event := _event(line))]


@dataclass
class RunningCheck:
    """A check that has begun: ``since`` in Unix time, ``calls`` as they went over the wire."""

    profile: str
    stage: str
    check: str
    since: float
    calls: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def spent(self) -> Usage:
        """What it has cost so far; a call whose usage is not known yet is counted all the same."""
        calls = max(self.calls, self.usage.llm_calls)
        return self.usage.model_copy(update={"llm_calls": calls})


@dataclass
class Tally:
    """The sum of the events so far; times are Unix times in seconds."""

    started: float | None = None
    latest: float | None = None
    done: list[tuple[str, str, Outcome]] = field(default_factory=list)
    running: dict[tuple[str, str], RunningCheck] = field(default_factory=dict)
    _spent: Usage = field(default_factory=Usage)

    def add(self, event: dict[str, Any]) -> None:
        """Count one event. What has another form than expected is left out."""
        time, name = event.get("time"), event.get("event")
        profile, check = event.get("profile"), event.get("check")
        if not isinstance(time, int | float) or not isinstance(profile, str):
            return
        if not isinstance(check, str):
            return
        self.started = time if self.started is None else min(self.started, time)
        self.latest = time if self.latest is None else max(self.latest, time)
        match name:
            case "started":
                # A profile's checks run one after the other: the one before died with its worker.
                self.running = {k: v for k, v in self.running.items() if k[0] != profile}
                stage = str(event.get("stage", ""))
                self.running[profile, check] = RunningCheck(profile, stage, check, time)
            case "exchange" if now := self.running.get((profile, check)):
                now.calls += 1
            case "spent" if now := self.running.get((profile, check)):
                now.usage += _usage(event)
            case "finished":
                self._finish(profile, check, event)

    def _finish(self, profile: str, check: str, event: dict[str, Any]) -> None:
        self.running.pop((profile, check), None)
        self._spent += _usage(event)
        with suppress(ValueError):
            self.done.append((profile, check, Outcome(str(event.get("outcome")))))

    @property
    def usage(self) -> Usage:
        """What the run has cost so far, as far as it is known."""
        return reduce(add, (check.spent for check in self.running.values()), self._spent)

    @property
    def current(self) -> RunningCheck | None:
        """The check that has been running for longest."""
        return min(self.running.values(), key=lambda check: check.since, default=None)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _usage(event: dict[str, Any]) -> Usage:
    try:
        return Usage.model_validate(event.get("usage") or {})
    except ValidationError:
        return Usage()
