"""Every personality of the embedded provider gets the verdict, stage and diagnosis it deserves."""

from __future__ import annotations

import pytest

from pytest_ohllm.model import Outcome
from pytest_ohllm.simulator import personalities
from tests.conftest import Compat

EXIT = {"WORKS": 0, "WORKS WITH SETTINGS": 0, "DOES NOT WORK": 1, "INCONCLUSIVE": 10}


# The first cut of the embedded provider; all of its personalities are compared in tests/suite.
NAMES = [
    "default",
    "finish-tool",
    "chatty",
    "parrot",
    "wrong-command",
    "loops",
    "empty",
    "no-native-tools",
    "rejects-temperature",
    "forbidden",
    "forbidden-region",
    "billing",
    "not-found",
    "rate-limited",
    "error-500",
    "overloaded",
    "bad-key",
    "down",
    "html-404",
    "html-200",
    "empty-body",
    "truncated-stream",
    "hang",
    "drip",
]

# Settings that help are searched for only in a later version; until then the verdict is less kind.
_KNOWN_GAPS = {"rejects-temperature": "no remedy is searched for yet"}


def _cases() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=_KNOWN_GAPS[name], strict=True))
        if name in _KNOWN_GAPS
        else name
        for name in NAMES
    ]


@pytest.mark.parametrize("name", _cases())
def test_a_personality_gets_the_verdict_written_beside_it(compat: Compat, name: str) -> None:
    expected = personalities.get(name)

    result = compat(f"--llm-profile=sim:{name}", "--llm-timeout=3")

    (profile,) = result.run.profiles
    failed = [c for c in profile.checks if c.diagnosis is not None]
    assert profile.verdict == expected.verdict, result.output
    assert result.ret == EXIT[expected.verdict], result.output
    assert (failed[0].stage if failed else None) == expected.stage, result.output
    if failed:
        assert failed[0].diagnosis is not None
        assert failed[0].diagnosis.kind == expected.kind, failed[0].diagnosis
    for check in failed:
        assert check.diagnosis is not None
        assert check.diagnosis.summary
        assert "\n" not in check.diagnosis.summary + check.diagnosis.next_step


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
