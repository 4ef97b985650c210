"""Stage D: what agents run into after "hello": streams, pictures, memory, several tools.

Every gate is judged by what went over the wire and by the conversation's events. The SDK falls back
silently where it can, so its word that something was done is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import jsonschema
import pytest

from compat_suite import orders
from compat_suite.scenarios import Played
from compat_suite.test_b_converses import require_end
from pytest_ohllm.judgement import Shortfall, not_run, require_answer, unsupported
from pytest_ohllm.model import Blame, Kind, Transcript
from pytest_ohllm.sdk.guard import shorten
from pytest_ohllm.wire import reading

pytestmark = pytest.mark.llm_stage("D")

READ_IT = "read the transcript in the run folder"

Play = Callable[[str], Played]


@pytest.mark.llm_gate("streaming")
def test_a_streamed_answer_is_the_same_answer(play: Play) -> None:
    """Streaming on and off give the same words, in pieces, to a proper end, and with usage."""
    played = play("streaming")
    plain, streamed = played.transcripts["plain"], played.transcripts["streamed"]
    require_answer(plain)
    require_answer(streamed)
    _require_stream(streamed)
    if _words(plain) != _words(streamed):
        raise Shortfall(
            f"streamed, the answer is {shorten(streamed.final_text, 60)!r}, "
            f"otherwise {shorten(plain.final_text, 60)!r}",
            next_step="compare the two responses in the run folder",
            blame=Blame.ENDPOINT,
        )
    if not streamed.usage.prompt_tokens:
        raise Shortfall(
            "a streamed answer comes without usage",
            next_step="have the server honour stream_options.include_usage",
            blame=Blame.ENDPOINT,
        )


@pytest.mark.llm_gate("streaming_tools")
def test_tools_are_called_while_streaming(play: Play) -> None:
    """The call, put together from its deltas, runs, and the answer reports what it printed."""
    played = play("streaming_tools")
    transcript = played.transcript
    require_answer(transcript)
    _require_stream(transcript)
    require_end(transcript)
    _require_words(transcript, played.expected["word"])


@pytest.mark.llm_gate("vision")
def test_the_model_sees_a_picture(play: Play) -> None:
    """Four colours, one of 360 arrangements, that stand nowhere but in the picture."""
    played = play("vision")
    transcript = played.transcript
    require_answer(transcript)
    if "image" not in str(transcript.exchanges[-1].request):
        raise Shortfall(
            "the SDK did not send the picture",
            next_step="set capability_overrides.supports_vision in the profile",
            kind=Kind.CONFIGURATION,
            blame=Blame.SDK,
        )
    named = re.findall(
        "|".join(("red", "green", "blue", "yellow", "black", "white")), _lower(transcript)
    )
    if tuple(named) != tuple(played.expected["colours"]):
        raise Shortfall(
            f"the picture shows {', '.join(played.expected['colours'])}; the model said "
            f"{shorten(transcript.final_text) or 'nothing'}",
            next_step="if the endpoint claims vision, it drops or garbles pictures",
        )


@pytest.mark.llm_gate("responses")
@pytest.mark.parametrize("mode", ["chat", "responses"])
def test_both_endpoints_work(play: Play, mode: str) -> None:
    """Tools and a second turn over chat completions, and over the Responses API."""
    played = play("responses")
    transcript = played.transcripts[mode]
    require_answer(transcript)
    path = "/responses" if mode == "responses" else "/chat/completions"
    if not any(path in exchange.url for exchange in transcript.exchanges):
        unsupported(f"this SDK does not use {path} for the model, although it was told to")
    require_end(transcript)
    _require_words(transcript, played.expected["word"])


@pytest.mark.llm_gate("resume")
def test_a_persisted_conversation_goes_on_in_a_new_process(play: Play) -> None:
    """The history is replayed from its files, and none of them holds a secret."""
    played = play("resume")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    _require_words(transcript, played.expected["word"])
    assert transcript.facts["persisted_files"], "nothing was persisted"
    _require_no_secrets(transcript.facts["files_with_secrets"])


@pytest.mark.llm_gate("switch")
def test_the_model_can_be_switched_and_switched_back(play: Play) -> None:
    """Another LLM takes over the history in mid-conversation, and gives it back."""
    _remembers(play("switch"))


@pytest.mark.llm_gate("condenser")
def test_a_condensed_conversation_goes_on(play: Play) -> None:
    """After the history was condensed, the next call is accepted, and what matters is known."""
    played = play("condenser")
    transcript = played.transcript
    require_answer(transcript)
    if not any(event.text == "Condensation" for event in transcript.events):
        raise Shortfall(
            "the history was not condensed",
            next_step=READ_IT,
            kind=Kind.UNKNOWN,
            blame=Blame.UNKNOWN,
        )
    _remembers(played)


@pytest.mark.llm_gate("reasoning")
def test_a_turn_after_reasoning_is_accepted(play: Play) -> None:
    """Providers want their reasoning back in their own form, or not at all."""
    played = play("reasoning")
    transcript = played.transcript
    require_answer(transcript)
    if not any(map(reading.shows_reasoning, transcript.exchanges)):
        not_run("the model showed no reasoning")
    _remembers(played)


@pytest.mark.llm_gate("usage")
def test_usage_grows_with_the_history(play: Play) -> None:
    """The more history is sent, the more tokens are read; a price is known, or said not to be."""
    transcript = play("reasoning").transcript
    if transcript.error is not None:
        not_run("the conversation ended in an error")
    exchanges = [one for one in transcript.exchanges if reading.is_call(one)]
    counts = [tokens for one in exchanges if (tokens := reading.prompt_tokens(one))]
    if len(counts) < len(exchanges):
        raise Shortfall(
            f"{len(exchanges) - len(counts)} of {len(exchanges)} answers come without usage",
            next_step="have the server report usage with every answer",
            blame=Blame.ENDPOINT,
        )
    if counts != sorted(counts) or len(set(counts)) < 2:
        raise Shortfall(
            f"the history grows from call to call, the reported prompt tokens do not: {counts}",
            next_step="the server's count is wrong, or part of the history is lost on the way",
            blame=Blame.ENDPOINT,
        )
    assert transcript.usage.cost is None or transcript.usage.cost >= 0


@pytest.mark.llm_gate("parallel")
def test_parallel_calls_are_answered_in_order(play: Play) -> None:
    """Two calls in one answer both run, and their results go back in the order of the calls."""
    played = play("parallel")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    _require_words(transcript, *played.expected["words"])
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
    _require_words(transcript, played.expected["word"])


@pytest.mark.llm_gate("long_output")
def test_long_output_and_unicode_survive(play: Play) -> None:
    """Much text in many scripts goes to the model and back without breaking a request."""
    played = play("long_output")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    _require_words(transcript, *played.expected["words"])


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
    _require_words(transcript, played.expected["receipt"])


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
    _require_words(transcript, played.expected["sum"])


@pytest.mark.llm_gate("fallback")
def test_the_second_model_answers_if_the_first_is_down(play: Play) -> None:
    """The SDK's fallback strategy passes the request on to this profile."""
    transcript = play("fallback").transcript
    require_answer(transcript)
    if not transcript.final_text.strip():
        raise Shortfall("the fallback answered without any text", next_step=READ_IT)


@pytest.mark.llm_gate("server")
def test_the_conversation_runs_through_the_agent_server(play: Play) -> None:
    """Saved as a profile, started with it, switched to another one, restored after a restart."""
    played = play("server")
    transcript = played.transcript
    facts = transcript.facts
    _require_start(transcript)
    require_answer(transcript)
    require_end(transcript)
    # What the server says of itself after the restart is not enough: 1.40 names the right profile
    # and calls the other one.
    answers = facts["calls_by_llm"]
    if not any(count for llm, count in answers.items() if llm.endswith(":two")):
        raise Shortfall(
            "restarted, the server forgot that the conversation had been switched to another "
            f"profile (answers by LLM: {answers})",
            next_step="use openhands-agent-server 1.50 or newer; 1.40 is known to forget it",
            kind=Kind.SDK_GAP,
            blame=Blame.SDK,
        )
    _require_words(transcript, played.expected["word"])
    if not transcript.observations("terminal"):
        raise Shortfall("the model told the word without running the command", next_step=READ_IT)
    assert facts["key_enforced"], "the server answers requests without its key"
    _require_no_secrets(facts["files_with_secrets"])


def _require_start(transcript: Transcript) -> None:
    """Fail, without a word on the model, if the server never came up."""
    __tracebackhide__ = True
    if transcript.error is not None and transcript.facts.get("start_seconds") == []:
        raise Shortfall(
            shorten(transcript.error.root.message.partition("\n")[0], 200),
            next_step="run `python -m openhands.agent_server` in this environment; openhands-sdk, "
            "openhands-tools and openhands-agent-server must have one version, and old ones need "
            "an old fastapi",
            kind=Kind.ENVIRONMENT,
            blame=Blame.ENVIRONMENT,
        )


def _require_stream(transcript: Transcript) -> None:
    """Fail unless the answers came as streams, in pieces, and to their ends."""
    __tracebackhide__ = True
    for exchange in filter(reading.is_call, transcript.exchanges):
        if not reading.was_streamed(exchange):
            unsupported("the SDK did not ask for a stream: litellm imitates one for this model")
        if not reading.is_finished(exchange):
            raise Shortfall(
                "the stream broke off before its end; the SDK takes what came for the whole answer",
                next_step="look for a proxy or a limit that cuts streams",
                blame=Blame.ENDPOINT,
            )
        frames = reading.content_frames(exchange)
        late = exchange.first_byte is not None and exchange.first_byte > 0.8 * exchange.seconds
        if frames > 4 and exchange.chunks <= 2 and late and exchange.seconds > 0.5:
            raise Shortfall(
                f"{frames} deltas arrived all at once after {exchange.seconds:.1f} s: "
                "something on the way collects the whole stream",
                next_step="turn off buffering in the proxy before the endpoint",
                blame=Blame.ENDPOINT,
            )


def _remembers(played: Played) -> None:
    __tracebackhide__ = True
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    _require_words(transcript, played.expected["word"])


def _require_words(transcript: Transcript, *words: str) -> None:
    __tracebackhide__ = True
    missing = [word for word in words if word not in transcript.final_text]
    if missing:
        raise Shortfall(
            f"the answer lacks {', '.join(missing)}; the model said: "
            f"{shorten(transcript.final_text) or 'nothing'}",
            next_step=READ_IT,
        )


def _require_no_secrets(files: list[str]) -> None:
    __tracebackhide__ = True
    if files:
        raise Shortfall(
            f"the SDK persisted a secret in {', '.join(files)}",
            next_step="report it to the SDK's maintainers, and rotate the key",
            kind=Kind.SDK_GAP,
            blame=Blame.SDK,
        )


def _words(transcript: Transcript) -> list[str]:
    return re.findall(r"[a-z]+", _lower(transcript))


def _lower(transcript: Transcript) -> str:
    return transcript.final_text.lower()
