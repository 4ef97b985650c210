"""Personalities that repeat the client's key: in answers, commands, headers and error pages.

What they do is what careless proxies do. Whether the key comes out again is for the tests of
redaction to see; combined with ``anthropic``, ``gemini`` and so on they speak every protocol.
"""

from __future__ import annotations

import base64
from dataclasses import replace

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.response import HTML, Call, Response
from pytest_ohllm.simulator.turn import Reply, ToolCall, Turn

_PAGE = """<!DOCTYPE html>
<html><head><title>403 Forbidden</title></head>
<body><h1>Forbidden</h1><p>The gateway does not let this request through:</p>
<pre>{method} {path}
Authorization: Bearer {key}
Proxy-Authorization: Basic {basic}</pre></body></html>
"""


def _said(turn: Turn, reply: Reply) -> Reply:
    """The key beside everything that the model says, thinks, and writes into a call's summary."""
    note = f"(asked with the key {turn.key})"
    return replace(
        reply,
        text=f"{reply.text}\n\n{note}".strip() if reply.text or not reply.tool_calls else "",
        reasoning=f"{reply.reasoning} {note}" if reply.reasoning else "",
        tool_calls=tuple(_summed_up(call, note) for call in reply.tool_calls),
    )


def _summed_up(call: ToolCall, note: str) -> ToolCall:
    if "summary" not in call.arguments:
        return call
    return replace(call, arguments={**call.arguments, "summary": note})


def _headers(turn: Turn, response: Response) -> Response:
    bearer = {"x-received-key": turn.key, "x-request-auth": f"Bearer {turn.key}"}
    return replace(response, headers={**response.headers, **bearer})


def _typed(turn: Turn, reply: Reply) -> Reply:
    """A command that prints the key, in place of the one that was asked for."""
    terminal = agent.find_terminal(turn.tools)
    if not reply.tool_calls or terminal is None:
        return reply
    call = agent.call_terminal(terminal, f"echo '{turn.key}'")
    return replace(reply, tool_calls=(call,))


def _page(call: Call, key: str | None) -> Response:
    """A gateway's error page that lists the request, key and all."""
    basic = base64.b64encode(f"user:{key or ''}".encode()).decode()
    page = _PAGE.format(method=call.method, path=call.path, key=key or "", basic=basic)
    return Response(403, (page.encode(),), HTML, {"x-received-key": key or ""})


PERSONALITIES = (
    Personality(
        "key-in-answers",
        "competent, and repeats the key in answers, thoughts, calls, stream frames and headers",
        healthy=True,
        verdict="WORKS",
        behave=(_said,),
        deliver=(_headers,),
    ),
    Personality(
        "key-in-commands",
        "calls the terminal with a command that prints the key",
        verdict="DOES NOT WORK",
        stage="C",
        kind="model_limitation",
        behave=(_typed,),
    ),
    Personality(
        "key-in-error-page",
        "403 on every path with a gateway's HTML page that lists the request, key and all",
        stage="A",
        kind="configuration",
        intercept=(_page,),
    ),
)
