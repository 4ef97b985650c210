"""The simulator as Google's own client library sees it."""

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
    RUN,
    SCHEMA,
    SEEN,
    TWO,
    running,
)

genai = pytest.importorskip("google.genai")
types = pytest.importorskip("google.genai.types")
errors = pytest.importorskip("google.genai.errors")


class Client:
    """Google's client, connected to one simulator."""

    def __init__(self, simulator: Any, key: str | None = None) -> None:
        self.model = simulator.model
        self.genai = genai.Client(
            api_key=key or simulator.api_key,
            http_options=types.HttpOptions(base_url=simulator.origin),
        )

    def ask(self, contents: Any, **config: Any) -> Any:
        return self.genai.models.generate_content(
            model=self.model, contents=contents, config=self.config(**config)
        )

    def stream(self, contents: Any, **config: Any) -> list[Any]:
        chunks = self.genai.models.generate_content_stream(
            model=self.model, contents=contents, config=self.config(**config)
        )
        return list(chunks)

    def config(self, *, tools: bool = False, thoughts: bool = False) -> Any:
        terminal = types.FunctionDeclaration(
            name="terminal", description=ABOUT, parameters_json_schema=SCHEMA
        )
        return types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[terminal])] if tools else None,
            thinking_config=types.ThinkingConfig(include_thoughts=True) if thoughts else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running("gemini") as simulator:
        yield Client(simulator)


def test_an_answer_comes_with_usage(client: Client) -> None:
    answer = client.ask(HELLO, thoughts=True)
    assert answer.text == "hello"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    parts = usage.candidates_token_count + usage.thoughts_token_count
    assert usage.total_token_count == usage.prompt_token_count + parts
    assert any(part.thought for part in answer.candidates[0].content.parts)


def test_a_stream_adds_up_to_the_answer(client: Client) -> None:
    chunks = client.stream(COUNT)
    assert len(chunks) > 30
    assert "".join(chunk.text or "" for chunk in chunks) == client.ask(COUNT).text
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize("stream", [False, True])
def test_functions_are_called_and_their_results_reported(client: Client, stream: bool) -> None:
    if stream:
        parts = [
            part
            for chunk in client.stream(TWO, tools=True, thoughts=True)
            for part in chunk.candidates[0].content.parts
            if part.text != ""
        ]
    else:
        parts = client.ask(TWO, tools=True, thoughts=True).candidates[0].content.parts
    calls = [part.function_call for part in parts if part.function_call]
    assert [call.args["command"] for call in calls] == ["cat a", "cat b"]
    assert next(part for part in parts if part.function_call).thought_signature
    results = [
        types.Part.from_function_response(
            name="terminal", response={"output": f"W-{index}\n[exit code 0]"}
        )
        for index in range(2)
    ]
    history = [
        types.Content(role="user", parts=[types.Part(text=TWO)]),
        types.Content(role="model", parts=parts),
        types.Content(role="user", parts=results),
    ]
    text = client.ask(history, tools=True).text
    assert "W-0" in text and "W-1" in text
    with pytest.raises(errors.ClientError, match="number of function response parts"):
        client.ask([*history[:2], types.Content(role="user", parts=results[:1])], tools=True)


def test_a_signature_that_is_not_ours_is_rejected(client: Client) -> None:
    call = types.Part(
        function_call=types.FunctionCall(name="terminal", args={"command": "ls"}),
        thought_signature=b"something else",
    )
    result = types.Part.from_function_response(name="terminal", response={"output": "x"})
    history = [
        types.Content(role="user", parts=[types.Part(text=RUN)]),
        types.Content(role="model", parts=[call]),
        types.Content(role="user", parts=[result]),
    ]
    with pytest.raises(errors.ClientError, match="Corrupted thought signature"):
        client.ask(history, tools=True)


def test_a_picture_is_seen(client: Client) -> None:
    picture = types.Part.from_bytes(data=PICTURE, mime_type="image/png")
    assert client.ask([COLOURS, picture]).text == SEEN


def test_the_models_are_listed(client: Client) -> None:
    assert [model.name for model in client.genai.models.list()] == [f"models/{client.model}"]


@pytest.mark.parametrize(
    ("personality", "error", "code", "status"),
    [
        ("not-found-gemini", "ClientError", 404, "NOT_FOUND"),
        ("rate-limited-gemini", "ClientError", 429, "RESOURCE_EXHAUSTED"),
        ("key-invalid-gemini", "ClientError", 400, "INVALID_ARGUMENT"),
        ("overloaded-gemini", "ServerError", 503, "UNAVAILABLE"),
        ("gemini+error-500", "ServerError", 500, "INTERNAL"),
    ],
)
def test_refusals_become_the_librarys_own_exceptions(
    personality: str, error: str, code: int, status: str
) -> None:
    with running(personality) as simulator, pytest.raises(errors.APIError) as caught:
        Client(simulator).ask(HELLO)
    assert (type(caught.value).__name__, caught.value.code) == (error, code)
    assert caught.value.status == status


def test_a_wrong_key_and_a_wrong_model_are_told_apart() -> None:
    with running("gemini") as simulator:
        with pytest.raises(errors.ClientError, match="API key not valid"):
            Client(simulator, key="AIza-wrong").ask(HELLO)
        client = Client(simulator)
        client.model = "gemini-99"
        with pytest.raises(errors.ClientError, match="models/gemini-99 is not found"):
            client.ask(HELLO)
