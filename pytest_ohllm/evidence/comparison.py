"""What changed between two runs, or differs between two profiles: check by check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_ohllm.evidence.attempts import Rate, Rates
from pytest_ohllm.evidence.statistics import SIGNIFICANT, fisher, sign_test
from pytest_ohllm.evidence.verdict import breaks
from pytest_ohllm.model import CheckSummary, Outcome, ProfileReport, Run, Stage, Usage, Verdict


class Change(StrEnum):
    """What became of one check, the worst first."""

    BROKEN = "broken"  # did not fail before
    RARER = "passes less often"
    CAUSE = "fails for another reason"
    CHANGED = "changed"  # neither side fails, or it was not judged
    REMOVED = "only before"
    ADDED = "only after"
    OFTENER = "passes more often"
    FIXED = "fixed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Side:
    """One check in one of the two; ``rate`` is known where it was tried."""

    outcome: Outcome
    fails: bool
    summary: str
    kind: str | None
    rate: Rate
    seconds: float
    llm_calls: int


@dataclass(frozen=True, slots=True)
class CheckChange:
    """One check in both; ``chance`` is how likely the difference is by chance, with repeats."""

    id: str
    stage: Stage
    change: Change
    before: Side | None
    after: Side | None
    chance: float | None = None

    @property
    def by_chance(self) -> bool:
        """Whether the attempts are too few to tell the difference from luck."""
        return self.chance is not None and self.chance > SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Whole:
    """A profile as a whole in one of the two."""

    profile: str
    model: str
    verdict: Verdict
    reason: str
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """One profile in both, or two profiles of a run."""

    before: Whole
    after: Whole
    checks: tuple[CheckChange, ...]

    @property
    def changed(self) -> list[CheckChange]:
        """The checks that are not the same, the worst first."""
        order = list(Change)
        found = [check for check in self.checks if check.change is not Change.SAME]
        return sorted(found, key=lambda check: order.index(check.change))

    @property
    def broken(self) -> int:
        """How many checks fail that did not."""
        return sum(check.change is Change.BROKEN for check in self.checks)

    @property
    def fixed(self) -> int:
        """How many checks pass that failed."""
        return sum(check.change is Change.FIXED for check in self.checks)

    @property
    def chance(self) -> float:
        """How likely it is by chance that the checks differ in one direction so often."""
        return sign_test(self.broken, self.fixed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs; the profiles that only one of them has are named."""

    before: str
    after: str
    sdk_before: str | None
    sdk_after: str | None
    profiles: tuple[ProfileChange, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    @property
    def broken(self) -> int:
        """How many checks fail that did not."""
        return sum(profile.broken for profile in self.profiles)


def compare_runs(before: Run, after: Run, rates_before: Rates, rates_after: Rates) -> Comparison:
    """What changed from one run to another, for each profile that both have."""
    old = {profile.name: profile for profile in before.profiles}
    new = {profile.name: profile for profile in after.profiles}
    return Comparison(
        before=before.run_id,
        after=after.run_id,
        sdk_before=before.sdk.version,
        sdk_after=after.sdk.version,
        profiles=tuple(
            compare_profiles(old[name], profile, rates_before, rates_after)
            for name, profile in new.items()
            if name in old
        ),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
    )


def compare_within(run: Run, one: str, other: str, rates: Rates) -> Comparison:
    """How two profiles of a run differ. Raises ``KeyError`` for a profile that it does not have."""
    profiles = {profile.name: profile for profile in run.profiles}
    difference = compare_profiles(profiles[one], profiles[other], rates, rates)
    version = run.sdk.version
    return Comparison(run.run_id, run.run_id, version, version, (difference,))


def compare_profiles(
    before: ProfileReport, after: ProfileReport, rates_before: Rates, rates_after: Rates
) -> ProfileChange:
    """What changed from one profile to the other, check by check, in the order of stages."""
    old = {check.id: _side(check, before.name, rates_before) for check in before.checks}
    new = {check.id: _side(check, after.name, rates_after) for check in after.checks}
    stages = {check.id: check.stage for check in (*before.checks, *after.checks)}
    return ProfileChange(
        before=_whole(before),
        after=_whole(after),
        checks=tuple(
            _change(name, stages[name], old.get(name), new.get(name))
            for name in _in_order(before.checks, after.checks)
        ),
    )


def _in_order(before: Sequence[CheckSummary], after: Sequence[CheckSummary]) -> Iterable[str]:
    known = {check.id for check in after}
    gone = [check for check in before if check.id not in known]
    return dict.fromkeys(c.id for c in sorted((*after, *gone), key=lambda check: check.stage))


def _change(name: str, stage: Stage, before: Side | None, after: Side | None) -> CheckChange:
    if before is None or after is None:
        return CheckChange(name, stage, Change.ADDED if after else Change.REMOVED, before, after)
    chance = None
    old, new = before.rate, after.rate
    if old.judged and new.judged and max(old.judged, new.judged) > 1:
        chance = fisher(old.passed, old.judged, new.passed, new.judged)
    return CheckChange(name, stage, _kind(before, after, chance), before, after, chance)


def _kind(before: Side, after: Side, chance: float | None) -> Change:
    if after.fails and not before.fails:
        return Change.BROKEN
    if before.fails and after.outcome is Outcome.PASSED:
        return Change.FIXED
    if chance is not None and chance <= SIGNIFICANT:
        less = after.rate.passed * before.rate.judged < before.rate.passed * after.rate.judged
        return Change.RARER if less else Change.OFTENER
    if before.fails and after.fails and before.kind != after.kind:
        return Change.CAUSE
    return Change.SAME if before.outcome is after.outcome else Change.CHANGED


def _side(check: CheckSummary, profile: str, rates: Rates) -> Side:
    diagnosis = check.diagnosis
    return Side(
        outcome=check.outcome,
        fails=breaks(check),
        summary=diagnosis.summary if diagnosis else check.reason or "",
        kind=diagnosis.kind.value if diagnosis else None,
        rate=rates.get((profile, check.id), Rate()),
        seconds=check.seconds,
        llm_calls=check.llm_calls,
    )


def _whole(profile: ProfileReport) -> Whole:
    return Whole(
        profile=profile.name,
        model=profile.model,
        verdict=profile.verdict,
        reason=profile.reason,
        usage=profile.usage,
        seconds=profile.seconds,
    )
