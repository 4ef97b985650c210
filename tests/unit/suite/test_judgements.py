"""What the checks of stage D make of transcripts that are hard to judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from compat_suite import orders
from compat_suite.conftest import NonceRun
from compat_suite.requirements import require_end
from compat_suite.scenarios import Played
from compat_suite.test_c_calls_tools import test_what_only_the_tool_knows_is_reported as nonce_check
from compat_suite.test_d_streaming import (
    require_pieces,
)
from compat_suite.test_d_streaming import (
    test_a_streamed_answer_is_the_same_answer as streaming_check,
)
from compat_suite.test_d_tools import require_valid
from compat_suite.test_d_tools import (
    test_parallel_calls_are_answered_in_order as parallel_check,
)
from pytest_ohllm.judgement import NotRun, Shortfall
from pytest_ohllm.model import Blame, Event, Exchange, Kind, ToolMode, Transcript

USAGE = {"choices": [], "usage": {"prompt_tokens": 20}}


def streamed(text: str, first_byte: float = 0.1, **about: Any) -> Transcript:
    """A streamed answer, word by word."""
    pieces = text.split(" ")
    chunks = [{"choices": [{"delta": {"content": f"{piece} "}}]} for piece in pieces]
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in [*chunks, USAGE]) + "data: [DONE]\n\n"
    exchange = Exchange(
        method="POST",
        url="http://h/v1/chat/completions",
        request={"stream": True},
        status=200,
        response=body,
        seconds=first_byte + 0.01,
        first_byte=first_byte,
        **about,
    )
    return Transcript(scenario="complete", exchanges=(exchange,), final_text=text)


def plain(text: str) -> Transcript:
    return Transcript(scenario="complete", final_text=text)


def complaint(require: Callable[..., None], *arguments: Any) -> str | None:
    """What the requirement says against its arguments; ``None`` if it is satisfied."""
    try:
        require(*arguments)
    except Shortfall as shortfall:
        return shortfall.summary
    return None


def check_streaming(**transcripts: Transcript) -> None:
    streaming_check(lambda name: Played(transcripts))


@pytest.mark.parametrize(
    "thoughts", ["<think>\nStep 1: I count.\n</think>\n\n", "Step 1: I count.\n</think>\n\n"]
)
def test_thoughts_in_the_text_are_not_the_answer(thoughts: str) -> None:
    """litellm takes them out of a whole answer, and leaves them in a stream."""
    check_streaming(plain=plain("one two three"), streamed=streamed(f"{thoughts}one two three"))
    with pytest.raises(Shortfall, match="streamed, the answer is"):
        check_streaming(plain=plain("one two three"), streamed=streamed(f"{thoughts}one three"))


def test_a_stream_without_usage_is_told() -> None:
    bare = streamed("one two")
    body = str(bare.exchanges[0].response).replace(json.dumps(USAGE), json.dumps({"choices": []}))
    exchange = bare.exchanges[0].model_copy(update={"response": body})
    with pytest.raises(Shortfall, match="without usage"):
        check_streaming(
            plain=plain("one two"), streamed=bare.model_copy(update={"exchanges": (exchange,)})
        )


def test_a_stream_that_comes_the_later_the_longer_it_is_was_collected() -> None:
    late, short = streamed("word " * 30, 0.8), streamed("hello", 0.1)
    with pytest.raises(Shortfall, match=r"all at once after 0\.8 s, a short answer after 0\.1 s"):
        require_pieces(Played({"streamed": late, "short": short}))


@pytest.mark.parametrize("first_byte", [0.55, 0.8, 1.2])
def test_a_model_that_is_fast_once_it_has_begun_is_not_suspected(first_byte: float) -> None:
    late, short = streamed("word " * 30, 0.8), streamed("hello", first_byte)

    assert complaint(require_pieces, Played({"streamed": late, "short": short})) is None


def test_without_a_control_nothing_is_claimed() -> None:
    late = streamed("word " * 30, 0.8)
    silent = streamed("hello").model_copy(update={"exchanges": (Exchange(method="POST", url="x"),)})

    assert complaint(require_pieces, Played({"streamed": late})) is None
    assert complaint(require_pieces, Played({"streamed": late, "short": silent})) is None
    # With a control, the very same answer is claimed to have been collected.
    early = Played({"streamed": late, "short": streamed("hello", 0.1)})
    assert complaint(require_pieces, early) is not None


@pytest.mark.parametrize("mode", [*ToolMode, None])
def test_arguments_that_the_schema_allows_pass_in_either_mode(mode: ToolMode | None) -> None:
    order = orders.order()

    assert complaint(require_valid, order, mode) is None
    # The smallest thing that the schema forbids makes the difference.
    del order["customer"]["address"]["zip"]
    assert "zip" in str(complaint(require_valid, order, mode))


def test_an_object_that_travelled_as_text_is_the_sdks_gap() -> None:
    order = orders.order()
    sent = {**order, "customer": json.dumps(order["customer"])}
    with pytest.raises(Shortfall) as caught:
        require_valid(sent, ToolMode.PROMPT)
    assert (caught.value.kind, caught.value.blame) == (Kind.SDK_GAP, Blame.SDK)
    with pytest.raises(Shortfall, match="customer: ") as caught:
        require_valid(sent, ToolMode.NATIVE)
    assert (caught.value.kind, caught.value.blame) == (Kind.MODEL_LIMITATION, Blame.MODEL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer": "Zoë"},
        {"customer": json.dumps(json.dumps({"name": "Zoë"}))},
        {"customer": json.dumps({"name": "Zoë"})},
        {"priority": "urgent"},
    ],
)
def test_what_the_model_writes_wrong_in_its_prompt_is_its_own_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(Shortfall) as caught:
        require_valid({**orders.order(), **wrong}, ToolMode.PROMPT)
    assert caught.value.kind is Kind.MODEL_LIMITATION


def called(*kinds: str) -> Transcript:
    """A conversation in which the terminal was called like this."""
    ids: dict[str, int] = {}
    events = []
    for kind in kinds:
        ids[kind] = ids.get(kind, 0) + 1
        about: dict[str, Any] = {"kind": kind, "call_id": str(ids[kind])}
        events.append(Event(source="agent", tool="terminal", **about))
    return Transcript(scenario="converse", events=tuple(events), final_text="W-1 W-2")


def check_parallel(*kinds: str) -> None:
    played = Played({"parallel": called(*kinds)}, {"words": ("W-1", "W-2")})
    parallel_check(lambda name: played)


def test_calls_count_as_parallel_where_they_stand_together() -> None:
    check_parallel("tool_call", "tool_call", "observation", "observation")
    # The first attempt could not be read.
    check_parallel("error", "error", "tool_call", "tool_call", "observation", "observation")
    with pytest.raises(NotRun, match="one tool after the other"):
        check_parallel("tool_call", "observation", "tool_call", "observation")


def ran(command: str, text: str, exit_code: int | None = 0) -> Event:
    """A command that ran, and what the terminal made of it."""
    return Event(
        kind="observation",
        source="environment",
        tool="terminal",
        command=command,
        text=text,
        exit_code=exit_code,
    )


class TestATerminalInTrouble:
    """Under load the SDK's terminal now and then shows nothing of what a command prints."""

    def test_is_not_the_model_s_fault(self) -> None:
        silent = Transcript(
            scenario="converse",
            end="finished",
            events=(ran("cat nonce.txt", "", -1),),
            final_text="It printed nothing.",
        )

        with pytest.raises(Shortfall, match=r"did not show what 'cat nonce.txt' prints") as caught:
            nonce_check(NonceRun("word-1", silent))
        assert (caught.value.kind, caught.value.blame) == (Kind.ENVIRONMENT, Blame.ENVIRONMENT)

    def test_is_not_if_it_never_comes_to_an_end(self) -> None:
        call = Event(kind="tool_call", source="agent", tool="terminal", command="cat nonce.txt")
        waiting = Transcript(scenario="converse", end="timeout", events=(call,))
        silent = waiting.model_copy(update={"events": (call, ran("cat nonce.txt", "word-1"))})

        with pytest.raises(Shortfall, match="did not come to an end with 'cat") as terminal:
            require_end(waiting)
        with pytest.raises(Shortfall, match="the conversation did not end in time") as model:
            require_end(silent)
        assert terminal.value.kind is Kind.ENVIRONMENT
        assert model.value.kind is Kind.MODEL_LIMITATION

    def test_is_none_where_the_model_saw_the_word_or_never_looked(self) -> None:
        saw = Transcript(
            scenario="converse",
            end="finished",
            events=(ran("cat nonce.txt", "word-1"),),
            final_text="I do not know.",
        )

        for transcript in (saw, saw.model_copy(update={"events": ()})):
            with pytest.raises(Shortfall) as caught:
                nonce_check(NonceRun("word-1", transcript))
            assert caught.value.kind is Kind.MODEL_LIMITATION
