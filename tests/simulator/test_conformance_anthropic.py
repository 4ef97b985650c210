"""The simulator as Anthropic's own client library sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.conformance import (
    ABOUT,
    COLOURS,
    COUNT,
    ENCODED,
    HELLO,
    PRINTED,
    RUN,
    SCHEMA,
    SEEN,
    TWO,
    running,
)

anthropic = pytest.importorskip("anthropic")

TOOL: Any = {"name": "terminal", "description": ABOUT, "input_schema": SCHEMA}
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}


class Client:
    """Anthropic's client, connected to one simulator."""

    def __init__(self, simulator: Any, key: str | None = None) -> None:
        self.model = simulator.model
        self.anthropic = anthropic.Anthropic(
            api_key=key or simulator.api_key, base_url=simulator.base_url, max_retries=0
        )

    def ask(self, messages: Any, **options: Any) -> Any:
        return self.anthropic.messages.create(**self.request(messages, **options))

    def request(self, messages: Any, **options: Any) -> dict[str, Any]:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return {"model": self.model, "max_tokens": 2048, "messages": messages, **options}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running("anthropic") as simulator:
        yield Client(simulator)


def test_a_message_comes_with_usage(client: Client) -> None:
    answer = client.ask(HELLO)
    assert [(block.type, block.text) for block in answer.content] == [("text", "hello")]
    assert (answer.stop_reason, answer.role) == ("end_turn", "assistant")
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


def test_a_stream_has_its_events_in_order(client: Client) -> None:
    with client.anthropic.messages.stream(**client.request(COUNT, thinking=THINKING)) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_message()
    assert events[0] == "message_start"
    assert events[-2:] == ["message_delta", "message_stop"]
    assert events.count("content_block_start") == events.count("content_block_stop") == 2
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.content[0].signature
    assert len(final.content[1].text.splitlines()) == 30
    assert final.usage.output_tokens > 30


def test_a_stream_pings(client: Client) -> None:
    raw = client.anthropic.messages.with_raw_response.create(**client.request(HELLO, stream=True))
    assert "event: ping\n" in raw.http_response.read().decode()


def test_two_tools_are_called_at_once_and_their_results_reported(client: Client) -> None:
    with client.anthropic.messages.stream(
        **client.request(TWO, tools=[TOOL], thinking=THINKING)
    ) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use"
    uses = [block for block in first.content if block.type == "tool_use"]
    assert [use.input["command"] for use in uses] == ["cat a", "cat b"]
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "content": f"W-{index}\n[exit code 0]"}
        for index, use in enumerate(uses)
    ]
    history = [
        {"role": "user", "content": TWO},
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    answer = client.ask(history, tools=[TOOL], thinking=THINKING)
    assert "W-0" in answer.content[-1].text and "W-1" in answer.content[-1].text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("drop the thought", "Expected `thinking` or `redacted_thinking`, but found `tool_use`"),
        ("change the signature", "Invalid `signature` in `thinking` block"),
        ("drop the result", "`tool_use` ids were found without `tool_result` blocks"),
        ("empty text", "text content blocks must be non-empty"),
    ],
)
def test_a_history_that_lost_something_is_rejected(client: Client, change: str, words: str) -> None:
    first = client.ask(RUN, tools=[TOOL], thinking=THINKING)
    said = [block.model_dump(exclude_none=True) for block in first.content]
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": said[-1]["id"], "content": PRINTED}
    ]
    match change:
        case "drop the thought":
            said = said[1:]
        case "change the signature":
            said[0]["signature"] = "c29tZXRoaW5nIGVsc2U="
        case "drop the result":
            results = [{"type": "text", "text": "go on"}]
        case _:
            results.append({"type": "text", "text": ""})
    history = [
        {"role": "user", "content": RUN},
        {"role": "assistant", "content": said},
        {"role": "user", "content": results},
    ]
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.ask(history, tools=[TOOL], thinking=THINKING)
    assert words in str(caught.value)


def test_a_picture_is_seen(client: Client) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": ENCODED}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": COLOURS}]
    assert client.ask([{"role": "user", "content": parts}]).content[0].text == SEEN


def test_a_prompt_is_cached_where_that_is_asked_for(client: Client) -> None:
    system = [
        {"type": "text", "text": "word " * 4000, "cache_control": {"type": "ephemeral"}},
    ]
    history: list[Any] = [{"role": "user", "content": HELLO}]
    assert client.ask(history, system=system).usage.cache_read_input_tokens == 0
    history += [{"role": "assistant", "content": "hello"}, {"role": "user", "content": HELLO}]
    assert client.ask(history, system=system).usage.cache_read_input_tokens > 4000


def test_the_models_are_listed(client: Client) -> None:
    assert [model.id for model in client.anthropic.models.list()] == [client.model]


@pytest.mark.parametrize(
    ("personality", "error", "kind"),
    [
        ("not-found-anthropic", "NotFoundError", "not_found_error"),
        ("billing-anthropic", "BadRequestError", "invalid_request_error"),
        ("overloaded-anthropic", "OverloadedError", "overloaded_error"),
        ("anthropic+forbidden", "PermissionDeniedError", "permission_error"),
        ("anthropic+rate-limited", "RateLimitError", "rate_limit_error"),
        ("anthropic+error-500", "InternalServerError", "api_error"),
    ],
)
def test_refusals_become_the_librarys_own_exceptions(
    personality: str, error: str, kind: str
) -> None:
    with running(personality) as simulator, pytest.raises(anthropic.APIStatusError) as caught:
        Client(simulator).ask(HELLO)
    assert error in [cls.__name__ for cls in type(caught.value).__mro__]
    assert caught.value.body["error"]["type"] == kind


def test_a_wrong_key_a_wrong_model_and_an_empty_history_are_told_apart(client: Client) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: claude-99"):
        client.ask(HELLO, model="claude-99")
    with pytest.raises(anthropic.BadRequestError, match="at least one message is required"):
        client.ask([])
    with running("anthropic") as simulator, pytest.raises(anthropic.AuthenticationError):
        Client(simulator, key="sk-ant-wrong").ask(HELLO)
