"""Personalities of tool calls: the form in which they are written, their ids, their number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from pytest_ohllm.simulator.personalities import wire
from pytest_ohllm.simulator.personalities.declaration import (
    Behave,
    Deliver,
    Personality,
    works_by_prompt,
)
from pytest_ohllm.simulator.response import Refusal, Response
from pytest_ohllm.simulator.turn import Reply, ToolCall, Turn

_LONG = 80  # characters; OpenAI accepts ids of 64


def each(change: Callable[[ToolCall], ToolCall]) -> Behave:
    """``change`` done to every call of a reply."""

    def behave(turn: Turn, reply: Reply) -> Reply:
        return replace(reply, tool_calls=tuple(map(change, reply.tool_calls)))

    return behave


def _written(form: Callable[[ToolCall], str]) -> Behave:
    """Calls stand in the text, as with a server whose tool parser is missing. A prompt that asks
    for a format of its own is followed."""

    def behave(turn: Turn, reply: Reply) -> Reply:
        if not reply.tool_calls or turn.prompt_based:
            return reply
        return Reply(text="\n".join(form(call) for call in reply.tool_calls))

    return behave


def edit_calls(change: Callable[[wire.Document], wire.Document]) -> Deliver:
    """``change`` done to every call on the wire, whole or a delta."""
    edit = wire.each_message(wire.each_call(change))
    return lambda turn, response: edit(response)


def _as_json(call: ToolCall) -> str:
    return json.dumps({"name": call.name, "parameters": dict(call.arguments)})


def _as_hermes(call: ToolCall) -> str:
    inner = json.dumps({"name": call.name, "arguments": dict(call.arguments)})
    return f"<tool_call>\n{inner}\n</tool_call>"


def _as_xml(call: ToolCall) -> str:
    lines = [f"<parameter={name}>\n{value}\n</parameter>" for name, value in call.arguments.items()]
    return "\n".join(["<tool_call>", f"<function={call.name}>", *lines, "</function>"])


def _as_python(call: ToolCall) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"[{call.name}({arguments})]"


def _without(*names: str) -> Callable[[wire.Document], wire.Document]:
    return lambda call: {name: value for name, value in call.items() if name not in names}


def _short_ids(turn: Turn, reply: Reply) -> Reply:
    number = sum(len(m.tool_calls) for m in turn.messages)
    calls = [
        replace(call, id=f"sim{number + index:06d}") for index, call in enumerate(reply.tool_calls)
    ]
    return replace(reply, tool_calls=tuple(calls))


def _wants_short_ids(turn: Turn) -> Refusal | None:
    """Mistral's rule, which only ids from elsewhere break."""
    for message in turn.messages:
        for call in message.tool_calls:
            if len(call.id or "") != 9 or not (call.id or "").isalnum():
                return Refusal(
                    400,
                    f"Tool call id was {call.id} but must be a-z, A-Z, 0-9, with a length of 9.",
                    type="invalid_request_message_error",
                    code=3280,
                )
    return None


def _wants_single_calls(turn: Turn) -> Refusal | None:
    if all(len(message.tool_calls) < 2 for message in turn.messages):
        return None
    return Refusal(
        400,
        "This model only supports single tool-calls at once!",
        type="BadRequestError",
        code=400,
    )


def _one_at_a_time(turn: Turn, reply: Reply) -> Reply:
    return replace(reply, tool_calls=reply.tool_calls[:1])


def _finish_stop(turn: Turn, response: Response) -> Response:
    def edit(document: wire.Document) -> wire.Document:
        choices = [
            {**c, "finish_reason": "stop"} if c.get("finish_reason") == "tool_calls" else c
            for c in document.get("choices") or ()
        ]
        return {**document, "choices": choices}

    return wire.edited(response, edit)


def works(
    name: str, description: str, *, behave: Behave | None = None, **about: object
) -> Personality:
    """A healthy personality, unless ``about`` says otherwise."""
    return Personality(
        name,
        description,
        healthy=True,
        verdict="WORKS",
        behave=(behave,) if behave else (),
        **about,  # type: ignore[arg-type]
    )


PERSONALITIES = (
    works_by_prompt(
        "call-as-json",
        "writes tool calls into the content as bare JSON",
        behave=(_written(_as_json),),
    ),
    works_by_prompt(
        "call-as-hermes",
        "writes tool calls into the content as JSON between `<tool_call>` tags",
        behave=(_written(_as_hermes),),
    ),
    works_by_prompt(
        "call-as-xml",
        "writes tool calls into the content as `<function=…>` XML, as Qwen3-Coder does",
        behave=(_written(_as_xml),),
    ),
    works_by_prompt(
        "call-as-python",
        "writes tool calls into the content as Python, as Llama 4 does",
        behave=(_written(_as_python),),
    ),
    works(
        "delta-without-index",
        "streams tool calls whose deltas have no index",
        deliver=(edit_calls(_without("index")),),
    ),
    works(
        "delta-without-id",
        "makes tool calls without an id: in streams they are lost",
        deliver=(edit_calls(_without("id")),),
        stage="D",
        gate="streaming_tools",
        kind="model_limitation",
    ),
    works(
        "duplicate-ids",
        "gives every tool call the same id",
        behave=each(lambda call: replace(call, id="call_0")),
    ),
    works(
        "long-ids",
        "gives tool calls ids of 80 characters",
        behave=lambda turn, reply: each(
            lambda call: replace(
                call, id=f"call_{turn.digest(0)}{call.name}"[:_LONG].ljust(_LONG, "x")
            )
        )(turn, reply),
    ),
    works(
        "short-ids-required",
        "Mistral: tool call ids have nine characters, and any other in the history is rejected",
        behave=_short_ids,
        refuse=(_wants_short_ids,),
    ),
    works(
        "finish-stop",
        "ends an answer with tool calls by the finish reason `stop`",
        deliver=(_finish_stop,),
    ),
    works(
        "one-call-at-a-time",
        "makes one tool call in an answer, where several are asked for",
        behave=_one_at_a_time,
    ),
    works(
        "single-calls-only",
        "makes two calls at once, and rejects them in the history, as Llama 3's template does",
        refuse=(_wants_single_calls,),
        stage="D",
        gate="parallel",
        kind="model_limitation",
    ),
)
