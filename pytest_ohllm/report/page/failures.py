"""Each failure as the page shows it: what was found, the field at fault, what to do, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.model import CheckSummary, Confidence, Outcome, ProfileReport
from pytest_ohllm.report.failing_request import Case, Pair, read_case
from pytest_ohllm.report.field_diff import ABSENT, Change
from pytest_ohllm.report.matrix import Finding
from pytest_ohllm.report.naming import check_name
from pytest_ohllm.report.page.evidence import exchange_title, pieces
from pytest_ohllm.report.page.room import Piece, Room
from pytest_ohllm.report.page.words import Words
from pytest_ohllm.report.started import rerun_command
from pytest_ohllm.report.wording import command_text, remedy_text

MOST_CHANGES = 12
LONGEST_VALUE = 1_500
_AROUND = 80
"""Characters that are kept before the place where two long texts begin to differ."""

_CONFIDENCE = {
    Confidence.EXPERIMENT: "shown by experiments",
    Confidence.CODE: "said by a code",
    Confidence.TEXT: "judged by words",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A row of the comparison, in words."""

    field: str
    failing: str
    working: str
    more: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The failing request beside one that works."""

    failing: str
    working: str
    changes: tuple[FieldChange, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Failure:
    """One root cause in one profile; ``healed`` if settings were found with which it is gone."""

    id: str
    finding: Finding
    checks: tuple[tuple[str, str], ...]
    more_checks: int
    confidence: str
    fields: tuple[str, ...]
    comparison: Comparison | None
    healed: bool
    settings: str
    command: str
    rerun: str
    autofix: str
    pieces: tuple[Piece, ...]
    left_out: str


_MOST_CHECKS = 20


def failure(
    number: int, finding: Finding, profile: ProfileReport, path: Path, words: Words, room: Room
) -> Failure:
    """The failure that ``finding`` stands for, with as much evidence as there is room for."""
    check = _check(profile, finding)
    diagnosis = check.diagnosis
    folder = path / check.folder
    case = read_case(folder)
    kept, left_out = room.fitting(pieces(case, diagnosis, folder, words))
    remedy = diagnosis.remedy if diagnosis else None
    return Failure(
        id=f"f{number}",
        finding=finding,
        checks=tuple((one, check_name(one)) for one in finding.checks[:_MOST_CHECKS]),
        more_checks=max(0, len(finding.checks) - _MOST_CHECKS),
        confidence=_CONFIDENCE[diagnosis.confidence] if diagnosis else "",
        fields=_fields(case, diagnosis.fields if diagnosis else ()),
        comparison=_comparison(case.pair, words) if case and case.pair else None,
        healed=finding.outcome is Outcome.PASSED,
        settings=remedy_text(remedy) if remedy else "",
        command=command_text(profile.name, remedy) if remedy else "",
        rerun=rerun_command(folder),
        autofix="an SDK fix can be proposed: ohllm-autofix"
        if diagnosis and diagnosis.autofix == "offered"
        else "",
        pieces=tuple(kept),
        left_out=left_out,
    )


def _check(profile: ProfileReport, finding: Finding) -> CheckSummary:
    return next(check for check in profile.checks if check.id == finding.checks[0])


def _fields(case: Case | None, named: Sequence[str]) -> tuple[str, ...]:
    return case.fields if case else tuple(named)


def _comparison(pair: Pair, words: Words) -> Comparison:
    rows = [_row(change, words) for change in pair.changes[:MOST_CHANGES]]
    return Comparison(
        failing=exchange_title(pair.failing),
        working=f"{exchange_title(pair.working)} ({pair.change})",
        changes=tuple(rows),
        left_out=len(pair.changes) - len(rows),
    )


def _row(change: Change, words: Words) -> FieldChange:
    failing, working = _shown(change.failing), _shown(change.working)
    start = _same_start(failing, working)
    if start > 2 * _AROUND:  # what differs must be seen, however long what is the same
        failing, working = (f"…{text[start - _AROUND :]}" for text in (failing, working))
    return FieldChange(
        field=words.line(change.field, 300),
        failing=words.block(failing, LONGEST_VALUE),
        working=words.block(working, LONGEST_VALUE),
        more=change.more,
    )


def _shown(value: object) -> str:
    if value is ABSENT:
        return "(not sent)"
    return json.dumps(value, ensure_ascii=False, indent=1 if _is_large(value) else None)


def _is_large(value: object) -> bool:
    return isinstance(value, dict | list) and len(str(value)) > 100


def _same_start(one: str, other: str) -> int:
    for index, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return index
    return min(len(one), len(other))
