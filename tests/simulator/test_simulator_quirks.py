"""Every personality differs from a healthy one, in the way that it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.provider import Provider
from pytest_ohllm.simulator.response import Call, Response, Wait
from tests.simulator.conformance import COUNT, HELLO, RUN
from tests.simulator.corpus import (
    KEY,
    MODEL,
    requests,
    result,
    spoken,
    thought,
    user,
)

Connect = Callable[..., Any]

HEALTHY = {row.name for row in personalities.table() if row.name == row.protocol} | {
    "default",
    "openai",
    "litellm-proxy",  # these two differ by what a profile of theirs asks for
    "missing-v1",
}


def _plan(response: Response) -> object:
    """What tells two responses apart; an endless body by its first steps."""
    steps = []
    for step in response.steps:
        steps.append(step)
        if len(steps) > 400:
            break
    return response.status, response.content_type, response.complete, dict(response.headers), steps


def _plans(personality: Personality) -> list[object]:
    provider = Provider(personality, MODEL, 0, KEY)
    return [_plan(provider.handle(call)) for call in requests(personality.protocol)]


@cache
def _healthy(protocol: str) -> list[object]:
    """What an endpoint without any quirk answers."""
    return _plans(Personality("healthy", "nothing special", spoken=protocol))


@pytest.mark.parametrize("name", [n for n in personalities.names() if n not in HEALTHY])
def test_a_personality_is_not_what_a_healthy_endpoint_is(name: str) -> None:
    personality = personalities.get(name)
    assert _plans(personality) != _healthy(personality.protocol)


@pytest.mark.parametrize("name", ["drip", "html-200", "loops", "wrong-command", "any-model"])
def test_a_quirk_on_another_occasion_leaves_the_endpoint_healthy(name: str) -> None:
    assert _plans(personalities.get(f"{name}@9999")) == _healthy("chat")


@pytest.mark.parametrize("protocol", ["responses", "anthropic", "gemini", "ollama"])
def test_every_quirk_can_be_had_over_every_protocol(protocol: str) -> None:
    for name in personalities.names():
        personality = personalities.get(f"{protocol}+{name}")
        assert personality.protocol == protocol
        assert all(_plans(personality))


def test_there_are_more_than_sixty_and_every_row_says_what_is_expected() -> None:
    rows = personalities.table()
    assert [row.name for row in rows] == list(personalities.names())
    assert len(rows) > 140
    assert len({row.description for row in rows}) == len(rows)
    for row in rows:
        assert (row.verdict == "WORKS WITH SETTINGS") == bool(row.remedy), row.name


@pytest.mark.parametrize(
    ("name", "about", "words"),
    [
        ("message-id-required", {"id": "msg_1"}, "without its required following item"),
        ("annotations-required", {}, "Required property 'annotations' is missing"),
    ],
)
def test_what_the_responses_api_said_must_come_back_as_it_was(
    connect: Connect, name: str, about: dict[str, Any], words: str
) -> None:
    client = connect(name)
    whole = spoken("OK", **about)
    if not about:
        whole["content"][0]["annotations"] = []

    def post(message: dict[str, Any]) -> Any:
        history = [user(HELLO), thought("rs_1"), message, user(HELLO)]
        body = {"model": client.simulator.model, "input": history, "store": False}
        return client.http.post("responses", json=body)

    refused = post(spoken("OK"))
    assert refused.status_code == 400 and words in refused.json()["error"]["message"]
    assert post(whole).status_code == 200


def test_a_stream_is_cut_in_the_middle_of_a_character(connect: Connect) -> None:
    client = connect("split-characters")
    body = {"model": client.simulator.model, "stream": True, "messages": [user("Say '\u05e9'.")]}
    with client.http.stream("POST", "chat/completions", json=body) as response:
        writes = list(response.iter_raw())
    assert any(_undecodable(write) for write in writes)
    assert "\u05e9" in b"".join(writes).decode()


@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_a_model_without_sampling_does_not_even_take_the_default(
    connect: Connect, field: str
) -> None:
    client = connect("responses-without-sampling")
    body = {"model": client.simulator.model, "input": HELLO}

    refused = client.http.post("responses", json=body | {field: 1.0})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, field)
    assert client.http.post("responses", json=body).status_code == 200


def _undecodable(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def test_a_buffered_stream_is_one_write_that_takes_as_long_as_the_model(connect: Connect) -> None:
    provider = Provider(personalities.get("buffered-stream"), MODEL, 0, KEY)

    def steps(prompt: str) -> list[Any]:
        body = {"model": MODEL, "stream": True, "messages": [user(prompt)]}
        headers = {"authorization": f"Bearer {KEY}"}
        call = Call("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
        return list(provider.handle(call).steps)

    (short, _), (long, whole) = steps(HELLO), steps(COUNT)
    assert isinstance(short, Wait) and isinstance(long, Wait) and isinstance(whole, bytes)
    assert short.seconds + 0.5 < long.seconds < 1


def test_a_truncated_stream_has_no_end_and_a_broken_one_an_error(connect: Connect) -> None:
    assert len(connect("truncated-frames").events(COUNT)) == 4
    assert "error" in connect("error-mid-stream").events(COUNT)[-1]


def test_what_a_remedy_does_on_the_wire_is_accepted(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("reasoning-required")
    call = client.message(RUN, tools=[terminal])
    printed = result(call["tool_calls"][0]["id"], "W-1\n[exit code 0]")
    lost = {name: value for name, value in call.items() if name != "reasoning_content"}
    assert client.post([user(RUN), lost, printed], tools=[terminal]).status_code == 400
    assert client.post([user(RUN), call, printed], tools=[terminal]).status_code == 200


def test_another_path_of_the_same_server_takes_the_same_key(connect: Connect) -> None:
    client = connect("wrong-plan")
    refused = client.post(HELLO)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "1113")
    other = f"{client.simulator.origin}/api/coding/paas/v4/chat/completions"
    body = {"model": client.simulator.model, "messages": [user(HELLO)]}
    assert client.http.post(other, json=body).status_code == 200


def test_facts_about_models_are_served_where_clients_look(connect: Connect) -> None:
    client = connect("litellm-proxy")
    info = client.http.get(f"{client.simulator.origin}/v1/model/info").json()["data"][0]
    assert info["model_name"] == client.simulator.model
    assert info["model_info"]["supports_function_calling"] is True
    for path in ("/api/tags", "/v1beta/models", "/v1/models", "/api/version"):
        assert client.http.get(client.simulator.origin + path).status_code == 200
    assert client.http.post(f"{client.simulator.origin}/v1/models").status_code == 405
    shown = client.http.post(f"{client.simulator.origin}/api/show", json={"model": "x"})
    assert "capabilities" in shown.json()
