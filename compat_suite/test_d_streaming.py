"""Stage D: streams, judged by what went over the wire, since the SDK falls back silently."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from compat_suite.refusals import STREAMS, TOOLS_IN_STREAMS, skip_if_refused
from compat_suite.requirements import require_end, require_shown, require_words
from compat_suite.scenarios import Play, Played
from pytest_ohllm.judgement import Shortfall, require_answer, unsupported
from pytest_ohllm.model import Blame, Exchange, Kind, Transcript
from pytest_ohllm.sdk.guard import shorten
from pytest_ohllm.wire import reading

# Scenarios go on in threads, in which a user's `-W error` would strike the insides of the SDK.
pytestmark = [pytest.mark.llm_stage("D"), pytest.mark.filterwarnings("ignore")]

COLLECTED_SECONDS = 0.3
"""How much later the first byte of a longer answer comes if the whole answer is waited for."""

_THOUGHTS = re.compile(r".*</think>", re.DOTALL)


@pytest.mark.llm_gate("streaming")
def test_a_streamed_answer_is_the_same_answer(play: Play) -> None:
    """Streaming on and off give the same words, in pieces, to a proper end, and with usage."""
    played = play("streaming")
    plain, streamed = played.transcripts["plain"], played.transcripts["streamed"]
    require_answer(plain)
    skip_if_refused(streamed, STREAMS)
    require_answer(streamed)
    require_stream(streamed)
    require_pieces(played)
    if _words(plain) != _words(streamed):
        raise Shortfall(
            f"streamed, the answer is {shorten(streamed.final_text, 60)!r}, "
            f"otherwise {shorten(plain.final_text, 60)!r}",
            next_step="compare the two responses in the run folder",
            blame=Blame.ENDPOINT,
        )
    # On the wire: where it is missing, litellm counts by itself and says nothing.
    if not reading.prompt_tokens(streamed.exchanges[-1]):
        raise _no_usage(streamed.exchanges[-1])


@pytest.mark.llm_gate("streaming_tools")
def test_tools_are_called_while_streaming(play: Play) -> None:
    """The call, put together from its deltas, runs, and the answer reports what it printed."""
    played = play("streaming_tools")
    transcript = played.transcript
    skip_if_refused(transcript, STREAMS, TOOLS_IN_STREAMS)
    require_answer(transcript)
    require_stream(transcript)
    require_end(transcript)
    require_shown(transcript, nonce=played.expected["word"])
    require_words(transcript, played.expected["word"])


def _no_usage(exchange: Exchange) -> Shortfall:
    """Chat Completions gives it only to those who ask, and SDK 1.12 does not."""
    asked = isinstance(exchange.request, Mapping) and "stream_options" in exchange.request
    if exchange.url.endswith("/chat/completions") and not asked:
        return Shortfall(
            "a streamed answer comes without usage, which the SDK did not ask for",
            next_step="use a newer SDK: it must send stream_options.include_usage",
            kind=Kind.SDK_GAP,
            blame=Blame.SDK,
        )
    return Shortfall(
        "a streamed answer comes without usage",
        next_step="have the server honour stream_options.include_usage",
        blame=Blame.ENDPOINT,
    )


def require_stream(transcript: Transcript) -> None:
    """Fail unless the answers came as streams, and to their ends."""
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


def require_pieces(played: Played) -> None:
    """Fail if the answer was made piece by piece, and something on the way collected the pieces.

    A fast model's pieces come joined, too, and late if it takes long to begin; but its first byte
    does not come the later, the longer the answer is.
    """
    __tracebackhide__ = True
    short = played.transcripts.get("short")
    if short is None or short.error is not None:
        return
    streamed, control = played.transcripts["streamed"].exchanges[-1], short.exchanges[-1]
    late, early = streamed.first_byte, control.first_byte
    if late is None or early is None or late - early < COLLECTED_SECONDS:
        return
    raise Shortfall(
        f"{reading.content_frames(streamed)} deltas arrived all at once after {late:.1f} s, a "
        f"short answer after {early:.1f} s: something on the way collects the whole stream",
        next_step="turn off buffering in the proxy before the endpoint",
        blame=Blame.ENDPOINT,
    )


def _words(transcript: Transcript) -> list[str]:
    """The words of the answer, without thoughts between tags: litellm takes them out of a whole
    answer, and leaves them in a stream."""
    answer = _THOUGHTS.sub("", transcript.final_text)
    return re.findall(r"[a-z]+", answer.lower())
