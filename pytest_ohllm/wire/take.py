"""One HTTP exchange while it happens, and the record that becomes of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from pytest_ohllm.model import Exchange
from pytest_ohllm.wire import frames

MAX_BODY_BYTES = 4 * 1024 * 1024
"""How much of one body is kept; the rest passes through unrecorded."""

_CREDENTIAL_HEADER = re.compile(
    r"(?:^|[-_])(?:authorization|auth|key|token|secret|password|cookie|credential|signature)$",
    re.IGNORECASE,
)
"""The last word tells: ``x-goog-api-key`` is one, ``x-ratelimit-remaining-tokens`` is not."""


class Take:
    """One exchange in the making: ``body`` is what has arrived of it so far."""

    def __init__(self, request: httpx.Request) -> None:
        self.request = request
        self.started = time.time()
        self._clock = time.monotonic()
        self.seconds: float | None = None
        self.first_byte: float | None = None
        self.chunks = 0
        self.body = bytearray()
        self.response: httpx.Response | None = None
        self.error: str | None = None

    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._clock

    def add(self, chunk: bytes) -> None:
        """Take down what has just arrived."""
        if self.first_byte is None:
            self.first_byte = self.elapsed()
        self.chunks += 1
        self.body += chunk[: max(0, MAX_BODY_BYTES - len(self.body))]

    def finish(self) -> bool:
        """Stop the clock; whether it was still running."""
        if self.seconds is not None:
            return False
        self.seconds = self.elapsed()
        return True

    def exchange(self, redact: Callable[[Any], Any]) -> Exchange:
        """The record, of as much as there is."""
        response = self.response
        return Exchange(
            method=self.request.method,
            url=redact(str(self.request.url)),
            request_headers=_headers(self.request.headers, redact),
            request=redact(_parsed(_request_body(self.request))),
            status=response.status_code if response else None,
            response_headers=_headers(response.headers, redact) if response else {},
            response=_kept(_decoded(response, bytes(self.body)), redact) if response else None,
            error=redact(self.error) if self.error else None,
            started=self.started,
            seconds=self.elapsed() if self.seconds is None else self.seconds,
            first_byte=self.first_byte,
            chunks=self.chunks,
        )


def _headers(headers: httpx.Headers, redact: Callable[[Any], Any]) -> dict[str, str]:
    return {
        name.lower(): "[REDACTED]" if _CREDENTIAL_HEADER.search(name) else redact(value)
        for name, value in headers.items()
    }


def _request_body(request: httpx.Request) -> bytes:
    try:
        return request.content
    except httpx.RequestNotRead:
        return b""


def _decoded(response: httpx.Response, raw: bytes) -> bytes:
    """The body without its content-encoding, or as it came if it cannot be decoded."""
    if "content-encoding" not in response.headers:
        return raw
    try:
        return httpx.Response(200, headers=response.headers, content=raw).content
    except httpx.DecodingError:
        return raw


def _kept(body: bytes, redact: Callable[[Any], Any]) -> Any:
    """A response as it is kept: without secrets, whole ones and those that a stream spells out."""
    content = _parsed(body)
    return redact(frames.redacted(content, redact) if isinstance(content, str) else content)


def _parsed(body: bytes) -> Any:
    """JSON as data, anything else as text; ``None`` for no body at all."""
    if not body:
        return None
    text = body.decode("utf-8", errors="replace")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
