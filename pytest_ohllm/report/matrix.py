"""The matrix: profiles by stages, and what was found. The single source of every view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_ohllm.evidence.verdict import breaks, worst
from pytest_ohllm.model import (
    Blame,
    CheckSummary,
    Diagnosis,
    Kind,
    Outcome,
    ProfileReport,
    Run,
    Stage,
    Verdict,
)
from pytest_ohllm.report.wording import command_text, cost_text, remedy_text, tokens_text

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    """One profile in one stage; ``outcome`` is the worst one, ``None`` if there is no check."""

    stage: Stage
    outcome: Outcome | None
    passed: int
    total: int

    @property
    def text(self) -> str:
        """``3/3``; ``not run`` behind a closed gate; ``-`` for a stage that was not selected."""
        if self.outcome is None:
            return NOTHING
        if self.outcome is Outcome.NOT_RUN and not self.passed:
            return "not run"
        return f"{self.passed}/{self.total}"


@dataclass(frozen=True, slots=True)
class Row:
    """One profile: its answer, its stages, and what the answer took."""

    profile: str
    model: str
    base_url: str | None
    verdict: Verdict
    reason: str
    cells: tuple[Cell, ...]
    tool_mode: str
    calls: int
    retries: int
    tokens: str
    cost: str
    seconds: float
    remedy: str | None
    why: str = ""
    """What fails without the remedy."""
    command: str = ""
    """How to keep the remedy, for a saved profile."""
    note: str = ""
    """Where the SDK could know this by itself."""

    @property
    def works(self) -> bool:
        """Whether the profile works, be it with other settings than its own."""
        return self.verdict in (Verdict.WORKS, Verdict.WORKS_WITH_SETTINGS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One root cause, and the checks of one profile in which it showed; the first is described."""

    profile: str
    stage: Stage
    checks: tuple[str, ...]
    outcome: Outcome
    kind: Kind
    blame: Blame
    summary: str
    next_step: str
    folder: str
    known: str = ""
    """Why it does not count for the exit code, if so."""

    @property
    def cause(self) -> str:
        """Kind and blame in words, such as ``model limitation, blame: model``."""
        kind = _words(self.kind.value)
        if self.blame in (Blame.UNKNOWN, Blame.ENVIRONMENT):
            return kind
        return f"{kind}, blame: {_words(self.blame.value)}"


@dataclass(frozen=True, slots=True)
class Matrix:
    """A run as it is shown."""

    run_id: str
    sdk: str
    seconds: float
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    healed: tuple[Finding, ...] = ()
    """What went wrong until settings were found with which it does not."""
    notes: tuple[str, ...] = ()
    """What became of waivers, and since when failures are known."""

    @classmethod
    def of(cls, run: Run) -> Matrix:
        """The matrix of ``run``."""
        return cls(
            run_id=run.run_id,
            sdk=_sdk(run),
            seconds=run.seconds,
            rows=tuple(_row(profile) for profile in run.profiles),
            findings=tuple(one for profile in run.profiles for one in _findings(profile)),
            healed=tuple(one for profile in run.profiles for one in _healed(profile)),
            notes=tuple(_notes(run)),
        )

    def found(self, row: Row) -> list[Finding]:
        """The findings of the profile in ``row``."""
        return [finding for finding in self.findings if finding.profile == row.profile]

    @property
    def headline(self) -> str:
        """The answer in a few words, such as ``sim WORKS`` or ``2 of 3 profiles work``."""
        if not self.rows:
            return "nothing was tested"
        if len(self.rows) == 1:
            return f"{self.rows[0].profile} {self.rows[0].verdict.value}"
        return f"{sum(row.works for row in self.rows)} of {len(self.rows)} profiles work"


def _notes(run: Run) -> Iterator[str]:
    """What the reader of a run must know of failures that do not count."""
    if run.baseline is not None:
        yield f"only what {run.baseline} did not fail already decides the exit code"
    for waiver in run.waivers:
        about = f"{waiver.check} of {waiver.profile}: {waiver.reason}"
        match waiver.state:
            case "expired":
                yield f"EXPIRED on {waiver.expires}, which fails the run: the waiver for {about}"
            case "used":
                yield f"waived until {waiver.expires}: {about}"
            case "unused":
                yield f"not needed: the waiver for {about}"


def _row(profile: ProfileReport) -> Row:
    return Row(
        profile=profile.name,
        model=profile.model,
        base_url=profile.base_url,
        verdict=profile.verdict,
        reason=profile.reason,
        cells=tuple(_cell(stage, profile.checks) for stage in Stage),
        tool_mode=profile.tool_mode.value if profile.tool_mode else NOTHING,
        calls=profile.usage.llm_calls,
        retries=profile.usage.retries,
        tokens=tokens_text(profile.usage),
        cost=cost_text(profile.usage),
        seconds=profile.seconds,
        remedy=remedy_text(profile.remedy) if profile.remedy else None,
        why=profile.remedy.summary if profile.remedy else "",
        command=command_text(profile.name, profile.remedy) if profile.remedy else "",
        note=profile.remedy.note if profile.remedy else "",
    )


def _cell(stage: Stage, checks: Iterable[CheckSummary]) -> Cell:
    outcomes = [check.outcome for check in checks if check.stage is stage]
    return Cell(
        stage=stage,
        outcome=worst(outcomes),
        passed=outcomes.count(Outcome.PASSED),
        total=len(outcomes),
    )


def _findings(profile: ProfileReport) -> list[Finding]:
    """What stands between ``profile`` and a clean answer; the same cause is one finding."""
    groups: dict[tuple[str, ...], list[CheckSummary]] = {}
    for check in profile.checks:
        if breaks(check) or check.outcome is Outcome.INCONCLUSIVE:
            groups.setdefault(_cause(check), []).append(check)
    return [_finding(profile.name, checks) for checks in groups.values()]


def _healed(profile: ProfileReport) -> list[Finding]:
    """The checks that pass thanks to a remedy."""
    return [
        _finding(profile.name, [check])
        for check in profile.checks
        if check.outcome is Outcome.PASSED and check.diagnosis and check.diagnosis.remedy
    ]


def _finding(profile: str, checks: Sequence[CheckSummary]) -> Finding:
    first = checks[0]
    diagnosis = _diagnosis(first)
    return Finding(
        profile=profile,
        stage=first.stage,
        checks=tuple(check.id for check in checks),
        outcome=first.outcome,
        kind=diagnosis.kind,
        blame=diagnosis.blame,
        summary=diagnosis.summary,
        next_step=diagnosis.next_step,
        folder=first.folder,
        known=first.known,
    )


def _diagnosis(check: CheckSummary) -> Diagnosis:
    return check.diagnosis or Diagnosis(
        kind=Kind.UNKNOWN,
        summary=check.reason or f"{check.id} {check.outcome.value} without a diagnosis",
        blame=Blame.UNKNOWN,
        next_step="look into the check's folder",
    )


_VARYING = re.compile(r"\b(?=[\w-]*\d)[\w-]{6,}\b")


def _cause(check: CheckSummary) -> tuple[str, ...]:
    """What two checks with the same root cause share; request ids and nonces do not count."""
    diagnosis = _diagnosis(check)
    return (
        check.outcome.value,
        diagnosis.kind.value,
        diagnosis.blame.value,
        _VARYING.sub("#", diagnosis.summary),
        check.known,
    )


def _words(name: str) -> str:
    """``sdk_gap`` as ``SDK gap``."""
    return name.replace("_", " ").replace("sdk", "SDK")


def _sdk(run: Run) -> str:
    """The SDK in a few words: version, revision, and whether its sources were changed."""
    if run.sdk.version is None:
        return "openhands-sdk not loaded"
    sha = f" {run.sdk.git_sha[:8]}" if run.sdk.git_sha else ""
    return f"openhands-sdk {run.sdk.version}{sha}{' (modified)' if run.sdk.dirty else ''}"
