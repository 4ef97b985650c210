"""Everything the page says about a run, in the order in which a reader needs it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.evidence.attempts import read_rates
from pytest_ohllm.model import Outcome, ProfileReport, Run
from pytest_ohllm.report.matrix import Finding, Matrix, Row
from pytest_ohllm.report.page.checks import CheckTable, check_table
from pytest_ohllm.report.page.failures import Failure, failure
from pytest_ohllm.report.page.history import SinceLast, since_last
from pytest_ohllm.report.page.records import read_records
from pytest_ohllm.report.page.room import Room, counted
from pytest_ohllm.report.page.timings import Timing, timings
from pytest_ohllm.report.page.words import Words

MOST_FAILURES = 200
MOST_PROFILES = 500


@dataclass(frozen=True, slots=True)
class ProfilePart:
    """One profile: its row of the matrix, and what there is to explain about it."""

    id: str
    row: Row
    failures: tuple[Failure, ...]
    last: SinceLast | None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields at fault, the first failure's."""
        return next((one.fields for one in self.failures if one.fields), ())

    @property
    def explained(self) -> bool:
        """Whether there is more to say than that it works."""
        return bool(self.failures or self.row.remedy or not self.row.works)


@dataclass(frozen=True, slots=True)
class Page:
    """A run as the page shows it."""

    run: Run
    matrix: Matrix
    folder: str
    profiles: tuple[ProfilePart, ...]
    profiles_left_out: int
    failures_left_out: int
    evidence_left_out: str
    checks: CheckTable
    timings: tuple[Timing, ...]
    since: tuple[SinceLast, ...]


def page_content(path: Path, run: Run, words: Words) -> Page:
    """What the page of ``run`` says; its evidence is in the folder at ``path``."""
    matrix = Matrix.of(run)
    rates = read_rates(path)
    history = since_last(path, run, rates)
    findings = [(one, found) for one in run.profiles for found in _findings(matrix, one)]
    room = Room(min(len(findings), MOST_FAILURES))
    by_profile: dict[str, list[Failure]] = {}
    links: dict[tuple[str, str], str] = {}
    for number, (profile, finding) in enumerate(_fair(findings), 1):
        made = failure(number, finding, profile, path, words, room)
        by_profile.setdefault(profile.name, []).append(made)
        for check in finding.checks:
            links.setdefault((profile.name, check), made.id)
    records = read_records(path, run)
    shown = matrix.rows[:MOST_PROFILES]
    return Page(
        run=run,
        matrix=matrix,
        folder=path.name,
        profiles=tuple(
            ProfilePart(
                f"p{number}",
                row,
                tuple(by_profile.get(row.profile, ())),
                history.get(row.profile),
            )
            for number, row in enumerate(shown, 1)
        ),
        profiles_left_out=len(matrix.rows) - len(shown),
        failures_left_out=max(0, len(findings) - MOST_FAILURES),
        evidence_left_out=counted(room.left_out),
        checks=check_table(run, records, rates, links),
        timings=timings(run, records)[:MOST_PROFILES],
        since=tuple(history.values()),
    )


def _fair(
    findings: list[tuple[ProfileReport, Finding]],
) -> list[tuple[ProfileReport, Finding]]:
    """As many as can be shown, in their order: the first ones of each profile."""
    seen: Counter[str] = Counter()
    ranks = []
    for index, (profile, _) in enumerate(findings):
        ranks.append((seen[profile.name], index))
        seen[profile.name] += 1
    return [
        findings[index] for index in sorted(index for _, index in sorted(ranks)[:MOST_FAILURES])
    ]


def _findings(matrix: Matrix, profile: ProfileReport) -> list[Finding]:
    """What is wrong first, then what only settings made right."""
    found = [one for one in (*matrix.findings, *matrix.healed) if one.profile == profile.name]
    return sorted(found, key=lambda one: one.outcome is Outcome.PASSED)
