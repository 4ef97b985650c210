"""The SDK's own event objects, reduced."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ohllm.model import Event
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.events import final_text, reduce


@pytest.fixture(scope="module", autouse=True)
def _sdk() -> None:
    environment.load()


def message(text: str, source: str = "agent") -> Any:
    from openhands.sdk import Message, TextContent
    from openhands.sdk.event import MessageEvent

    role = "assistant" if source == "agent" else source
    content = [TextContent(text=text)]
    return MessageEvent(source=source, llm_message=Message(role=role, content=content))


def printed(text: str, exit_code: int = 0) -> Any:
    from openhands.sdk import TextContent
    from openhands.sdk.event import ObservationEvent
    from openhands.tools.terminal import TerminalObservation

    observation = TerminalObservation(
        command="ls", exit_code=exit_code, content=[TextContent(text=text)]
    )
    return ObservationEvent(
        observation=observation, action_id="a", tool_name="terminal", tool_call_id="call_1"
    )


def test_a_message_is_its_text_and_who_said_it() -> None:
    user, agent = reduce([message("do it", "user"), message("done")])

    assert (user.kind, user.source, user.text) == ("message", "user", "do it")
    assert (agent.kind, agent.source, agent.text) == ("message", "agent", "done")


def test_an_observation_is_what_was_printed_without_the_terminal_s_colours() -> None:
    (event,) = reduce([printed("\x1b[1;32mgreen\x1b[0m and \x1b]0;title\x07plain\n")])

    assert (event.kind, event.tool, event.call_id) == ("observation", "terminal", "call_1")
    assert event.text == "green and plain\n"
    assert event.exit_code == 0
    assert event.command == "ls"


@pytest.mark.parametrize("exit_code", [0, 3, -1])
def test_an_exit_code_is_kept_as_it_is(exit_code: int) -> None:
    assert reduce([printed("x", exit_code)])[0].exit_code == exit_code


def test_an_error_and_a_rejection_keep_their_words() -> None:
    from openhands.sdk.event import AgentErrorEvent, UserRejectObservation
    from openhands.sdk.event.conversation_error import ConversationErrorEvent

    error, rejection, end = reduce(
        [
            AgentErrorEvent(error="no such tool", tool_name="browser", tool_call_id="call_1"),
            UserRejectObservation(
                rejection_reason="not asked for",
                action_id="a",
                tool_name="terminal",
                tool_call_id="call_2",
            ),
            ConversationErrorEvent(source="environment", code="Whatever", detail="it broke"),
        ]
    )

    assert (error.kind, error.text, error.tool) == ("error", "no such tool", "browser")
    assert (rejection.kind, rejection.text) == ("rejection", "not asked for")
    assert (end.kind, end.text) == ("error", "Whatever: it broke")


def test_events_that_nobody_judges_are_kept_by_name() -> None:
    from openhands.sdk.event import PauseEvent

    assert [(event.kind, event.text) for event in reduce([PauseEvent()])] == [
        ("other", "PauseEvent")
    ]


def test_long_output_keeps_its_two_ends() -> None:
    text = "start" + "x" * 100_000 + "end"

    (event,) = reduce([printed(text)])

    assert len(event.text) < 21_000
    assert event.text.startswith("start")
    assert event.text.endswith("end")
    assert "characters …" in event.text


class TestTheLastWord:
    @staticmethod
    def said(text: str, source: str = "agent") -> Event:
        return Event(kind="message", source=source, text=text)

    @staticmethod
    def finished(text: str) -> Event:
        return Event(kind="tool_call", source="agent", tool="finish", text=text)

    def test_is_the_agent_s_and_not_the_user_s(self) -> None:
        assert final_text([self.said("yes"), self.said("thanks", "user")]) == "yes"

    def test_is_the_message_of_finish_if_that_is_how_it_ends(self) -> None:
        assert final_text([self.said("working"), self.finished("all done")]) == "all done"

    def test_is_not_lost_if_finish_says_nothing(self) -> None:
        assert final_text([self.said("the answer is 4"), self.finished("")]) == "the answer is 4"

    def test_is_not_what_another_tool_was_told(self) -> None:
        call = Event(kind="tool_call", source="agent", tool="terminal", text="ls")
        assert final_text([call]) == ""

    def test_of_nobody_is_empty(self) -> None:
        assert final_text([]) == ""
