"""Bound every read from a socket by a deadline.

A read timeout starts anew with each byte: an endpoint that sends its headers one byte at a time
never trips it, and nothing above the socket sees a byte before the headers are complete.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import httpcore

Remaining = Callable[[], float | None]
"""Seconds that are left to the calling thread, at least 0; ``None`` without a deadline."""

TIME_IS_UP = "the response had not ended when the time for this check was up"

_original: Any = None


def install(remaining: Remaining) -> None:
    """Bound the connections that httpx opens from now on, until ``uninstall``."""
    global _original
    connect: Any = httpcore.SyncBackend.connect_tcp
    _original = connect

    def connect_tcp(self: httpcore.SyncBackend, *args: Any, **kwargs: Any) -> Any:
        return _BoundedStream(connect(self, *args, **kwargs), remaining)

    httpcore.SyncBackend.connect_tcp = connect_tcp  # type: ignore[method-assign]


def uninstall() -> None:
    """Leave new connections alone; those that were opened meanwhile ask ``remaining`` for ever."""
    global _original
    if _original is not None:
        httpcore.SyncBackend.connect_tcp = _original  # type: ignore[method-assign]
        _original = None


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose reads end when the time is up, however slowly bytes trickle in."""

    def __init__(self, inner: httpcore.NetworkStream, remaining: Remaining) -> None:
        self._inner, self._remaining = inner, remaining

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._remaining()
        if left is not None:
            if left == 0:
                raise httpcore.ReadTimeout(TIME_IS_UP)
            timeout = left if timeout is None else min(timeout, left)
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return _BoundedStream(inner, self._remaining)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
