"""Stage D: what must hold when a conversation goes on: memory, reasoning, token counts."""

from __future__ import annotations

import pytest

from compat_suite.requirements import (
    READ_IT,
    require_end,
    require_memory,
    require_no_secrets,
    require_words,
)
from compat_suite.scenarios import Play
from pytest_ohllm.judgement import Shortfall, not_run, require_answer
from pytest_ohllm.model import Blame, Kind, Transcript
from pytest_ohllm.wire import reading

# Scenarios go on in threads, in which a user's `-W error` would strike the insides of the SDK.
pytestmark = [pytest.mark.llm_stage("D"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.llm_gate("resume")
def test_a_persisted_conversation_goes_on_in_a_new_process(play: Play) -> None:
    """The history is replayed from its files, and none of them holds a secret."""
    played = play("resume")
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    require_words(transcript, played.expected["word"])
    assert transcript.facts["persisted_files"], "nothing was persisted"
    require_no_secrets(transcript.facts["files_with_secrets"])


@pytest.mark.llm_gate("switch")
def test_the_model_can_be_switched_and_switched_back(play: Play) -> None:
    """Another LLM takes over the history in mid-conversation, and gives it back."""
    require_memory(play("switch"))


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
    require_memory(played)


@pytest.mark.llm_gate("reasoning")
def test_a_turn_after_reasoning_is_accepted(play: Play) -> None:
    """Providers want their reasoning back in their own form, or not at all."""
    played = play("reasoning")
    transcript = played.transcript
    require_answer(transcript)
    if not any(map(reading.shows_reasoning, transcript.exchanges)):
        not_run("the model showed no reasoning")
    require_memory(played)


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
    _require_cache(transcript, sum(reading.cached_tokens(one) for one in exchanges))


def _require_cache(transcript: Transcript, cached: int) -> None:
    """Fail if the provider reads tokens from its cache and the SDK does not know it."""
    __tracebackhide__ = True
    if cached and not transcript.usage.cached_tokens:
        raise Shortfall(
            f"the provider read {cached} tokens from its cache; the SDK reports none",
            next_step="costs are overstated; compare usage in the responses in the run folder",
            kind=Kind.SDK_GAP,
            blame=Blame.LITELLM,
        )
