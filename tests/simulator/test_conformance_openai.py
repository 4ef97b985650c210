"""The simulator as OpenAI's own client library sees it, in both of its protocols."""

from __future__ import annotations

import json
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

openai = pytest.importorskip("openai")

TOOL: Any = {
    "type": "function",
    "function": {"name": "terminal", "description": ABOUT, "parameters": SCHEMA},
}
FUNCTION: Any = {
    "type": "function",
    "name": "terminal",
    "description": ABOUT,
    "parameters": SCHEMA,
    "strict": False,
}
URL = f"data:image/png;base64,{ENCODED}"


class Client:
    """OpenAI's client, connected to one simulator."""

    def __init__(self, simulator: Any, key: str | None = None) -> None:
        self.model = simulator.model
        self.openai = openai.OpenAI(
            api_key=key or simulator.api_key, base_url=simulator.base_url, max_retries=0
        )

    def ask(self, messages: Any, **options: Any) -> Any:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        options = {"model": self.model, **options}
        return self.openai.chat.completions.create(messages=messages, **options)

    def respond(self, given: Any, **options: Any) -> Any:
        options = {"model": self.model, **options}
        return self.openai.responses.create(input=given, **options)


@pytest.fixture(scope="module")
def chat() -> Iterator[Client]:
    with running("openai") as simulator:
        yield Client(simulator)


@pytest.fixture(scope="module")
def responses() -> Iterator[Client]:
    with running("responses") as simulator:
        yield Client(simulator)


def test_chat_answers_with_usage(chat: Client) -> None:
    answer = chat.ask(HELLO)
    choice = answer.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("hello", "stop")
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0


def test_chat_streams_with_usage_at_the_end(chat: Client) -> None:
    chunks = list(chat.ask(COUNT, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == chat.ask(COUNT).choices[0].message.content
    assert len(text.splitlines()) == 30
    assert chunks[-1].usage.completion_tokens > 30
    assert len({chunk.id for chunk in chunks}) == 1


def test_chat_streams_through_the_accumulating_helper(chat: Client) -> None:
    messages: Any = [{"role": "user", "content": TWO}]
    with chat.openai.chat.completions.stream(
        model=chat.model, messages=messages, tools=[TOOL]
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    calls = [json.loads(call.function.arguments)["command"] for call in message.tool_calls]
    assert calls == ["cat a", "cat b"]
    assert len({call.id for call in message.tool_calls}) == 2


def test_chat_calls_a_tool_and_reports_its_result(chat: Client) -> None:
    message = chat.ask(RUN, tools=[TOOL]).choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == {"command": "cat nonce.txt"}
    history = [
        {"role": "user", "content": RUN},
        message,
        {"role": "tool", "tool_call_id": call.id, "content": PRINTED},
    ]
    assert "NONCE-7f3" in chat.ask(history, tools=[TOOL]).choices[0].message.content


def test_chat_sees_a_picture(chat: Client) -> None:
    parts = [
        {"type": "text", "text": COLOURS},
        {"type": "image_url", "image_url": {"url": URL}},
    ]
    answer = chat.ask([{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == SEEN
    assert "no picture" in chat.ask(COLOURS).choices[0].message.content


def test_the_models_are_listed_and_retrieved(chat: Client) -> None:
    assert [model.id for model in chat.openai.models.list()] == [chat.model]
    assert chat.openai.models.retrieve(chat.model).id == chat.model


def test_responses_answer_with_usage_and_items(responses: Client) -> None:
    answer = responses.respond(HELLO, reasoning={"effort": "low", "summary": "auto"}, store=False)
    assert (answer.output_text, answer.status) == ("hello", "completed")
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    usage = answer.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.output_tokens_details.reasoning_tokens > 0


def test_responses_stream_their_events_in_order(responses: Client) -> None:
    events = list(responses.respond(COUNT, stream=True, reasoning={"effort": "low"}))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
    assert len(deltas) >= 30
    assert "".join(deltas) == events[-1].response.output_text
    added = kinds.count("response.output_item.added")
    assert added == kinds.count("response.output_item.done") == 2


def test_responses_stream_through_the_accumulating_helper(responses: Client) -> None:
    with responses.openai.responses.stream(
        model=responses.model, input=TWO, tools=[FUNCTION]
    ) as stream:
        answer = stream.get_final_response()
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["command"] for call in calls] == ["cat a", "cat b"]


def test_responses_take_back_sealed_thoughts_with_a_tool_result(responses: Client) -> None:
    options: Any = {
        "tools": [FUNCTION],
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "high"},
    }
    first = responses.respond(RUN, **options)
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    assert first.output[0].encrypted_content
    call = first.output[-1]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": PRINTED}
    history: list[Any] = [{"role": "user", "content": RUN}, *first.output, result]
    assert "NONCE-7f3" in responses.respond(history, **options).output_text
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        responses.respond(history[:-1], **options)


def test_responses_reject_a_thought_that_is_not_theirs(responses: Client) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "bm8="}
    history = [{"role": "user", "content": HELLO}, thought, {"role": "assistant", "content": "x"}]
    with pytest.raises(openai.BadRequestError) as caught:
        responses.respond(history, store=False)
    assert caught.value.code == "invalid_encrypted_content"


def test_responses_see_a_picture(responses: Client) -> None:
    parts = [
        {"type": "input_text", "text": COLOURS},
        {"type": "input_image", "image_url": URL, "detail": "auto"},
    ]
    assert responses.respond([{"role": "user", "content": parts}]).output_text == SEEN


def test_a_limit_on_output_leaves_a_response_incomplete(responses: Client) -> None:
    answer = responses.respond(COUNT, max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("personality", "error", "code"),
    [
        ("forbidden", "PermissionDeniedError", None),
        ("not-found", "NotFoundError", "model_not_found"),
        ("rate-limited", "RateLimitError", "rate_limit_exceeded"),
        ("insufficient-quota", "RateLimitError", "insufficient_quota"),
        ("error-500", "InternalServerError", None),
        ("context-openai", None, "context_length_exceeded"),
        ("rejects-reasoning-effort", "BadRequestError", None),
        ("not-found-vllm", "NotFoundError", None),
        ("content-must-be-string", "UnprocessableEntityError", None),
    ],
)
def test_refusals_become_the_librarys_own_exceptions(
    personality: str, error: str | None, code: str | None
) -> None:
    with running(personality) as simulator:
        client = Client(simulator)
        text = "word " * 4000 if error is None else HELLO
        message: Any = [{"role": "user", "content": [{"type": "text", "text": text}]}]
        with pytest.raises(openai.APIStatusError) as caught:
            client.ask(message, reasoning_effort="high")
    assert type(caught.value).__name__ == (error or "BadRequestError")
    assert code is None or caught.value.code == code


def test_a_wrong_key_and_a_wrong_model_are_told_apart() -> None:
    with running("openai") as simulator:
        with pytest.raises(openai.AuthenticationError):
            Client(simulator, key="sk-wrong").ask(HELLO)
        with pytest.raises(openai.NotFoundError) as caught:
            Client(simulator).ask(HELLO, model="gpt-99")
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            Client(simulator).respond(HELLO, model="gpt-99")
        assert refused.value.code == "model_not_found"
