from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pytest_ohllm.simulator.provider import MAX_BODY_BYTES

Connect = Callable[..., Any]


def test_a_stream_tells_the_same_answer_in_pieces(connect: Connect) -> None:
    client = connect()
    prompt = "Please echo 'three short words'"
    events = client.events(prompt)
    assert events[-1] == "[DONE]"
    choices = [event["choices"][0] for event in events[:-1]]
    assert choices[0]["delta"]["role"] == "assistant"
    text = [choice["delta"]["content"] for choice in choices if "content" in choice["delta"]]
    assert len(text) > 2
    assert "".join(text) == client.message(prompt)["content"]
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]


def test_a_tool_call_is_streamed_as_deltas_that_add_up(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect()
    prompt = "Run `echo one two` with the terminal."
    events = client.events(prompt, tools=[terminal])
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    whole = client.message(prompt, tools=[terminal])["tool_calls"][0]
    assert {call["index"] for call in calls} == {0}
    assert calls[0]["id"] == whole["id"]
    assert calls[0]["function"]["name"] == "terminal"
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == json.loads(whole["function"]["arguments"])
    assert events[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_usage_is_streamed_in_its_own_last_chunk_and_only_if_asked_for(connect: Connect) -> None:
    client = connect()
    without = client.events("Say hello.")
    assert all("usage" not in event for event in without[:-1])
    *others, last, done = client.events("Say hello.", stream_options={"include_usage": True})
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"] == client.post("Say hello.").json()["usage"]
    assert all(event["usage"] is None for event in others)


def test_equal_requests_get_equal_answers_from_equal_seeds(connect: Connect) -> None:
    bodies = [
        connect(seed=seed, api_key="sk-same").post("Say hello.", stream=stream).text
        for stream in (False, True)
        for seed in (1, 1, 2)
    ]
    assert bodies[0] == bodies[1] != bodies[2]
    assert bodies[3] == bodies[4] != bodies[5]


def test_ids_differ_from_one_turn_of_a_conversation_to_the_next(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("loops")
    history = client.history("Run `ls` with the terminal.", "[Command finished with exit code 0]")
    again = client.message(history, tools=[terminal])
    assert again["tool_calls"][0]["id"] != history[1]["tool_calls"][0]["id"]


def test_the_catalogue_lists_the_model(connect: Connect) -> None:
    client = connect("parrot")
    listed = client.http.get("models").json()
    assert [entry["id"] for entry in listed["data"]] == ["sim-parrot"] == [client.simulator.model]


@pytest.mark.parametrize("path", ["chat/completions", "models"])
def test_a_wrong_key_gets_openais_401_without_the_key(connect: Connect, path: str) -> None:
    client = connect()
    key = "sk-wrong-0123456789abcdefghij"
    method = "GET" if path == "models" else "POST"
    response = client.http.request(method, path, headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == 401
    error = response.json()["error"]
    assert error["code"] == "invalid_api_key"
    assert error["message"].startswith("Incorrect API key provided: sk-")
    assert key not in response.text


def test_a_missing_key_gets_openais_other_401(connect: Connect) -> None:
    response = httpx.post(f"{connect().simulator.base_url}/chat/completions", json={})
    assert response.status_code == 401
    assert "You didn't provide an API key" in response.json()["error"]["message"]


def test_every_simulator_has_a_key_of_its_own(connect: Connect) -> None:
    one, other = connect(), connect()
    assert one.simulator.api_key != other.simulator.api_key
    key = {"Authorization": f"Bearer {one.simulator.api_key}"}
    assert other.http.get("models", headers=key).status_code == 401


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions/chat/completions"])
def test_a_path_that_is_not_served_gets_a_json_404(connect: Connect, path: str) -> None:
    client = connect()
    response = client.http.post(client.simulator.base_url.removesuffix("/v1") + path, json={})
    assert response.status_code == 404
    assert response.json()["error"]["message"] == f"Invalid URL (POST {path})"


def test_a_method_that_is_not_served_gets_a_json_405(connect: Connect) -> None:
    response = connect().http.get("chat/completions")
    assert response.status_code == 405
    assert "Not allowed to GET" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"{not json", None, "could not parse the JSON body"),
        (b"[]", "body", "expected an object, but got an array"),
        (b"{}", None, "you must provide a model parameter"),
        (b'{"model": "m"}', "messages", "Missing required parameter: 'messages'."),
        (b'{"model": "m", "messages": "hi"}', "messages", "but got a string instead"),
        (b'{"model": "m", "messages": []}', "messages", "empty array"),
        (b'{"model": "m", "messages": [{}]}', "messages[0].role", "messages[0].role"),
        (
            b'{"model": "m", "messages": [{"role": "ai"}]}',
            "messages[0].role",
            "Invalid value: 'ai'",
        ),
        (
            b'{"model": "m", "messages": [{"role": "user", "content": 1}]}',
            "messages[0].content",
            "but got an integer instead",
        ),
        (
            b'{"model": "m", "messages": [{"role": "user"}], "tools": [{"type": "function"}]}',
            "tools[0].function",
            "Missing required parameter: 'tools[0].function'.",
        ),
        (
            b'{"model": "m", "messages": [{"role": "assistant", "tool_calls": [7]}]}',
            "messages[0].tool_calls",
            "function",
        ),
    ],
)
def test_a_bad_request_gets_a_400_that_names_the_field(
    connect: Connect, body: bytes, param: str | None, words: str
) -> None:
    response = connect().http.post("chat/completions", content=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert words in error["message"]


def test_a_body_over_the_limit_gets_413(connect: Connect) -> None:
    client = connect()
    response = client.http.post("chat/completions", content=b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert client.simulator.journal[0].status == 413


def test_answers_on_one_connection_do_not_wait_for_delayed_acknowledgements(
    connect: Connect,
) -> None:
    client = connect()
    client.post("Say hello.")
    started = time.perf_counter()
    for _ in range(20):
        client.post("Say hello.")
    # With Nagle's algorithm each of the twenty would cost about 40 ms.
    assert time.perf_counter() - started < 0.6
