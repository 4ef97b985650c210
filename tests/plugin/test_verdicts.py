"""What a run concludes of its profiles: verdicts, exit codes, and why a stage was not run."""

from __future__ import annotations

from pytest_ohllm.model import Outcome
from tests.conftest import Compat


def test_sim_works_natively_within_seven_calls(compat: Compat) -> None:
    result = compat("--llm-profile=sim")

    (profile,) = result.run.profiles
    assert result.ret == 0
    assert {check.outcome for check in profile.checks} == {Outcome.PASSED}
    assert profile.tool_mode == "native"
    assert profile.usage.llm_calls == 7
    assert profile.usage.cost is None, "the price of a simulated model is unknown, not zero"
    assert "WORKS" in result.output


def test_prompt_based_tools_can_be_asked_for(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "--llm-tools=prompt")

    (profile,) = result.run.profiles
    assert (result.ret, profile.tool_mode, profile.verdict) == (0, "prompt", "WORKS WITH SETTINGS")
    assert profile.remedy is not None
    assert profile.remedy.settings == {"native_tool_calling": False}


def test_native_tools_only_means_no_second_way(compat: Compat) -> None:
    result = compat("--llm-profile=sim:no-native-tools", "--llm-tools=native")

    assert result.ret == 1
    diagnosis = result.check("test_the_conversation_completes").diagnosis
    assert diagnosis is not None
    assert diagnosis.kind == "model_limitation"
    assert "native_tool_calling" in diagnosis.next_step


def test_one_bad_profile_does_not_stop_the_others(compat: Compat) -> None:
    result = compat("--llm-profile=sim:bad-key", "--llm-profile=sim", "--llm-profile=sim:parrot")

    verdicts = {profile.name: profile.verdict for profile in result.run.profiles}
    assert verdicts == {
        "sim:bad-key": "INCONCLUSIVE",
        "sim": "WORKS",
        "sim:parrot": "DOES NOT WORK",
    }
    assert result.ret == 1, "a failure weighs more than what could not be judged"


def test_a_closed_gate_says_which_stage_failed_and_why(compat: Compat) -> None:
    result = compat("--llm-profile=sim:bad-key")

    blocked = result.check("test_the_tool_is_called")
    assert blocked.outcome is Outcome.NOT_RUN
    assert blocked.reason is not None
    assert blocked.reason.startswith("stage A failed: ")
    assert "not run" in result.output.lower()
