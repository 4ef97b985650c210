"""The matrix of checks: a row for each check, a column for each profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_ohllm.evidence.attempts import Rate, Rates
from pytest_ohllm.model import CheckSummary, Outcome, Run, Stage
from pytest_ohllm.report.naming import check_name
from pytest_ohllm.report.page.records import Records
from pytest_ohllm.report.wording import seconds_text

MOST_PROFILES = 60
MOST_CHECKS = 400
WIDE = 6
"""Profiles above which the eye gets a sign and a number; all words stand there for a reader."""


@dataclass(frozen=True, slots=True)
class CheckCell:
    """One check of one profile; ``failure`` is the id of what explains it."""

    outcome: Outcome
    seconds: str
    mode: str
    count: str
    failure: str
    helped: bool
    known: str

    @property
    def words(self) -> str:
        """All of it, such as ``failed · 3/5 · native · 1.2 s``."""
        outcome = self.outcome.value.replace("_", " ")
        said = f"{outcome} with settings" if self.helped else outcome
        mode = self.mode and f"{self.mode} tools"
        parts = (said, self.known, self.count, mode, self.seconds)
        return " · ".join(part for part in parts if part)

    @property
    def short(self) -> str:
        """What fits below a sign: how often it passed, or else how long it took."""
        return self.count or self.seconds.removesuffix(" s")


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check; a cell is ``None`` where the profile was not asked."""

    id: str
    name: str
    cells: tuple[CheckCell | None, ...]


@dataclass(frozen=True, slots=True)
class CheckTable:
    """Rows by stage; what is too much is counted."""

    profiles: tuple[str, ...]
    stages: tuple[tuple[Stage, tuple[CheckRow, ...]], ...]
    profiles_left_out: int
    checks_left_out: int

    @property
    def wide(self) -> bool:
        """Whether there are so many profiles that cells must be small."""
        return len(self.profiles) > WIDE


def check_table(
    run: Run, records: Records, rates: Rates, failures: Mapping[tuple[str, str], str]
) -> CheckTable:
    """The table; ``failures`` maps profile and check to the id of what explains the outcome."""
    profiles = run.profiles[:MOST_PROFILES]
    found: dict[tuple[Stage, str], dict[str, CheckSummary]] = {}
    for profile in profiles:
        for check in profile.checks:
            found.setdefault((check.stage, check.id), {})[profile.name] = check
    rows: dict[Stage, list[CheckRow]] = {}
    names = [profile.name for profile in profiles]
    for stage, check_id in list(found)[:MOST_CHECKS]:
        by_profile = found[stage, check_id]
        cells: list[CheckCell | None] = []
        for name in names:
            key, one = (name, check_id), by_profile.get(name)
            mode, rate = records.modes.get(key, ""), rates.get(key, Rate())
            cells.append(_cell(one, mode, rate, failures.get(key, "")) if one else None)
        rows.setdefault(stage, []).append(CheckRow(check_id, check_name(check_id), tuple(cells)))
    return CheckTable(
        profiles=tuple(names),
        stages=tuple((stage, tuple(rows[stage])) for stage in Stage if stage in rows),
        profiles_left_out=len(run.profiles) - len(profiles),
        checks_left_out=max(0, len(found) - MOST_CHECKS),
    )


def _cell(check: CheckSummary, mode: str, rate: Rate, failure: str) -> CheckCell:
    ran = check.outcome is not Outcome.NOT_RUN
    remedy = check.diagnosis.remedy if check.diagnosis else None
    return CheckCell(
        outcome=check.outcome,
        seconds=seconds_text(check.seconds) if ran else "",
        mode=mode,
        count=str(rate) if rate.judged > 1 else "",
        failure=failure,
        helped=remedy is not None and check.outcome is Outcome.PASSED,
        known=check.known,
    )
