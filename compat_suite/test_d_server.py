"""Stage D: the same conversation through a real openhands-agent-server."""

from __future__ import annotations

import pytest

from compat_suite.requirements import (
    READ_IT,
    require_end,
    require_no_secrets,
    require_shown,
    require_words,
)
from compat_suite.scenarios import Play
from pytest_ohllm.judgement import Shortfall, require_answer
from pytest_ohllm.model import Blame, Kind, Transcript
from pytest_ohllm.sdk.guard import shorten

# Scenarios go on in threads, in which a user's `-W error` would strike the insides of the SDK.
pytestmark = [pytest.mark.llm_stage("D"), pytest.mark.filterwarnings("ignore")]


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
    require_shown(transcript, nonce=played.expected["word"])
    require_words(transcript, played.expected["word"])
    if not transcript.observations("terminal"):
        raise Shortfall("the model told the word without running the command", next_step=READ_IT)
    assert facts["key_enforced"], "the server answers requests without its key"
    require_no_secrets(facts["files_with_secrets"])


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
