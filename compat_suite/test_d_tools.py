"""Stage D: what tools bring: several at once, errors, long output, nested schemas, restraint."""

from __future__ import annotations

import jsonschema
import pytest

from compat_suite import orders
from compat_suite.requirements import (
    READ_IT,
    require_end,
    require_words,
)
from compat_suite.scenarios import Play
from pytest_ohllm.judgement import Shortfall, not_run, require_answer
from pytest_ohllm.sdk.guard import shorten

pytestmark = pytest.mark.llm_stage("D")


@pytest.mark.llm_gate("parallel")
def test_parallel_calls_are_answered_in_order(play: Play) -> None:
    """Two calls in one answer both run, and their results go back in the order of the calls."""
    played = play("parallel")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    require_words(transcript, *played.expected["words"])
    calls = [event.kind for event in transcript.events if event.tool == "terminal"]
    if calls[:2] != ["tool_call", "tool_call"]:
        not_run("the model called one tool after the other")
    ids = [event.call_id for event in transcript.tool_calls("terminal")]
    answered = [event.call_id for event in transcript.observations("terminal")]
    assert answered == ids, "results went back in another order"


@pytest.mark.llm_gate("tool_error")
def test_the_model_recovers_from_a_failing_command(play: Play) -> None:
    """A command fails, the model sees it, and does what it was told to do then."""
    played = play("tool_error")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    codes = [event.exit_code for event in transcript.observations("terminal")]
    if len(codes) < 2 or codes[0] == 0:
        raise Shortfall(
            f"the model did not run both commands (exit codes {codes})", next_step=READ_IT
        )
    require_words(transcript, played.expected["word"])


@pytest.mark.llm_gate("long_output")
def test_long_output_and_unicode_survive(play: Play) -> None:
    """Much text in many scripts goes to the model and back without breaking a request."""
    played = play("long_output")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    require_words(transcript, *played.expected["words"])


@pytest.mark.llm_gate("mcp")
def test_an_mcp_tool_is_called_with_valid_arguments(play: Play) -> None:
    """Objects, arrays, enums, anyOf and $ref: the arguments arrive as they were asked for."""
    played = play("mcp")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    calls = transcript.tool_calls(orders.TOOL["name"])
    if not calls:
        raise Shortfall(
            f"the model did not call the tool; it said: {shorten(transcript.final_text)}",
            next_step=READ_IT,
        )
    sent = calls[-1].arguments
    try:
        jsonschema.validate(sent, orders.TOOL["inputSchema"])
    except jsonschema.ValidationError as error:
        where = ".".join(map(str, error.absolute_path)) or "arguments"
        raise Shortfall(f"{where}: {shorten(error.message)}", next_step=READ_IT) from error
    require_words(transcript, played.expected["receipt"])


@pytest.mark.llm_gate("no_tool")
def test_no_tool_is_called_where_none_is_needed(play: Play) -> None:
    """A sum needs no terminal."""
    played = play("no_tool")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    if calls := transcript.tool_calls("terminal"):
        raise Shortfall(
            f"the model ran {shorten(calls[0].command or '')!r} for a sum", next_step=READ_IT
        )
    require_words(transcript, played.expected["sum"])
