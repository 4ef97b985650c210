"""Stage B: does the SDK's agent come through a conversation, with a tool it need not use?"""

from __future__ import annotations

import pytest

from compat_suite.requirements import require_end
from pytest_ohllm.judgement import Shortfall, not_run, require_answer
from pytest_ohllm.model import Transcript

pytestmark = pytest.mark.llm_stage("B")


def test_the_conversation_completes(greeting: Transcript) -> None:
    """Agent and Conversation with TerminalTool on offer end by text or by `finish`."""
    require_answer(greeting)
    require_end(greeting)


def test_the_agent_says_something(greeting: Transcript) -> None:
    """At least one message of the agent reaches the user."""
    if greeting.error is not None:
        not_run("the conversation ended in an error")
    if not greeting.final_text.strip():
        raise Shortfall(
            "the conversation holds no message of the agent",
            next_step="read the transcript in the run folder: where did the answer go?",
        )
