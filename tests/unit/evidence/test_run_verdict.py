"""The verdict on a profile and the exit code of a run, by truth table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_ohllm.evidence.verdict import exit_code, merged, tool_mode, verdict, worst
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    CheckSummary,
    Diagnosis,
    Kind,
    Outcome,
    ProfileReport,
    Remedy,
    Revision,
    Run,
    Stage,
    ToolMode,
    Usage,
    Verdict,
)

SYMBOLS = {
    "+": Outcome.PASSED,
    "x": Outcome.FAILED,
    "~": Outcome.FLAKY,
    "u": Outcome.UNSUPPORTED,
    "?": Outcome.INCONCLUSIVE,
    "-": Outcome.NOT_RUN,
}
PROMPT_ONLY = Remedy(settings={"native_tool_calling": False}, summary="use the prompt's format")


def checks(picture: str, said: str = "it said so") -> list[CheckSummary]:
    """Checks from a picture such as ``A++ B+ Cx``."""
    return [
        CheckSummary(
            id=f"suite::test_{word[0].lower()}{number}",
            stage=Stage(word[0]),
            outcome=SYMBOLS[symbol],
            seconds=1.0,
            llm_calls=1,
            folder="",
            diagnosis=None
            if symbol == "+"
            else Diagnosis(kind=Kind.UNKNOWN, summary=said, blame=Blame.UNKNOWN, next_step=""),
        )
        for word in picture.split()
        for number, symbol in enumerate(word[1:], 1)
    ]


def run_of(*pictures: str) -> Run:
    profiles = []
    for picture in pictures:
        answer, reason = verdict(checks(picture))
        profiles.append(
            ProfileReport(
                name="p",
                model="m",
                base_url=None,
                verdict=answer,
                reason=reason,
                tool_mode=None,
                checks=tuple(checks(picture)),
                usage=Usage(),
                seconds=1.0,
            )
        )
    return Run(
        run_id="r",
        started="s",
        seconds=1.0,
        sdk=Revision(version=None, path=None),
        host={},
        packages={},
        profiles=tuple(profiles),
    )


@pytest.mark.parametrize(
    ("picture", "expected", "code"),
    [
        ("A+ B+ C+", Verdict.WORKS, 0),
        ("A++ B+ C++ D+", Verdict.WORKS, 0),
        ("A+ B+ C+ Du", Verdict.WORKS, 0),
        ("A+ B+ C+ Dx", Verdict.WORKS, 1),
        ("A+ B+ C+ D~", Verdict.WORKS, 1),
        ("A+ B+ C+ D?", Verdict.WORKS, 10),
        ("A+ B+ C+ D-", Verdict.WORKS, 0),
        ("A+ B+ C+x", Verdict.DOES_NOT_WORK, 1),
        ("A+ B+ C~", Verdict.DOES_NOT_WORK, 1),
        ("A+ B+ Cu", Verdict.DOES_NOT_WORK, 1),
        ("Ax B- C-", Verdict.DOES_NOT_WORK, 1),
        ("A?x B- C-", Verdict.DOES_NOT_WORK, 1),
        ("A? B- C-", Verdict.INCONCLUSIVE, 10),
        ("A+ B+ C+?", Verdict.INCONCLUSIVE, 10),
        ("A+ B+ C+-", Verdict.INCONCLUSIVE, 10),
        ("A+ B+", Verdict.INCONCLUSIVE, 0),
        ("C+", Verdict.INCONCLUSIVE, 0),
        ("D+", Verdict.INCONCLUSIVE, 0),
        ("Dx", Verdict.INCONCLUSIVE, 1),
        ("", Verdict.INCONCLUSIVE, 10),
    ],
)
def test_outcomes_decide_verdict_and_exit_code(picture: str, expected: Verdict, code: int) -> None:
    assert verdict(checks(picture))[0] is expected
    assert exit_code(run_of(picture)) == code


def test_one_failing_profile_fails_the_run_and_an_unclear_one_is_weaker() -> None:
    assert exit_code(run_of("A+ B+ C+", "A? B- C-", "Ax B- C-")) == 1
    assert exit_code(run_of("A+ B+ C+", "A? B- C-")) == 10
    assert exit_code(run_of("A+ B+ C+", "A+ B+ C+")) == 0


class TestReasons:
    def test_stages_that_were_not_selected_are_named(self) -> None:
        answer, reason = verdict(checks("C+"), selected=[Stage.C])
        assert (answer, reason) == (Verdict.INCONCLUSIVE, "stages A, B were not selected")

    def test_a_selected_stage_without_checks_did_not_run(self) -> None:
        _, reason = verdict(checks("A+ B+"), selected=[Stage.A, Stage.B, Stage.C])
        assert reason == "stage C did not run"

    def test_a_failure_speaks_with_its_diagnosis(self) -> None:
        _, reason = verdict(checks("A+ B+ Cxx", said="no tool was called"))
        assert reason == "stage C: no tool was called (and 1 more)"

    def test_an_inconclusive_check_explains_the_verdict(self) -> None:
        _, reason = verdict(checks("A? B- C-", said="the key is refused"))
        assert reason == "stage A: the key is refused"

    def test_failures_of_stage_d_are_named_beside_a_good_verdict(self) -> None:
        _, reason = verdict(checks("A+ B+ C+ D+xx"))
        assert reason == "stages A, B, C passed; stage D failed: d2, d3"

    def test_settings_that_make_it_work_are_spelled_out(self) -> None:
        answer, reason = verdict(checks("A+ B+ C+"), remedy=PROMPT_ONLY)
        assert answer is Verdict.WORKS_WITH_SETTINGS
        assert reason == "works with native_tool_calling=False"

    def test_a_remedy_does_not_excuse_a_failure(self) -> None:
        assert verdict(checks("A+ B+ Cx"), remedy=PROMPT_ONLY)[0] is Verdict.DOES_NOT_WORK


class TestToolMode:
    @pytest.mark.parametrize(
        ("seen", "expected"),
        [
            ([("C", "+", "native")], ToolMode.NATIVE),
            ([("C", "+", "prompt"), ("C", "+", "native")], ToolMode.PROMPT),
            ([("C", "x", "native"), ("C", "+", "prompt")], ToolMode.PROMPT),
            ([("C", "x", "prompt"), ("C", "+", "native")], ToolMode.NATIVE),
            ([("C", "x", "native")], ToolMode.NATIVE),
            ([("B", "+", "native"), ("C", "-", None)], None),
            ([], None),
        ],
    )
    def test_stage_c_tells_how_tools_are_called(
        self,
        result: Callable[..., CheckResult],
        seen: list[tuple[str, str, str | None]],
        expected: ToolMode | None,
    ) -> None:
        results = [
            result(stage, outcome=SYMBOLS[symbol], tool_mode=mode) for stage, symbol, mode in seen
        ]
        assert tool_mode(results) is expected


class TestAttempts:
    @pytest.mark.parametrize(
        ("seen", "expected"),
        [
            ("+++", "+"),
            ("+x+", "~"),
            ("xxx", "x"),
            ("+?", "?"),
            ("x?", "x"),
            ("+-", "+"),
            ("--", "-"),
        ],
    )
    def test_attempts_of_one_check_become_one_outcome(self, seen: str, expected: str) -> None:
        assert merged([SYMBOLS[symbol] for symbol in seen]) is SYMBOLS[expected]

    def test_nothing_has_no_worst_outcome(self) -> None:
        assert worst([]) is None
