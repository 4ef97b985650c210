"""The matrix says what the run says, once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from pytest_ohllm.model import (
    Blame,
    CheckSummary,
    Diagnosis,
    Kind,
    Outcome,
    ProfileReport,
    Remedy,
    Revision,
    Run,
    Stage,
    Usage,
    Verdict,
)
from pytest_ohllm.report.matrix import Matrix
from pytest_ohllm.report.wording import cost_text, seconds_text, tokens_text

type Make[T] = Callable[..., T]


@pytest.mark.parametrize(
    ("picture", "texts", "worst"),
    [
        ("A+++", ["3/3", "-", "-", "-"], Outcome.PASSED),
        ("A++x B- C--", ["2/3", "not run", "not run", "-"], Outcome.FAILED),
        ("A+-", ["1/2", "-", "-", "-"], Outcome.NOT_RUN),
        ("A?", ["0/1", "-", "-", "-"], Outcome.INCONCLUSIVE),
        ("A+ D+u", ["1/1", "-", "-", "1/2"], Outcome.PASSED),
    ],
)
def test_cells_count_what_passed(
    run: Make[Run], profile: Make[ProfileReport], picture: str, texts: list[str], worst: Outcome
) -> None:
    (row,) = Matrix.of(run(profile(picture=picture))).rows
    assert [cell.text for cell in row.cells] == texts
    assert row.cells[0].outcome is worst


def test_a_row_holds_the_answer_and_what_it_took(
    run: Make[Run], profile: Make[ProfileReport]
) -> None:
    (row,) = Matrix.of(run(profile("sim"))).rows
    assert (row.profile, row.verdict, row.works) == ("sim", Verdict.WORKS, True)
    assert (row.tool_mode, row.calls, row.tokens, row.cost) == ("native", 9, "12.3k", "$0.0123")


def test_settings_that_help_are_written_as_code(
    run: Make[Run], profile: Make[ProfileReport]
) -> None:
    remedy = Remedy(settings={"native_tool_calling": False, "temperature": None}, summary="")
    (row,) = Matrix.of(run(profile(remedy=remedy))).rows
    assert row.remedy == "LLM(..., native_tool_calling=False, temperature=None)"
    assert row.works


class TestFindings:
    def test_one_cause_in_several_checks_is_one_finding(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        (finding,) = Matrix.of(run(profile(picture="A+ B+ Cx+x"))).findings
        assert finding.checks == ("suite.test_c::test_1", "suite.test_c::test_3")
        assert (finding.stage, finding.folder) == (Stage.C, "profiles/C/1")
        assert finding.cause == "model limitation, blame: model"

    def test_request_ids_do_not_make_two_causes_of_one(
        self, run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis]
    ) -> None:
        def checks(summaries: list[str]) -> tuple[CheckSummary, ...]:
            return tuple(
                check.model_copy(update={"diagnosis": diagnosis(summary)})
                for check, summary in zip(profile(picture="Axx").checks, summaries, strict=True)
            )

        same = checks(["HTTP 500 (request req_8f3a91c)", "HTTP 500 (request req_0b77d2e)"])
        other = checks(["HTTP 500", "HTTP 529"])
        merged = profile().model_copy(update={"checks": same})
        apart = profile().model_copy(update={"checks": other})
        assert len(Matrix.of(run(merged)).findings) == 1
        assert len(Matrix.of(run(apart)).findings) == 2

    def test_profiles_with_the_same_cause_each_have_their_finding(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        matrix = Matrix.of(run(profile("one", "Ax"), profile("two", "Ax")))
        assert [finding.profile for finding in matrix.findings] == ["one", "two"]
        assert [finding.profile for finding in matrix.found(matrix.rows[1])] == ["two"]

    def test_what_passed_or_did_not_run_is_no_finding(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        matrix = Matrix.of(run(profile(picture="A+ B- C- Du")))
        assert matrix.findings == ()

    def test_something_mandatory_that_is_not_offered_is_a_finding(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        (finding,) = Matrix.of(run(profile(picture="A+ B+ Cu"))).findings
        assert finding.outcome is Outcome.UNSUPPORTED
        assert finding.summary == "suite.test_c::test_1 unsupported without a diagnosis"

    def test_blame_is_left_out_where_it_says_nothing(
        self, run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis]
    ) -> None:
        unknown = diagnosis(kind=Kind.UNKNOWN, blame=Blame.UNKNOWN)
        gap = diagnosis(kind=Kind.SDK_GAP, blame=Blame.SDK)
        causes = [
            Matrix.of(run(profile(picture="Ax", why=why))).findings[0].cause
            for why in (unknown, gap)
        ]
        assert causes == ["unknown", "SDK gap, blame: SDK"]


class TestHeadline:
    def test_one_profile_is_named_with_its_verdict(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        assert Matrix.of(run(profile("sim", "Ax"))).headline == "sim DOES NOT WORK"

    def test_several_profiles_are_counted(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        matrix = Matrix.of(run(profile("a"), profile("b", "Ax"), profile("c", "A?")))
        assert matrix.headline == "1 of 3 profiles work"

    def test_no_profile_is_said(self, run: Make[Run]) -> None:
        assert Matrix.of(run()).headline == "nothing was tested"

    @pytest.mark.parametrize(
        ("revision", "text"),
        [
            (Revision(version=None, path=None), "openhands-sdk not loaded"),
            (Revision(version="1.2", path=None), "openhands-sdk 1.2"),
            (
                Revision(version="1.2", path=None, git_sha="0123456789ab", dirty=True),
                "openhands-sdk 1.2 01234567 (modified)",
            ),
        ],
    )
    def test_the_sdk_is_identified(self, run: Make[Run], revision: Revision, text: str) -> None:
        assert Matrix.of(run(sdk=revision)).sdk == text


class TestNumbers:
    @pytest.mark.parametrize(
        ("calls", "cost", "text"),
        [
            (3, None, "unknown"),
            (0, None, "$0"),
            (3, 0.0, "$0"),
            (3, 0.01234, "$0.0123"),
            (3, 1234.5, "$1,234.50"),
        ],
    )
    def test_unknown_cost_is_not_zero(self, calls: int, cost: float | None, text: str) -> None:
        assert cost_text(Usage(llm_calls=calls, cost=cost)) == text

    def test_a_cost_below_what_is_shown_is_not_zero(self) -> None:
        assert cost_text(Usage(llm_calls=1, cost=0.00001)) == "<$0.0001"

    @pytest.mark.parametrize(
        ("calls", "prompt", "completion", "text"),
        [
            (0, None, None, "0"),
            (1, None, None, "unknown"),
            (1, 10, None, "10"),
            (1, 999, 0, "999"),
            (1, 1000, 0, "1.0k"),
            (1, 999_949, 0, "999.9k"),
            (1, 999_950, 0, "1.0M"),
            (1, 1_200_000, 34_000, "1.2M"),
        ],
    )
    def test_tokens_are_rounded(
        self, calls: int, prompt: int | None, completion: int | None, text: str
    ) -> None:
        usage = Usage(llm_calls=calls, prompt_tokens=prompt, completion_tokens=completion)
        assert tokens_text(usage) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0.0 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s"), (125.2, "2 min 05 s")],
    )
    def test_seconds_become_minutes(self, seconds: float, text: str) -> None:
        assert seconds_text(seconds) == text


def test_reports_load_neither_pytest_nor_the_sdk_nor_rich() -> None:
    script = (
        "import sys, pytest_ohllm.report.terminal, pytest_ohllm.report.html, "
        "pytest_ohllm.evidence.reader, pytest_ohllm.evidence.junit\n"
        "banned = {'pytest', '_pytest', 'openhands', 'pytest_html', 'rich', 'jinja2'}\n"
        "print(sorted(banned & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
