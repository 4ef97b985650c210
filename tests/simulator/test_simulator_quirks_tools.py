"""Quirks of tool calls: how they look on the wire, and what happens in the history."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.conformance import HELLO, RUN, SCHEMA, TWO
from tests.simulator.corpus import CALL, FALL_BACK, called, result, tool, user

Connect = Callable[..., Any]

MISREAD = "Error validating tool 'terminal': Expecting ',' delimiter. Arguments: unparseable JSON"


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


def test_an_alias_is_used_for_the_terminal_only(connect: Connect, terminal: dict[str, Any]) -> None:
    client = connect("tool-alias")

    def name(prompt: str) -> str:
        (call,) = client.message(prompt, tools=[terminal, tool("place")])["tool_calls"]
        return str(call["function"]["name"])

    assert (name(RUN), name(CALL)) == ("bash", "place")


@pytest.mark.parametrize(
    ("prompt", "arguments"),
    [
        (RUN, [{"command": "cat nonce.txt"}]),
        (CALL, [{"order": {"n": 1}}]),
        (FALL_BACK, [{"command": "a"}]),
        (TWO, [{"command": "cat a"}, {"command": "cat b"}]),
    ],
)
def test_what_was_malformed_is_written_again_once_the_client_says_so(
    connect: Connect, prompt: str, arguments: list[dict[str, Any]]
) -> None:
    client = connect("malformed-then-rejected")
    offered = {"tools": [tool("terminal"), tool("place")]}
    broken = client.message(prompt, **offered)["tool_calls"]
    for call in broken:
        with pytest.raises(json.JSONDecodeError):
            json.loads(call["function"]["arguments"])
    repaired = [{**c, "function": {**c["function"], "arguments": "{}"}} for c in broken]
    errors = [result(call["id"], MISREAD) for call in broken]
    history = [user(prompt), {"role": "assistant", "tool_calls": repaired}, *errors]
    again = client.message(history, **offered)["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in again] == arguments
    history[1] = {"role": "assistant", "tool_calls": broken}
    assert client.post(history, **offered).status_code == 400


def test_a_fallback_is_left_for_the_command_that_fails_not_for_the_call_that_was_misread(
    connect: Connect,
) -> None:
    client = connect("malformed-then-rejected")
    failed = result("d", "no\n[The command completed with exit code 1.]")
    history = [user(FALL_BACK), called("c"), result("c", MISREAD), called("d"), failed]
    assert client.commands(client.message(history, tools=[tool("terminal")])) == ["b"]


def test_tools_are_refused_by_one_endpoint_of_two(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("responses-without-tools")
    body = {"model": client.simulator.model, "input": HELLO}
    flat = {"type": "function", "name": "terminal", "parameters": SCHEMA}
    assert client.http.post("responses", json=body).status_code == 200
    assert client.http.post("responses", json=body | {"tools": [flat]}).status_code == 400
    assert client.post(HELLO, tools=[terminal]).status_code == 200
