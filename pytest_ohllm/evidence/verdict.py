"""From outcomes to an answer: the verdict on a profile and the exit code of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pytest_ohllm.model import (
    CheckResult,
    CheckSummary,
    Outcome,
    ProfileReport,
    Remedy,
    Run,
    Stage,
    ToolMode,
    Verdict,
)

MANDATORY = tuple(stage for stage in Stage if stage.mandatory)

WORST_FIRST = (
    Outcome.FAILED,
    Outcome.FLAKY,
    Outcome.INCONCLUSIVE,
    Outcome.NOT_RUN,
    Outcome.UNSUPPORTED,
    Outcome.PASSED,
)

EXIT_WORKS, EXIT_FAILED, EXIT_INCONCLUSIVE = 0, 1, 10


def worst(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The outcome that speaks for all; ``None`` if there is none."""
    return min(outcomes, key=WORST_FIRST.index, default=None)


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of a check from the outcomes of its attempts."""
    if {Outcome.PASSED, Outcome.FAILED} <= set(outcomes):
        return Outcome.FLAKY
    decided = [outcome for outcome in outcomes if outcome is not Outcome.NOT_RUN]
    return worst(decided) or Outcome.NOT_RUN


def breaks(check: CheckSummary | CheckResult) -> bool:
    """Whether the check alone shows that the profile does not do what the stage asks.

    "Not offered" is an answer in stage D; what a mandatory stage asks for cannot be missing.
    """
    if check.outcome is Outcome.UNSUPPORTED:
        return check.stage.mandatory
    return check.outcome in (Outcome.FAILED, Outcome.FLAKY)


def verdict(
    checks: Sequence[CheckSummary],
    *,
    selected: Collection[Stage] = tuple(Stage),
    remedy: Remedy | None = None,
) -> tuple[Verdict, str]:
    """The answer for one profile and the one-line reason for it."""
    mandatory = [check for check in checks if check.stage.mandatory]
    broken = [check for check in mandatory if breaks(check)]
    if broken:
        return Verdict.DOES_NOT_WORK, _because(broken)
    unclear = [check for check in mandatory if check.outcome is Outcome.INCONCLUSIVE]
    if unclear:
        return Verdict.INCONCLUSIVE, _because(unclear)
    if gaps := _gaps(mandatory, selected):
        return Verdict.INCONCLUSIVE, gaps
    extra = _advanced(checks)
    if remedy:
        return Verdict.WORKS_WITH_SETTINGS, f"works with {_settings(remedy)}{extra}"
    return Verdict.WORKS, f"{_stages(MANDATORY)} passed{extra}"


def tool_mode(results: Iterable[CheckResult]) -> ToolMode | None:
    """How tools were called in stage C; where both ways were needed, the one that is not native."""
    called = [result for result in results if result.stage is Stage.C and result.tool_mode]
    passed = [result for result in called if result.outcome is Outcome.PASSED]
    modes = {result.tool_mode for result in passed or called}
    return ToolMode.PROMPT if ToolMode.PROMPT in modes else next(iter(modes), None)


def exit_code(run: Run) -> int:
    """1 if a check failed, 10 if something could not be judged, 0 otherwise.

    A stage that was not selected is not a failure; a profile of which nothing ran says nothing.
    What is known or waived does not count, and a waiver that is too old is a failure.
    """
    counted = [c for profile in run.profiles for c in profile.checks if not c.known]
    if any(map(breaks, counted)) or any(waiver.state == "expired" for waiver in run.waivers):
        return EXIT_FAILED
    return EXIT_INCONCLUSIVE if any(map(_unjudged, run.profiles)) else EXIT_WORKS


def _unjudged(profile: ProfileReport) -> bool:
    return not profile.checks or any(
        check.outcome is Outcome.INCONCLUSIVE
        or (check.outcome is Outcome.NOT_RUN and check.stage.mandatory)
        for check in profile.checks
        if not check.known
    )


def _because(checks: Sequence[CheckSummary]) -> str:
    """The first of ``checks`` that speaks, and how many more there are."""
    first = checks[0]
    said = first.diagnosis.summary if first.diagnosis else first.reason
    more = f" (and {len(checks) - 1} more)" if len(checks) > 1 else ""
    return f"stage {first.stage}: {said or f'{first.id} {first.outcome}'}{more}"


def _gaps(mandatory: Sequence[CheckSummary], selected: Collection[Stage]) -> str:
    """Which mandatory stages were not judged, and why; empty if all were."""
    ran = {check.stage for check in mandatory}
    held = [check for check in mandatory if check.outcome is Outcome.NOT_RUN]
    unselected = [stage for stage in MANDATORY if stage not in ran and stage not in selected]
    missing = [stage for stage in MANDATORY if stage not in ran and stage in selected]
    parts = []
    if unselected:
        parts.append(f"{_stages(unselected)} {_was(unselected)} not selected")
    if missing:
        parts.append(f"{_stages(missing)} did not run")
    if held:
        why = next((f": {check.reason}" for check in held if check.reason), "")
        parts.append(f"{held[0].id} did not run{why}")
    return "; ".join(parts)


def _advanced(checks: Sequence[CheckSummary]) -> str:
    """What stage D adds to a good answer: the checks that failed there."""
    names = [_short(check.id) for check in checks if not check.stage.mandatory and breaks(check)]
    return f"; stage D failed: {', '.join(names)}" if names else ""


def _settings(remedy: Remedy) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in remedy.settings.items())


def _short(check_id: str) -> str:
    return check_id.rpartition("::")[2].removeprefix("test_")


def _stages(stages: Sequence[Stage]) -> str:
    if len(stages) == 1:
        return f"stage {stages[0]}"
    return f"stages {', '.join(stages)}"


def _was(stages: Sequence[Stage]) -> str:
    return "was" if len(stages) == 1 else "were"
