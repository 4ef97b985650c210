"""Personalities of a tool call's arguments: JSON that is not quite what it should be."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities import wire
from pytest_ohllm.simulator.personalities.calls import each, edit_calls, works
from pytest_ohllm.simulator.personalities.declaration import Behave, Personality, cannot_act
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Reply, ToolCall, Turn

_MISREAD = re.compile(r"\s*(?:\[[^\]]*\]\s*)?Error validating tool\b")
"""What the SDK tells a model whose arguments it could not read."""


def _object(call: wire.Document) -> wire.Document:
    """Whole arguments as an object; pieces of a stream stay text, as nothing else is possible."""
    function = call.get("function") or {}
    try:
        arguments = json.loads(function.get("arguments") or "null")
    except ValueError:
        return call
    if not isinstance(arguments, dict):
        return call
    return {**call, "function": {**function, "arguments": arguments}}


def _malformed_once(turn: Turn, reply: Reply) -> Reply:
    """The first call of a conversation is cut short; once that is told, it gets it right."""
    if not any(message.role == "tool" for message in turn.messages):
        return each(lambda call: replace(call, raw=call.json[: len(call.json) // 2]))(turn, reply)
    # An error of the client about the arguments is no result: the call has yet to be made.
    results = tuple(m for m in turn.messages if m.role != "tool" or not _MISREAD.match(m.text))
    return agent.answer(replace(turn, messages=results))


def _reads_arguments(turn: Turn) -> Refusal | None:
    """A template that parses the arguments of earlier calls."""
    for index, item in enumerate(turn.fields.get("messages") or ()):
        for call in item.get("tool_calls") or ():
            try:
                json.loads(call["function"]["arguments"])
            except (KeyError, TypeError, ValueError):
                return Refusal(
                    400,
                    f"invalid params, invalid function arguments json string, tool_call_id: "
                    f"{call.get('id')} (2013), message {index}",
                    type="bad_request_error",
                )
    return None


def _raw_newlines(call: ToolCall) -> str:
    """The arguments with a line end in the summary that no JSON parser should let pass."""
    arguments = {**call.arguments, "summary": "Run the command\nthat was asked for"}
    return json.dumps(arguments).replace("\\n", "\n")


def _native_only(name: str, description: str, behave: Behave) -> Personality:
    """Native calls are made and cannot be read; in the SDK's own format there is nothing wrong."""
    broken = cannot_act(name, description, behave)
    return replace(broken, verdict="WORKS WITH SETTINGS", remedy={"native_tool_calling": False})


PERSONALITIES = (
    works(
        "arguments-object",
        "gives the arguments of a call as an object in place of a string",
        deliver=(edit_calls(_object),),
    ),
    _native_only(
        "arguments-double-encoded",
        "encodes the arguments' JSON twice",
        each(lambda call: replace(call, raw=json.dumps(call.json))),
    ),
    cannot_act(
        "arguments-empty",
        "gives the empty string as arguments",
        each(lambda call: replace(call, arguments={}, raw="")),
    ),
    cannot_act(
        "arguments-cut",
        "gives arguments whose JSON ends too early",
        each(lambda call: replace(call, arguments={}, raw=call.json[: len(call.json) // 2])),
    ),
    works(
        "arguments-raw-newline",
        "writes line ends into the arguments' strings without escaping them",
        behave=each(lambda call: replace(call, raw=_raw_newlines(call))),
    ),
    _native_only(
        "arguments-trailing-garbage",
        "writes a code fence behind the arguments' JSON",
        each(lambda call: replace(call, raw=call.json + "\n```")),
    ),
    works(
        "malformed-then-rejected",
        "gets its first call's arguments wrong, and rejects them unless the SDK repairs the replay",
        refuse=(_reads_arguments,),
        behave=_malformed_once,
    ),
)
