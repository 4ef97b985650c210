"""What the page takes from the check folders beyond ``run.json``: tool modes and calls."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from pytest_ohllm.model import CheckResult, Exchange, Run
from pytest_ohllm.wire.reading import is_call, was_streamed

LARGEST_LINE = 20_000_000
"""Bytes of one recorded exchange; a longer line is counted by nobody's clock."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the model; times in seconds, ``first`` to the first byte of the answer."""

    check: str
    started: float
    seconds: float
    first: float | None
    status: int | None
    streamed: bool


@dataclass
class Records:
    """Tool modes by profile and check; calls by profile, in the order in which they were made."""

    modes: dict[tuple[str, str], str] = field(default_factory=dict)
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))


def read_records(path: Path, run: Run) -> Records:
    """The records of all checks of ``run`` in the folder at ``path``, as far as they are whole."""
    records = Records()
    for profile in run.profiles:
        for check in profile.checks:
            for folder in _attempts(path / check.folder):
                if mode := _tool_mode(folder / "result.json"):
                    records.modes[profile.name, check.id] = mode
                records.calls[profile.name] += _calls(folder / "exchanges.jsonl", check.id)
        records.calls[profile.name].sort(key=lambda call: call.started)
    return records


def _attempts(folder: Path) -> list[Path]:
    """All attempts of the check that has one of them in ``folder``."""
    first = folder.with_name(folder.name.partition("~try")[0])
    return [first, *sorted(folder.parent.glob(f"{_literal(first.name)}~try*"))]


def _literal(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def _tool_mode(path: Path) -> str:
    try:
        result = CheckResult.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return ""
    return result.tool_mode.value if result.tool_mode else ""


def _calls(path: Path, check: str) -> Iterator[Call]:
    try:
        with path.open("rb") as file:
            for line in file:
                if len(line) <= LARGEST_LINE and (call := _call(line, check)):
                    yield call
    except OSError:
        return


def _call(line: bytes, check: str) -> Call | None:
    try:
        exchange = Exchange.model_validate_json(line)
    except ValidationError:
        return None
    if not is_call(exchange):
        return None
    first = exchange.first_byte
    return Call(
        check=check,
        started=_finite(exchange.started),
        seconds=_finite(exchange.seconds),
        first=None if first is None else min(_finite(first), _finite(exchange.seconds)),
        status=exchange.status,
        streamed=was_streamed(exchange),
    )


def _finite(number: float) -> float:
    return number if math.isfinite(number) and number > 0 else 0.0
