"""`--llm-repeat`: what a model may do otherwise is tried often enough to tell, and no more."""

from __future__ import annotations

import pytest

from pytest_ohllm.evidence.attempts import Rate, read_rates
from pytest_ohllm.model import Outcome, Stage, Verdict
from tests.conftest import Compat, Result


def rates(result: Result, stage: Stage) -> dict[str, Rate]:
    """How often each check of the stage passed, by its function's name."""
    assert result.folder is not None
    names = {check.id for check in result.run.profiles[0].checks if check.stage is stage}
    found = read_rates(result.folder).items()
    return {check.rpartition("::")[2]: rate for (_, check), rate in found if check in names}


def test_five_passes_in_a_row_are_enough_and_the_wire_is_looked_at_once(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "--llm-repeat=9")

    assert (result.ret, result.run.profiles[0].verdict) == (0, Verdict.WORKS)
    assert {str(rate) for rate in rates(result, Stage.A).values()} == {"1/1"}
    assert {str(rate) for rate in rates(result, Stage.B).values()} == {"5/5"}
    assert {str(rate) for rate in rates(result, Stage.C).values()} == {"5/5"}
    # The checks of a round judge the same conversations; nothing is kept from one to the next.
    assert result.run.profiles[0].usage.llm_calls == 2 + 5 * 5


def test_what_fails_now_and_then_is_flaky_and_says_how_often(compat: Compat) -> None:
    result = compat("--llm-profile=sim:parrot%40", "--llm-repeat=9")

    assert (result.ret, result.run.profiles[0].verdict) == (1, Verdict.DOES_NOT_WORK)
    check = result.check("test_the_tool_is_called")
    rate = rates(result, Stage.C)["test_the_tool_is_called"]
    assert check.outcome is Outcome.FLAKY and check.diagnosis is not None
    assert 2 < rate.judged <= 9
    failed = rate.judged - rate.passed
    assert check.diagnosis.summary.startswith(f"{failed} of {rate.judged} times, the model never")
    assert f"{failed} of {rate.judged} times" in " ".join(result.output.split())


def test_what_always_fails_is_not_asked_for_again_and_again(compat: Compat) -> None:
    result = compat("--llm-profile=sim:parrot", "--llm-repeat=9", "--llm-probes=0")

    assert str(rates(result, Stage.C)["test_the_tool_is_called"]) == "0/2"
    assert result.check("test_the_tool_is_called").outcome is Outcome.FAILED
    conversations = [path.parent.name for path in result.files("profiles/*/C/*/exchanges.jsonl")]
    assert all("~try" not in name or name.endswith("~try2") for name in conversations)


def test_a_test_of_ones_own_is_repeated_with_its_own_parameters(compat: Compat) -> None:
    (compat.path / "test_own.py").write_text(
        "import pytest\n"
        "@pytest.mark.llm_stage('C')\n"
        "@pytest.mark.parametrize('word', ['one', 'two'])\n"
        "def test_it_says(llm_driver, word, llm_attempt):\n"
        "    assert llm_attempt in (1, 2)\n"
        "    assert llm_driver.complete('Say hello.').final_text\n"
        "def test_of_stage_d(llm_driver):\n"
        "    pass\n"
    )
    result = compat("test_own.py", "--llm-profile=sim", "--llm-repeat=2", "-v")

    checks = [check.id for check in result.run.profiles[0].checks]
    assert checks == [
        "test_own::test_it_says[one]",
        "test_own::test_it_says[two]",
        "test_own::test_of_stage_d",
    ]
    assert "test_it_says[sim-try2-one]" in result.output
    assert {str(rate) for rate in rates(result, Stage.C).values()} == {"2/2"}


def test_with_a_worker_it_is_the_same(compat: Compat) -> None:
    result = compat.subprocess("--llm-profile=sim", "--llm-repeat=3", "-n1")

    assert result.ret == 0, result.output
    assert {str(rate) for rate in rates(result, Stage.C).values()} == {"3/3"}


@pytest.mark.parametrize("value", ["0", "101", "-1", "two", "", "1.5"])
def test_a_number_of_times_that_is_none_is_refused(compat: Compat, value: str) -> None:
    result = compat("--llm-profile=sim", f"--llm-repeat={value}")

    assert result.ret == 4
    assert f"expected a whole number from 1 to 100, got {value!r}" in result.output
