"""Failures that do not count: those that a baseline had already, and those that are waived.

Verdicts and outcomes stay what they are. What is allowed is said beside it, and only the exit code
leaves it out. ``allowances.json`` in the run folder holds all it takes, the day included, so that
a run says the same whenever it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from pytest_ohllm.evidence.verdict import breaks
from pytest_ohllm.model import (
    SCHEMA_VERSION,
    CheckResult,
    CheckSummary,
    Kind,
    Outcome,
    Record,
    Run,
    Stage,
    Waiver,
)

ALLOWANCES = "allowances.json"

type Trouble = Literal["broken", "inconclusive", "not_run"]

_COVERS: Mapping[Trouble, tuple[Trouble, ...]] = {
    "broken": ("broken", "inconclusive", "not_run"),
    "inconclusive": ("inconclusive", "not_run"),
    "not_run": ("not_run",),
}
"""What a check may do now, by what it did in the baseline: nothing worse."""


class Known(Record):
    """What was wrong with a check in the baseline."""

    trouble: Trouble
    kind: Kind | None = None


class Allowances(Record):
    """What does not count; ``known`` by profile and check, ``today`` in ISO 8601."""

    schema_version: int = SCHEMA_VERSION
    today: str
    baseline: str | None = None
    known: dict[str, dict[str, Known]] = Field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()

    def excuse(self, profile: str, check: CheckSummary | CheckResult) -> str:
        """Why the trouble with ``check`` does not count, as one sentence; empty if it does."""
        if (trouble := trouble_with(check)) is None:
            return ""
        before = self.known.get(profile, {}).get(check.id)
        if before is not None and trouble in _COVERS[before.trouble]:
            kind = check.diagnosis.kind if check.diagnosis else None
            other = f", then as {_words(before.kind)}" if before.kind not in (None, kind) else ""
            return f"known since {self.baseline}{other}"
        for waiver in self.waivers:
            if _matches(waiver, profile, check.id) and not self._is_expired(waiver):
                return f"waived until {waiver.expires}: {waiver.reason}"
        return ""

    def applied(self, profile: str, checks: Sequence[CheckSummary]) -> tuple[CheckSummary, ...]:
        """The checks of a profile, each with why it does not count.

        What did not run behind a failure that does not count, does not count either.
        """
        said = [check.model_copy(update={"known": self.excuse(profile, check)}) for check in checks]
        ran = [one for one in said if one.known and one.outcome is not Outcome.NOT_RUN]
        first = min((one.stage for one in ran), default=None)
        return tuple(
            check.model_copy(update={"known": _behind(first)})
            if first and not check.known and _is_behind(check, first)
            else check
            for check in said
        )

    def states(self, checks: Mapping[str, Sequence[CheckSummary]]) -> tuple[Waiver, ...]:
        """The waivers that are for ``checks``' profiles, and what became of each."""
        found = []
        for waiver in self.waivers:
            if any(fnmatchcase(profile, waiver.profile) for profile in checks):
                state = self._state(waiver, checks)
                found.append(waiver.model_copy(update={"state": state}))
        return tuple(found)

    def _state(
        self, waiver: Waiver, checks: Mapping[str, Sequence[CheckSummary]]
    ) -> Literal["used", "unused", "expired"]:
        meant = [
            check
            for profile, all_checks in checks.items()
            for check in all_checks
            if _matches(waiver, profile, check.id)
        ]
        if meant and self._is_expired(waiver):
            return "expired"
        sentence = f"waived until {waiver.expires}: {waiver.reason}"
        return "used" if any(check.known == sentence for check in meant) else "unused"

    def _is_expired(self, waiver: Waiver) -> bool:
        return waiver.expires < self.today


def allowances(today: date, baseline: Run | None, waivers: Iterable[Waiver]) -> Allowances:
    """What does not count today, by a run that is known and by waivers."""
    known: dict[str, dict[str, Known]] = {}
    for profile in baseline.profiles if baseline else ():
        for check in profile.checks:
            if trouble := trouble_with(check):
                kind = check.diagnosis.kind if check.diagnosis else None
                known.setdefault(profile.name, {})[check.id] = Known(trouble=trouble, kind=kind)
    return Allowances(
        today=today.isoformat(),
        baseline=baseline.run_id if baseline else None,
        known=known,
        waivers=tuple(waivers),
    )


def trouble_with(check: CheckSummary | CheckResult) -> Trouble | None:
    """What keeps ``check`` from being good news, if anything does."""
    if breaks(check):
        return "broken"
    if check.outcome is Outcome.INCONCLUSIVE:
        return "inconclusive"
    return "not_run" if check.outcome is Outcome.NOT_RUN else None


def _matches(waiver: Waiver, profile: str, check: str) -> bool:
    return fnmatchcase(profile, waiver.profile) and fnmatchcase(check, waiver.check)


def _is_behind(check: CheckSummary, stage: Stage) -> bool:
    return check.outcome is Outcome.NOT_RUN and check.stage > stage


def _behind(stage: Stage) -> str:
    return f"behind stage {stage}, whose failure is known or waived"


def _words(kind: Kind | None) -> str:
    return kind.value.replace("_", " ") if kind else ""
