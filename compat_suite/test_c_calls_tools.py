"""Stage C: does the model call tools, and does it work with what they return?

Tool calling is mandatory: an agent without it is a chat window. It may travel natively or by the
SDK's prompt-based conversion; the report says which one works.
"""

from __future__ import annotations

import pytest

from compat_suite import prompts
from compat_suite.conftest import NonceRun
from compat_suite.requirements import READ_IT, require_shown
from pytest_ohllm.judgement import Shortfall, not_run, require_answer
from pytest_ohllm.model import Transcript
from pytest_ohllm.sdk.guard import shorten

pytestmark = pytest.mark.llm_stage("C")


def test_the_tool_is_called(tool_run: Transcript) -> None:
    """Asked to run a command, the model calls the terminal tool rather than talking about it."""
    require_answer(tool_run)
    if not tool_run.tool_calls("terminal"):
        said = shorten(tool_run.final_text) or "nothing"
        raise Shortfall(
            f"the model never called the terminal tool; it said: {said}",
            next_step="if the text above holds a tool call, the server's tool parser is missing; "
            "otherwise the model cannot call tools",
        )


def test_the_right_command_runs(tool_run: Transcript) -> None:
    """The command that ran is the one that was asked for, and it ended with exit code 0."""
    _called(tool_run)
    ran = [event for event in tool_run.observations("terminal") if event.exit_code is not None]
    if not ran:
        asked = ", ".join(repr(call.command) for call in tool_run.tool_calls("terminal"))
        raise Shortfall(
            f"the model asked for {shorten(asked)} in place of {prompts.MARKER_COMMAND!r}; "
            "nothing was run",
            next_step=READ_IT,
        )
    if ran[0].exit_code != 0 or prompts.MARKER not in ran[0].text:
        raise Shortfall(
            f"the command ended with exit code {ran[0].exit_code} "
            f"and printed {shorten(ran[0].text, 60)!r}",
            next_step=READ_IT,
        )


def test_the_answer_reports_the_output(tool_run: Transcript) -> None:
    """After the tool's answer the model ends the conversation with words that report it."""
    _called(tool_run)
    if tool_run.end != "finished" or prompts.MARKER not in tool_run.final_text:
        raise Shortfall(
            f"the final answer does not report {prompts.MARKER!r} "
            f"(the conversation ended as {tool_run.end}): {shorten(tool_run.final_text)!r}",
            next_step=READ_IT,
        )


def test_what_only_the_tool_knows_is_reported(nonce_run: NonceRun) -> None:
    """A random word that stands only in a file comes back in the answer: no parrot can do that."""
    transcript = nonce_run.transcript
    require_answer(transcript)
    require_shown(transcript, nonce=nonce_run.nonce)
    if nonce_run.nonce not in transcript.final_text:
        seen = any(nonce_run.nonce in event.text for event in transcript.observations("terminal"))
        what = "saw the word and did not report it" if seen else "never saw the word"
        raise Shortfall(
            f"the model {what}; it said: {shorten(transcript.final_text) or 'nothing'}",
            next_step=READ_IT,
        )


def _called(tool_run: Transcript) -> None:
    if tool_run.error is not None or not tool_run.tool_calls("terminal"):
        not_run("the tool was not called")
