"""Record every HTTP exchange of a scenario, and bound the time that it may take.

The SDK's client libraries end at ``httpx.HTTPTransport``, below proxies' and retries' logic and
above the socket. Recording there sees exactly what was sent and received, and each chunk as it
arrives: an endpoint that drips one byte a second for ever never trips a read timeout, but it does
trip a deadline (see wire.deadline).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import httpx

from pytest_ohllm.model import Exchange
from pytest_ohllm.wire import deadline as deadlines
from pytest_ohllm.wire.take import Take

_current: ContextVar[Tape | None] = ContextVar("ohllm_tape", default=None)
_active: list[Tape] = []
_lock = threading.Lock()
_original: Any = None
_still_read: list[Any] = []
"""Streams of threads that were left behind: the garbage collector must not end them, either."""


class Tape:
    """The exchanges of one scenario, in the order in which they were begun.

    ``redact`` cleans every value before it is kept; ``deadline`` is a ``time.monotonic`` time after
    which transfers end as read timeouts; ``on_exchange`` hears of each exchange when it ends.
    ``playback`` answers in place of the network. ``preparing`` counts the seconds before the first
    request, by which the deadline is put off: the endpoint could not have used them.
    """

    def __init__(
        self,
        *,
        redact: Callable[[Any], Any] = lambda value: value,
        deadline: float | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
        playback: Callable[[httpx.Request], httpx.Response] | None = None,
    ) -> None:
        self.redact = redact
        self.deadline = deadline
        self.playback = playback
        self.preparing = 0.0
        self._started = time.monotonic()
        self._on_exchange = on_exchange
        self._takes: list[Take] = []
        self._streams: list[Any] = []

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything recorded so far, unfinished exchanges included."""
        return tuple(take.exchange(self.redact) for take in list(self._takes))

    @property
    def originals(self) -> dict[float, httpx.Request]:
        """The requests as they were sent, keys and all, by the time at which they began."""
        return {take.started: take.request for take in list(self._takes)}

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; ``None`` without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @contextmanager
    def recording(self) -> Iterator[Tape]:
        """Record what this thread sends, and what other threads send while no other tape runs."""
        token = _current.set(self)
        self._started = time.monotonic()
        with _lock:
            _active.append(self)
            if len(_active) == 1:
                _install()
        try:
            yield self
        finally:
            with _lock:
                _active.remove(self)
                if not _active:
                    _uninstall()
            _current.reset(token)
            self._close_streams()

    def _begin(self, request: httpx.Request) -> Take:
        if not self._takes and self.deadline is not None:
            self.preparing = time.monotonic() - self._started
            self.deadline += self.preparing
        take = Take(request)
        self._takes.append(take)
        return take

    def _hold(self, stream: Any) -> Any:
        """Keep the iterator of a body from the garbage collector until it is read to its end.

        Ending it closes its connection, under the lock of the connection's pool. The collector may
        run in a thread that holds this very lock, which would then wait for itself for ever. So
        what nobody reads any more (litellm stops at the last event) is closed by the tape, when
        its recording ends.
        """
        self._streams.append(stream)
        return stream

    def _release(self, stream: Any) -> None:
        with suppress(ValueError):  # the recording has ended meanwhile
            self._streams.remove(stream)

    def _close_streams(self) -> None:
        while self._streams:
            stream = self._streams.pop()
            try:
                stream.close()
            except ValueError:  # a thread that was left behind still reads it
                _still_read.append(stream)

    def _end(self, take: Take) -> None:
        if take.finish() and self._on_exchange is not None:
            self._on_exchange(take.exchange(self.redact))


class _RecordedStream(httpx.SyncByteStream):
    """A response body that is copied to the tape while the client reads it."""

    def __init__(self, inner: Any, take: Take, tape: Tape) -> None:
        self._inner, self._take, self._tape = inner, take, tape

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._tape._hold(iter(self._inner))
        try:
            for chunk in chunks:
                self._take.add(chunk)
                if self._tape.remaining == 0:
                    raise httpx.ReadTimeout(deadlines.TIME_IS_UP, request=self._take.request)
                yield chunk
            self._tape._release(chunks)
        except Exception as error:
            self._take.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._tape._end(self._take)

    def close(self) -> None:
        self._tape._end(self._take)
        if hasattr(self._inner, "close"):
            self._inner.close()


def _tape_of_this_thread() -> Tape | None:
    """The tape of the calling context, or the only one that runs: libraries start own threads."""
    tape = _current.get()
    if tape is not None:
        return tape
    return _active[0] if len(_active) == 1 else None


def _install() -> None:
    global _original
    send: Any = httpx.HTTPTransport.handle_request
    _original = send

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        tape = _tape_of_this_thread()
        if tape is None:
            response: httpx.Response = send(self, request)
            return response
        return _recorded(tape, send, self, request)

    httpx.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign]
    deadlines.install(_remaining_here)


def _remaining_here() -> float | None:
    tape = _tape_of_this_thread()
    return None if tape is None else tape.remaining


def _uninstall() -> None:
    global _original
    if _original is not None:
        httpx.HTTPTransport.handle_request = _original  # type: ignore[method-assign]
        _original = None
        deadlines.uninstall()


def _recorded(
    tape: Tape, send: Any, transport: httpx.HTTPTransport, request: httpx.Request
) -> httpx.Response:
    if tape.playback is not None:
        return tape.playback(request)
    take = tape._begin(request)
    _cap_timeouts(request, tape.remaining)
    try:
        response: httpx.Response = send(transport, request)
    except BaseException as error:
        take.error = f"{type(error).__name__}: {error}"
        tape._end(take)
        raise
    take.response = response
    response.stream = _RecordedStream(response.stream, take, tape)
    return response


def _cap_timeouts(request: httpx.Request, remaining: float | None) -> None:
    if remaining is None:
        return
    limit = max(0.01, remaining)
    timeouts = dict(request.extensions.get("timeout") or {})
    for phase in ("connect", "read", "write", "pool"):
        timeouts[phase] = min(timeouts.get(phase) or limit, limit)
    request.extensions = {**request.extensions, "timeout": timeouts}
