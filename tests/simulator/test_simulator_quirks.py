"""Every personality differs from a healthy one, in the way that it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.provider import Provider
from pytest_ohllm.simulator.response import Call, Response, Wait
from pytest_ohllm.simulator.seal import seal
from tests.simulator.conformance import COLOURS, COUNT, ENCODED, HELLO, RUN, SCHEMA, TWO

Connect = Callable[..., Any]

KEY = "sk-sim-quirks-0123456789"
MODEL = "sim-quirks"
URL = f"data:image/png;base64,{ENCODED}"
FALL_BACK = "Use the terminal tool to run `a`. If that fails, run `b` instead."
CALL = 'Call the tool `place` with these arguments:\n```json\n{"order": {"n": 1}}\n```'
RECALL = "Which word did I ask you to remember?"
EVENT = "<EVENT>\nMessageEvent (user)\n  user: Remember this word: plum.\n</EVENT>"
HEALTHY = {row.name for row in personalities.table() if row.name == row.protocol} | {
    "default",
    "openai",
    "litellm-proxy",  # these two differ by what a profile of theirs asks for
    "missing-v1",
}


def _tool(name: str, **extra: Any) -> dict[str, Any]:
    parameters = {**SCHEMA, **extra}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def _user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _called(identity: str, arguments: str = '{"command": "a"}', **about: Any) -> dict[str, Any]:
    function = {"name": "terminal", "arguments": arguments}
    call = {"id": identity, "type": "function", "function": function}
    return {"role": "assistant", "tool_calls": [call], **about}


def _two_calls() -> dict[str, Any]:
    calls = [_called(identity)["tool_calls"][0] for identity in "cd"]
    return {"role": "assistant", "tool_calls": calls}


def _result(identity: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": text}


def _chat() -> Iterator[dict[str, Any]]:
    """Requests that between them hold whatever some endpoint is particular about."""
    tools = [_tool("terminal"), _tool("finish"), _tool("place")]
    failed = _result("c", "no\n[The command completed with exit code 1.]")
    histories: list[list[dict[str, Any]]] = [
        [_user(HELLO)],
        [_user(RUN)],
        [_user(TWO)],
        [_user(COUNT)],
        [_user(CALL)],
        [_user("What is 2 + 3?")],
        [_user("Please echo 'h\u00e9llo \u05e9'")],
        [_user([{"type": "text", "text": HELLO, "cache_control": {"type": "ephemeral"}}])],
        [_user([{"type": "text", "text": COLOURS}, {"type": "image_url", "image_url": URL}])],
        [
            _user(
                [{"type": "text", "text": COLOURS}, {"type": "image_url", "image_url": "http://x"}]
            )
        ],
        [_user("Remember this word: plum."), _said("OK"), _user(RECALL)],
        [_user(FALL_BACK), _called("c"), failed],
        [_user(RUN), _called("c"), _result("c", f"{'long ' * 600}\n[exit code 0]")],
        [_user(TWO), _two_calls(), _result("c", "W-1"), _result("d", "W-2")],
        [_user(RUN), _called("c", "{broken"), failed],
        [_user(RUN), _called("c"), _user("and then?")],
        [_user(HELLO), _said(""), _user(HELLO)],
        [_user(HELLO), {"role": "system", "content": "be brief"}, _user(HELLO)],
        [_user(HELLO), _user(HELLO)],
        [{"role": "system", "content": "a context-aware state summary"}, _user(EVENT)],
    ]
    for messages in histories:
        for stream in (False, True):
            yield {"messages": messages, "tools": tools, "stream": stream}
            yield {"messages": messages, "stream": stream}
    for field, value in (
        *(("temperature", 0.5), ("top_p", 0.9), ("max_tokens", 9), ("stop", ["x"])),
        *(("max_completion_tokens", 200_000), ("parallel_tool_calls", True)),
        *(("tool_choice", "auto"), ("reasoning_effort", "high"), ("prompt_cache_key", "k")),
        ("stream_options", {"include_usage": True}),
    ):
        yield {"messages": [_user(RUN)], "tools": tools, field: value}
    for extra in ({"$schema": "x"}, {"additionalProperties": False}, {"$defs": {}}):
        yield {"messages": [_user(HELLO)], "tools": [_tool("terminal", **extra)]}
    yield {"messages": [_user(HELLO)], "stream": True, "stream_options": {"include_usage": True}}
    yield {"messages": [_user(HELLO)], "model": "another-model"}
    yield {"messages": [_user("word " * 6000)], "tools": tools}


def _calls(protocol: str) -> Iterator[Call]:
    """The requests of one protocol, and some that lead astray."""
    headers = {"authorization": f"Bearer {KEY}"}

    def post(path: str, body: dict[str, Any]) -> Call:
        return Call("POST", path, headers, json.dumps({"model": MODEL, **body}).encode())

    match protocol:
        case "chat":
            for body in _chat():
                yield post("/v1/chat/completions", body)
            yield post("/chat/completions", {"messages": [_user(HELLO)]})
            yield post("/api/paas/v4/chat/completions", {"messages": [_user(HELLO)]})
            tool = {"type": "function", "name": "terminal", "parameters": SCHEMA}
            yield post("/v1/responses", {"input": HELLO, "tools": [tool]})
        case "responses":
            reasoning = {"effort": "high", "summary": "auto"}
            include = ["reasoning.encrypted_content"]
            yield post(
                "/v1/responses", {"input": HELLO, "reasoning": reasoning, "include": include}
            )
        case "anthropic":
            for text in (HELLO, "word " * 6000):
                yield post("/v1/messages", {"max_tokens": 99, "messages": [_user(text)]})
            thought = {"type": "thinking", "thinking": "changed", "signature": seal("original")}
            said = {"role": "assistant", "content": [thought]}
            history = [_user(HELLO), said, _user(HELLO)]
            yield post("/v1/messages", {"max_tokens": 99, "messages": history})
        case "gemini":
            path = f"/v1beta/models/{MODEL}:generateContent"
            call = {"functionCall": {"name": "terminal", "args": {"command": "a"}}}
            result = {"functionResponse": {"name": "terminal", "response": {"output": "x"}}}
            yield post(path, {"contents": [{"parts": [{"text": HELLO}]}]})
            yield post(path, {"contents": [{"parts": [{"text": "word " * 6000}]}]})
            history = [{"role": "user", "parts": [{"text": RUN}]}]
            history += [{"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
            yield post(path, {"contents": history})
        case _:
            yield post("/api/chat", {"messages": [_user(RUN)], "tools": [_tool("terminal")]})


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
    return [_plan(provider.handle(call)) for call in _calls(personality.protocol)]


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


def _deltas(client: Any, prompt: str, tool: Any) -> list[dict[str, Any]]:
    events = client.events(prompt, tools=[tool])
    return [e["choices"][0]["delta"] for e in events if e != "[DONE]" and e["choices"]]


def test_call_deltas_lack_what_the_personality_leaves_out(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    for name, missing in (("delta-without-index", "index"), ("delta-without-id", "id")):
        deltas = _deltas(connect(name), RUN, terminal)
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        assert calls and all(missing not in call for call in calls)


def test_ids_are_equal_long_or_short(connect: Connect, terminal: dict[str, Any]) -> None:
    def ids(name: str) -> list[str]:
        return [c["id"] for c in connect(name).message(TWO, tools=[terminal])["tool_calls"]]

    assert ids("duplicate-ids") == ["call_0", "call_0"]
    assert [len(i) for i in ids("long-ids")] == [80, 80]
    assert ids("short-ids-required") == ["sim000000", "sim000001"]


def test_arguments_are_in_the_form_of_the_personality(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    def arguments(name: str) -> Any:
        message = connect(name).message(RUN, tools=[terminal])
        return message["tool_calls"][0]["function"]["arguments"]

    plain = arguments("default")
    assert arguments("arguments-object") == json.loads(plain)
    assert json.loads(arguments("arguments-double-encoded")) == plain
    assert arguments("arguments-empty") == ""
    assert arguments("arguments-trailing-garbage") == f"{plain}\n```"
    for broken in ("arguments-cut", "arguments-raw-newline"):
        with pytest.raises(json.JSONDecodeError):
            json.loads(arguments(broken))


def test_a_stream_is_cut_in_the_middle_of_a_character(connect: Connect) -> None:
    client = connect("split-characters")
    body = {"model": client.simulator.model, "stream": True, "messages": [_user("Say '\u05e9'.")]}
    with client.http.stream("POST", "chat/completions", json=body) as response:
        writes = list(response.iter_raw())
    assert any(_undecodable(write) for write in writes)
    assert "\u05e9" in b"".join(writes).decode()


def _undecodable(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def test_a_buffered_stream_is_one_write_and_a_truncated_one_has_no_end(connect: Connect) -> None:
    provider = Provider(personalities.get("buffered-stream"), MODEL, 0, KEY)
    body = {"model": MODEL, "stream": True, "messages": [_user(COUNT)]}
    call = Call(
        "POST",
        "/v1/chat/completions",
        {"authorization": f"Bearer {KEY}"},
        json.dumps(body).encode(),
    )
    steps = list(provider.handle(call).steps)
    assert isinstance(steps[0], Wait) and len(steps) == 2
    assert len(connect("truncated-frames").events(COUNT)) == 4
    assert "error" in connect("error-mid-stream").events(COUNT)[-1]


def test_what_a_remedy_does_on_the_wire_is_accepted(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("reasoning-required")
    call = client.message(RUN, tools=[terminal])
    result = _result(call["tool_calls"][0]["id"], "W-1\n[exit code 0]")
    lost = {name: value for name, value in call.items() if name != "reasoning_content"}
    assert client.post([_user(RUN), lost, result], tools=[terminal]).status_code == 400
    assert client.post([_user(RUN), call, result], tools=[terminal]).status_code == 200


def test_another_path_of_the_same_server_takes_the_same_key(connect: Connect) -> None:
    client = connect("wrong-plan")
    refused = client.post(HELLO)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "1113")
    other = f"{client.simulator.origin}/api/coding/paas/v4/chat/completions"
    body = {"model": client.simulator.model, "messages": [_user(HELLO)]}
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
