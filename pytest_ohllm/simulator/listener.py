"""A loopback HTTP server in a thread: up in milliseconds, silent, and gone when it is told to go.

uvicorn's protocol is used without its ``Server``, which polls ten times a second, waits for open
connections when it stops, and configures loggers that belong to the host process.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from concurrent.futures import Future
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_STOP_SECONDS = 5.0
_BACKLOG = 512

_LOGGER = logging.getLogger("pytest_ohllm.simulator")


class _Faults(logging.Handler):
    """Lets through what uvicorn says of an exception, which is a bug of ours, and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            _LOGGER.error("the simulator itself failed", exc_info=record.exc_info)


_UVICORN = logging.Logger("pytest_ohllm.simulator.uvicorn", logging.ERROR)  # outside the tree
_UVICORN.addHandler(_Faults())


class CannotListen(OSError):
    """The address cannot be bound; the message says why in one line."""


class Listener:
    """Serves an ASGI application from ``start`` to ``stop``; port 0 takes a free one."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        self._app = app
        self._address = (host, port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.port = port

    def start(self) -> None:
        """Bind and serve. When this returns, connections are accepted. Raises ``CannotListen``."""
        sock = _bind(*self._address)
        self.port = sock.getsockname()[1]
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(sock, ready)),
            name=f"ohllm-simulator-{self.port}",
            daemon=True,
        )
        self._thread.start()
        ready.result()

    def stop(self) -> None:
        """Close every connection and end the thread; does nothing if it is not running."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(_STOP_SECONDS)

    async def _serve(self, sock: socket.socket, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        state = ServerState()
        try:
            server = await self._open(sock, state)
        except BaseException as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        await self._stopping.wait()
        server.close()
        await _drop(state)

    async def _open(self, sock: socket.socket, state: ServerState) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        config = Config(self._app, http="h11", ws="none", lifespan="off", log_config=None)
        config.load()
        return await loop.create_server(
            lambda: _QuietProtocol(config, state, {}, loop), sock=sock, backlog=_BACKLOG
        )


class _QuietProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, silent on dropped connections, which some personalities are about."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.access_logger = _UVICORN
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # asyncio does this only for sockets that were made with IPPROTO_TCP, which ours is not.
        # Without it head and body are two packets 40 ms apart on a connection that is reused.
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "the port is already in use" if in_use else str(error)
        raise CannotListen(f"cannot listen on {host}:{port}: {reason}") from error


async def _drop(state: ServerState) -> None:
    """End all connections and what is still being answered on them."""
    for connection in list(state.connections):
        connection.transport.abort()
    tasks = list(state.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # transports close their sockets on the next turn of the loop
