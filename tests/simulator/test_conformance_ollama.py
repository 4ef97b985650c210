"""The simulator as Ollama's own client library sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.conformance import (
    ABOUT,
    COLOURS,
    COUNT,
    HELLO,
    PICTURE,
    SCHEMA,
    SEEN,
    TWO,
    running,
)

ollama = pytest.importorskip("ollama")

TOOL: Any = {
    "type": "function",
    "function": {"name": "terminal", "description": ABOUT, "parameters": SCHEMA},
}


class Client:
    """Ollama's client, connected to one simulator; it presents no key."""

    def __init__(self, simulator: Any) -> None:
        self.model = simulator.model
        self.ollama = ollama.Client(host=simulator.base_url)

    def ask(self, messages: Any, **options: Any) -> Any:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return self.ollama.chat(messages=messages, **{"model": self.model, **options})


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running("ollama") as simulator:
        yield Client(simulator)


def test_an_answer_comes_with_counts(client: Client) -> None:
    answer = client.ask(HELLO, think=True)
    assert (answer.message.content, answer.done_reason) == ("hello", "stop")
    assert answer.message.thinking
    assert answer.prompt_eval_count > 0 and answer.eval_count > 0


def test_a_stream_adds_up_to_the_answer(client: Client) -> None:
    chunks = list(client.ask(COUNT, stream=True))
    text = "".join(chunk.message.content for chunk in chunks)
    assert text == client.ask(COUNT).message.content
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].eval_count > 30


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_results_reported(client: Client, stream: bool) -> None:
    if stream:
        chunks = client.ask(TWO, tools=[TOOL], stream=True)
        message = next(chunk.message for chunk in chunks if chunk.message.tool_calls)
    else:
        message = client.ask(TWO, tools=[TOOL]).message
    commands = [call.function.arguments["command"] for call in message.tool_calls]
    assert commands == ["cat a", "cat b"]
    history = [
        {"role": "user", "content": TWO},
        message,
        {"role": "tool", "tool_name": "terminal", "content": "W-0\n[exit code 0]"},
        {"role": "tool", "tool_name": "terminal", "content": "W-1\n[exit code 0]"},
    ]
    text = client.ask(history, tools=[TOOL]).message.content
    assert "`cat a`" in text and "W-0" in text and "W-1" in text


def test_a_picture_is_seen(client: Client) -> None:
    question = {"role": "user", "content": COLOURS, "images": [PICTURE]}
    assert client.ask([question]).message.content == SEEN


def test_the_models_are_listed_and_shown(client: Client) -> None:
    assert [model.model for model in client.ollama.list().models] == [f"{client.model}:latest"]
    assert "tools" in client.ollama.show(client.model).capabilities


def test_refusals_become_the_librarys_own_exception(client: Client) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'llama99' not found") as caught:
        client.ask(HELLO, model="llama99")
    assert caught.value.status_code == 404
    with (
        running("no-native-tools-ollama") as simulator,
        pytest.raises(ollama.ResponseError, match="does not support tools"),
    ):
        Client(simulator).ask(HELLO, tools=[TOOL])
