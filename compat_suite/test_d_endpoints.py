"""Stage D: pictures, the Responses API, and a fallback for a model that is down."""

from __future__ import annotations

import re

import pytest

from compat_suite import pictures
from compat_suite.refusals import PICTURES, skip_if_refused
from compat_suite.requirements import READ_IT, require_end, require_shown, require_words
from compat_suite.scenarios import Play
from pytest_ohllm.judgement import Shortfall, require_answer, unsupported
from pytest_ohllm.model import Blame, Kind
from pytest_ohllm.sdk.guard import shorten

# Scenarios go on in threads, in which a user's `-W error` would strike the insides of the SDK.
pytestmark = [pytest.mark.llm_stage("D"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.llm_gate("vision")
def test_the_model_sees_a_picture(play: Play) -> None:
    """Four colours, one of 360 arrangements, that stand nowhere but in the picture."""
    played = play("vision")
    transcript = played.transcript
    skip_if_refused(transcript, PICTURES)
    require_answer(transcript)
    if "image" not in str(transcript.exchanges[-1].request):
        raise Shortfall(
            "the SDK did not send the picture",
            next_step="set capability_overrides.supports_vision in the profile",
            kind=Kind.CONFIGURATION,
            blame=Blame.SDK,
        )
    named = re.findall("|".join(pictures.RGB), transcript.final_text.lower())
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
    require_shown(transcript, nonce=played.expected["word"])
    require_words(transcript, played.expected["word"])


@pytest.mark.llm_gate("fallback")
def test_the_second_model_answers_if_the_first_is_down(play: Play) -> None:
    """The SDK's fallback strategy passes the request on to this profile."""
    transcript = play("fallback").transcript
    require_answer(transcript)
    if not transcript.final_text.strip():
        raise Shortfall("the fallback answered without any text", next_step=READ_IT)
