"""Stage D: streams, judged by what went over the wire, since the SDK falls back silently."""

from __future__ import annotations

import re

import pytest

from compat_suite.requirements import (
    require_end,
    require_words,
)
from compat_suite.scenarios import Play
from pytest_ohllm.judgement import Shortfall, require_answer, unsupported
from pytest_ohllm.model import Blame, Transcript
from pytest_ohllm.sdk.guard import shorten
from pytest_ohllm.wire import reading

pytestmark = pytest.mark.llm_stage("D")


@pytest.mark.llm_gate("streaming")
def test_a_streamed_answer_is_the_same_answer(play: Play) -> None:
    """Streaming on and off give the same words, in pieces, to a proper end, and with usage."""
    played = play("streaming")
    plain, streamed = played.transcripts["plain"], played.transcripts["streamed"]
    require_answer(plain)
    require_answer(streamed)
    require_stream(streamed)
    if _words(plain) != _words(streamed):
        raise Shortfall(
            f"streamed, the answer is {shorten(streamed.final_text, 60)!r}, "
            f"otherwise {shorten(plain.final_text, 60)!r}",
            next_step="compare the two responses in the run folder",
            blame=Blame.ENDPOINT,
        )
    # On the wire: where it is missing, litellm counts by itself and says nothing.
    if not reading.prompt_tokens(streamed.exchanges[-1]):
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
    require_stream(transcript)
    require_end(transcript)
    require_words(transcript, played.expected["word"])


def require_stream(transcript: Transcript) -> None:
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


def _words(transcript: Transcript) -> list[str]:
    return re.findall(r"[a-z]+", transcript.final_text.lower())
