"""The provider as a Starlette application: requests are read, answered, recorded, played back."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pytest_ohllm.simulator.journal import Journal
from pytest_ohllm.simulator.protocols import CODECS
from pytest_ohllm.simulator.protocols.codec import Codec
from pytest_ohllm.simulator.provider import MAX_BODY_BYTES, Provider
from pytest_ohllm.simulator.response import Call, Response, Step, Wait

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def application(provider: Provider, journal: Journal) -> Starlette:
    """The routes of every protocol, and a realistic error for every other path."""
    front = _Front(provider, journal)
    routes = []
    for codec in CODECS:
        routes.append(front.conversation(codec))
        routes += [front.catalogue(codec, path) for path in codec.catalogues]
    return Starlette(routes=[*routes, front.anything_else()])


class _Front:
    """Makes the routes; each reads the whole request before the provider sees it."""

    def __init__(self, provider: Provider, journal: Journal) -> None:
        self._provider = provider
        self._journal = journal

    def conversation(self, codec: Codec) -> Route:
        async def endpoint(request: Request) -> HttpResponse:
            call = await _read(request)
            if call is None:
                return self._play(_head(request), self._provider.too_large())
            if request.method != "POST":
                return self._play(call, self._provider.astray(call, known_path=True))
            return self._play(call, self._provider.converse(codec, call))

        return Route(codec.path, endpoint, methods=_METHODS)

    def catalogue(self, codec: Codec, path: str) -> Route:
        async def endpoint(request: Request) -> HttpResponse:
            call = _head(request)
            if request.method != "GET":
                return self._play(call, self._provider.astray(call, known_path=True))
            return self._play(call, self._provider.catalogue(codec, call))

        return Route(path, endpoint, methods=_METHODS)

    def anything_else(self) -> Route:
        async def endpoint(request: Request) -> HttpResponse:
            call = await _read(request)
            if call is None:
                return self._play(_head(request), self._provider.too_large())
            return self._play(call, self._provider.astray(call))

        return Route("/{path:path}", endpoint, methods=_METHODS)

    def _play(self, call: Call, response: Response) -> HttpResponse:
        # Recorded first: a client that has its answer finds the entry.
        self._journal.record(call, self._provider.personality.name, response.status)
        return _Playback(response)


def _head(request: Request, body: bytes = b"") -> Call:
    return Call(
        method=request.method,
        path=request.url.path,
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
        steps = plan.steps
        started = False
        # A body that is known as a whole gets its length, as servers do; others go out in chunks.
        whole = steps if isinstance(steps, tuple) and _is_whole(steps) else None
        if plan.status is not None and whole is not None:
            length = sum(len(step) for step in whole if isinstance(step, bytes))
            await send(_start(plan, {"content-length": str(length)}))
            started = True
        for step in steps:
            if isinstance(step, Wait):
                seconds = None if step.seconds == float("inf") else step.seconds
                await asyncio.wait({gone}, timeout=seconds)
            elif plan.status is not None:
                if not started:
                    await send(_start(plan, {}))
                    started = True
                await send({"type": "http.response.body", "body": step, "more_body": True})
            if gone.done():
                return
        if plan.status is None or not plan.complete:
            return  # without an end of the body the server drops the connection
        if not started:
            await send(_start(plan, {}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_whole(steps: tuple[Step, ...]) -> bool:
    return len(steps) <= 1 and not any(isinstance(step, Wait) for step in steps)


def _start(plan: Response, headers: dict[str, str]) -> dict[str, object]:
    merged = {"content-type": plan.content_type, **headers, **plan.headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in merged.items()]
    return {"type": "http.response.start", "status": plan.status, "headers": raw}


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
