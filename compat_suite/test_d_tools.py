"""Stage D: what tools bring: several at once, errors, long output, nested schemas, restraint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from compat_suite import orders
from compat_suite.refusals import SINGLE_CALLS, refusal, skip_if_refused
from compat_suite.requirements import READ_IT, require_end, require_shown, require_words
from compat_suite.scenarios import Play
from pytest_ohllm.judgement import Shortfall, not_run, require_answer
from pytest_ohllm.model import Blame, Kind, ToolMode
from pytest_ohllm.sdk.guard import shorten

# Scenarios go on in threads, in which a user's `-W error` would strike the insides of the SDK.
pytestmark = [pytest.mark.llm_stage("D"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.llm_gate("parallel")
def test_parallel_calls_are_answered_in_order(play: Play) -> None:
    """Two calls in one answer both run, and their results go back in the order of the calls."""
    played = play("parallel")
    transcript = played.transcript
    kinds = [event.kind for event in transcript.events if event.tool == "terminal"]
    at_once = ("tool_call", "tool_call") in pairwise(kinds)
    if at_once and (words := refusal(transcript, SINGLE_CALLS)):
        # The SDK has no setting against it, so that this ends conversations.
        raise Shortfall(
            f"the model makes two calls in one answer, and its endpoint rejects both: {words}",
            next_step="serve the model with a chat template that takes them, or send "
            "parallel_tool_calls=false with every request (litellm_extra_body)",
            blame=Blame.ENDPOINT,
        )
    skip_if_refused(transcript, SINGLE_CALLS)
    require_answer(transcript)
    require_end(transcript)
    first, second = played.expected["words"]
    require_shown(transcript, first=first, second=second)
    require_words(transcript, first, second)
    if not at_once:
        not_run("the model called one tool after the other")
    answered = [event.call_id for event in transcript.observations("terminal")]
    # Calls that could not be read were answered by an error, and made again.
    ids = [event.call_id for event in transcript.tool_calls("terminal")]
    ran = [call for call in ids if call in answered]
    assert answered == ran, "results went back in another order"


@pytest.mark.llm_gate("tool_error")
def test_the_model_recovers_from_a_failing_command(play: Play) -> None:
    """A command fails, the model sees it, and does what it was told to do then."""
    played = play("tool_error")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    require_shown(transcript, missing="missing.txt", present=played.expected["word"])
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
    require_valid(calls[-1].arguments, transcript.tool_mode)
    require_words(transcript, played.expected["receipt"])


def require_valid(arguments: Any, mode: ToolMode | None) -> None:
    """Fail unless the arguments are what the tool's schema allows.

    Without native calls arguments travel as text, each in a tag of its own. Of what should be an
    object the SDK makes a string (fn_call_converter reads lists and integers only), whatever the
    model writes there.
    """
    __tracebackhide__ = True
    problem = orders.problem(arguments)
    if problem is None:
        return
    if mode is ToolMode.PROMPT and orders.problem(_read(arguments)) is None:
        raise Shortfall(
            "the model writes an object as JSON, and the SDK's prompt-based tool calling hands it "
            f"to the tool as a string ({problem})",
            next_step="use native tool calling for MCP tools that take objects, or have the SDK's "
            "fn_call_converter read objects as it reads lists",
            kind=Kind.SDK_GAP,
            blame=Blame.SDK,
        )
    raise Shortfall(problem, next_step=READ_IT)


def _read(arguments: Any) -> Any:
    """The arguments with every string that holds an object in JSON read."""
    if not isinstance(arguments, Mapping):
        return arguments
    return {name: _object(value) for name, value in arguments.items()}


def _object(value: Any) -> Any:
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return found if isinstance(found, Mapping) else value


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
