"""The provider as a Starlette application: requests are read, answered, recorded, played back."""

from __future__ import annotations

import asyncio
from math import inf

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pytest_ohllm.simulator.journal import Journal
from pytest_ohllm.simulator.provider import MAX_BODY_BYTES, Provider
from pytest_ohllm.simulator.response import Call, Response, Wait

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def application(provider: Provider, journal: Journal) -> Starlette:
    """One route for everything: the provider knows its paths."""

    async def endpoint(request: Request) -> HttpResponse:
        call = await _read(request)
        head = _head(request) if call is None else call
        response = provider.too_large() if call is None else provider.handle(call)
        # Recorded first: a client that has its answer finds the entry.
        journal.record(head, provider.personality.name, response.status)
        return _Playback(response)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=_METHODS)])


def _head(request: Request, body: bytes = b"") -> Call:
    return Call(
        method=request.method,
        path=request.scope["path"],
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        query=request.url.query,
    )


async def _read(request: Request) -> Call | None:
    """The request with its body, or ``None`` if that is larger than the limit."""
    body = bytearray()
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            # Too large a body is still read to its end, or the client could not read the refusal.
            if size <= MAX_BODY_BYTES:
                body += chunk
    except ClientDisconnect:
        pass  # nobody is left to answer; what arrived is judged and recorded like any request
    return _head(request, bytes(body)) if size <= MAX_BODY_BYTES else None


class _Playback(HttpResponse):
    """Plays a planned response, one write a step, until it ends or the client has left."""

    def __init__(self, response: Response) -> None:
        self._plan = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await self._play(send, gone)
        finally:
            gone.cancel()

    async def _play(self, send: Send, gone: asyncio.Task[None]) -> None:
        plan = self._plan
        start: dict[str, object] | None = _start(plan)
        # Pauses add up from the beginning: what writing takes does not slow the model down.
        due = asyncio.get_running_loop().time()
        for step in plan.steps:
            if isinstance(step, Wait):
                due += step.seconds
                await asyncio.wait({gone}, timeout=_until(due))
            elif plan.status is not None:
                if start is not None:
                    await send(start)
                    start = None
                await send({"type": "http.response.body", "body": step, "more_body": True})
            if gone.done():
                return
        if plan.status is None or not plan.complete:
            return  # without an end of the body the server drops the connection
        if start is not None:
            await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _start(plan: Response) -> dict[str, object]:
    """The head: a body that is known as a whole gets its length, others go out in chunks."""
    headers = {"content-type": plan.content_type}
    if isinstance(plan.steps, tuple):
        writes = [step for step in plan.steps if isinstance(step, bytes)]
        if len(writes) <= 1:
            headers["content-length"] = str(sum(map(len, writes)))
    merged = {**headers, **plan.headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in merged.items()]
    return {"type": "http.response.start", "status": plan.status, "headers": raw}


def _until(due: float) -> float | None:
    """Seconds until the loop's time ``due``; ``None`` for ever."""
    return None if due == inf else max(0.0, due - asyncio.get_running_loop().time())


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
