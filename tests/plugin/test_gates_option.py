"""Which gates of stage D run: the grammar of ``--llm-gates``, and what is usual without it."""

from __future__ import annotations

import re
import shlex

import pytest

from pytest_ohllm.gates import GATES
from pytest_ohllm.model import Outcome, Stage
from tests.conftest import Compat, Result, some_of
from tests.plugin.conftest import refusal, testcases

MOST_CALLS = 60
"""What the default pack may cost in calls: about two minutes of a free tier."""

NOT_IN_THE_SDK = {
    # It sends no "stream" to this endpoint, and litellm imitates the deltas.
    "responses": (
        "test_a_streamed_answer_is_the_same_answer",
        "test_tools_are_called_while_streaming",
    )
}
"""What the SDK does not do with a protocol, so that its checks are unsupported."""


def gate_checks(result: Result) -> set[str]:
    """The names of stage D's checks that a run with ``--collect-only -q`` lists."""
    assert result.ret == 0, result.output
    return set(re.findall(r"test_d_\w+\.py::(test_\w+)", result.output))


def collected(compat: Compat, gates: str) -> set[str]:
    """The names of stage D's checks that ``gates`` selects."""
    return gate_checks(compat("--llm-profile=sim", f"--llm-gates={gates}", "--collect-only", "-q"))


def unexpected(result: Result) -> dict[str, tuple[Outcome, str | None]]:
    """The checks that neither passed nor were left out, each with its outcome and the reason."""
    return {
        f"{profile.name} {check.id}": (
            check.outcome,
            check.diagnosis.summary if check.diagnosis else check.reason,
        )
        for profile in result.run.profiles
        for check in profile.checks
        if check.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)
    }


# What the option accepts.


@pytest.mark.parametrize(
    ("gates", "unknown", "nearest"),
    [
        ("visoin", "visoin", "vision"),
        ("-resum", "-resum", "resume"),
        ("auto,long-output", "long-output", "long_output"),
        ("non", "non", "none"),
    ],
)
def test_an_unknown_gate_is_refused_and_the_nearest_name_suggested(
    compat: Compat, gates: str, unknown: str, nearest: str
) -> None:
    said = refusal(compat("--llm-profile=sim", f"--llm-gates={gates}"))

    assert f"--llm-gates={gates}: {unknown} names no gate" in said
    assert f"did you mean {nearest}?" in said
    assert all(gate in said for gate in GATES)


@pytest.mark.parametrize("gates", ["", ",", "-"])
def test_a_list_of_gates_that_names_none_is_refused(compat: Compat, gates: str) -> None:
    assert "names no gate" in refusal(compat("--llm-profile=sim", f"--llm-gates={gates}"))


def test_a_gate_is_selected_by_its_name_in_any_case(compat: Compat) -> None:
    assert collected(compat, " Vision, TOOL_ERROR,") == {
        "test_the_model_sees_a_picture",
        "test_the_model_recovers_from_a_failing_command",
    }


def test_every_gate_has_a_check(compat: Compat) -> None:
    for gate in GATES:
        assert collected(compat, gate), gate


def test_all_usual_gates_run_unless_something_else_is_said(compat: Compat) -> None:
    by_itself = gate_checks(compat.exactly("--llm-profile=sim", "--collect-only", "-q"))

    assert by_itself == collected(compat, "auto") == collected(compat, "all")
    assert collected(compat, "none") == set()


@pytest.mark.parametrize("gates", ["-resume", "auto,-resume", "-resume,auto", "all,-resume"])
def test_an_exception_leaves_out_that_gate_and_no_other(compat: Compat, gates: str) -> None:
    everything = collected(compat, "auto")

    left_out = everything - collected(compat, gates)

    assert left_out == {"test_a_persisted_conversation_goes_on_in_a_new_process"}


def test_an_exception_wins_over_its_name(compat: Compat) -> None:
    assert collected(compat, "vision,no_tool,-vision") == {
        "test_no_tool_is_called_where_none_is_needed"
    }


# What a gate is judged for that nothing claims.


@pytest.mark.parametrize("gates", ["vision", "auto,vision", "all"])
def test_a_gate_that_is_named_is_judged_although_nothing_claims_it(
    compat: Compat, gates: str
) -> None:
    result = compat("--llm-profile=sim", f"--llm-gates={gates}", "-k", "sees_a_picture")

    check = result.check("test_the_model_sees_a_picture")
    assert check.outcome is Outcome.PASSED, result.output
    assert check.llm_calls == 1


def test_a_gate_that_nothing_claims_says_how_to_ask_for_it(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "--llm-gates=auto", "-k", "sees_a_picture")

    check = result.check("test_the_model_sees_a_picture")
    assert (check.outcome, check.llm_calls) == (Outcome.NOT_RUN, 0)
    assert check.reason is not None
    assert "metadata" in check.reason
    assert "--llm-gates=vision" in check.reason
    assert result.ret == 0, "nothing was judged, and nothing failed"


def test_a_failed_gate_is_run_again_with_the_gates_that_were_asked_for(compat: Compat) -> None:
    first = compat(
        "--llm-profile=sim:image-guessed",
        "--llm-gates=vision,no_tool",
        "-k",
        "sees_a_picture or model_answers",
        "--junitxml=junit.xml",
    )
    commands = {
        name.partition("[")[0]: about["ohllm.rerun"]
        for name, about, _ in testcases(compat.path / "junit.xml")
    }

    again = compat.exactly(*shlex.split(commands["test_the_model_sees_a_picture"])[1:])

    for result in (first, again):
        assert result.check("test_the_model_sees_a_picture").outcome is Outcome.FAILED
    assert len(again.run.profiles[0].checks) == 1
    assert "--llm-gates=vision,no_tool" in commands["test_the_model_sees_a_picture"]
    assert "--llm-gates" not in commands["test_the_model_answers"], "no gate has a say there"


def test_the_usual_gates_are_not_named_in_the_command_to_run_one_again(compat: Compat) -> None:
    compat.exactly("--llm-profile=sim", "-k", "sees_a_picture", "--junitxml=junit.xml")

    ((_, about, _),) = testcases(compat.path / "junit.xml")
    assert "--llm-gates" not in about["ohllm.rerun"]


def test_a_failed_gate_is_run_again_with_the_way_of_calling_tools_that_was_learnt(
    compat: Compat,
) -> None:
    first = compat("--llm-profile=sim:no-native-tools", "--llm-gates=mcp", "--junitxml=junit.xml")
    (command,) = (
        about["ohllm.rerun"]
        for name, about, _ in testcases(compat.path / "junit.xml")
        if name.startswith("test_an_mcp_tool")
    )

    again = compat.exactly(*shlex.split(command)[1:])

    name = "test_an_mcp_tool_is_called_with_valid_arguments"
    before, after = first.check(name).diagnosis, again.check(name).diagnosis
    assert before is not None
    assert after is not None
    assert "--llm-tools=prompt" in command
    assert (before.kind, after.kind) == ("sdk_gap", "sdk_gap")


def test_warnings_that_are_errors_do_not_strike_the_insides_of_the_sdk(compat: Compat) -> None:
    # Their scenarios go on in threads while pytest begins the next test, and sets filters anew.
    result = compat("--llm-profile=sim", "--llm-gates=streaming,tool_error,mcp,no_tool", "-Werror")

    assert result.ret == 0
    assert [c.id for c in result.run.profiles[0].checks if c.outcome is not Outcome.PASSED] == []


# The whole pack.


@pytest.mark.parametrize("profile", ["sim", "sim:openai"])
def test_the_default_pack_passes_within_its_number_of_calls(compat: Compat, profile: str) -> None:
    result = compat.exactly(f"--llm-profile={profile}")

    (report,) = result.run.profiles
    assert result.ret == 0, result.output
    assert report.verdict == "WORKS"
    assert unexpected(result) == {}
    assert {check.stage for check in report.checks} == set(Stage)
    resumed = result.check("test_a_persisted_conversation_goes_on_in_a_new_process")
    assert resumed.outcome is Outcome.PASSED
    assert 30 < report.usage.llm_calls <= MOST_CALLS


@pytest.mark.parametrize("protocol", some_of(["responses", "anthropic", "gemini", "ollama"]))
def test_every_protocol_passes_all_stages(compat: Compat, protocol: str) -> None:
    # The two that start processes have nothing to do with the protocol.
    result = compat(f"--llm-profile=sim:{protocol}", "--llm-gates=auto,-resume,-server")

    (report,) = result.run.profiles
    assert result.ret == 0, result.output
    assert {
        (name.partition("::")[2], outcome) for name, (outcome, _) in unexpected(result).items()
    } == {(name, Outcome.UNSUPPORTED) for name in NOT_IN_THE_SDK.get(protocol, ())}
    for stage in Stage:
        assert Outcome.PASSED in {c.outcome for c in report.checks if c.stage is stage}, stage
