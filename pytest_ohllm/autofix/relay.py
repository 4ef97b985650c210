"""The agent's only way out: model calls over a unix socket, to which the key is added here.

The process in the sandbox never holds the key, and whatever an endpoint says of it is taken out of
the answer.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

import httpx

from pytest_ohllm.autofix.forwarder import reachable
from pytest_ohllm.autofix.upstream import Forbidden, Request, Upstream
from pytest_ohllm.evidence.known_secrets import KnownSecrets
from pytest_ohllm.evidence.spans import merged, replaced
from pytest_ohllm.profiles.connection import Connection

MAX_REQUEST_BYTES = 20 * 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MOST_AT_ONCE = 16

_CONNECT_SECONDS = 15.0
_SILENCE_SECONDS = 600.0
"""The client in the sandbox has its own, shorter patience; this one bounds a thread's life."""

_BACK = ("content-type", "retry-after", "retry-after-ms", "x-request-id", "request-id")
_BACK_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")


class Relay:
    """Forwards model calls from a unix socket (0600) to a connection's endpoint, while it is open.

    After ``most_requests`` it refuses; ``exhausted`` tells. ``problems`` are what went wrong with
    the endpoint or was refused, in words that ``redact`` made fit to be shown. Raises
    ``AutofixError`` for a connection that cannot be relayed.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        *,
        most_requests: int,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.upstream = Upstream(connection)
        self.problems: list[str] = []
        self.requests = 0
        self.exhausted = False
        self._path = path
        self._most, self._redact = most_requests, redact
        self._secrets = KnownSecrets(
            {f"key_{number}": value for number, value in enumerate(connection.confidential())}
        )
        self._lock = threading.Lock()
        self._closed = False
        self._client: httpx.Client | None = None
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._client = httpx.Client(
            timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
        )
        with suppress(FileNotFoundError):
            self._path.unlink()
        self._server = _Server(self._path, self)
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="ohllm-relay", daemon=True
        ).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            self._closed = True
        if self._server is not None:
            self._server.shutdown()
            self._server.close()
        if self._client is not None:
            self._client.close()
        with suppress(OSError):
            self._path.unlink()

    def admit(self) -> None:
        """Count a request. Raises Forbidden for one too many."""
        with self._lock:
            if self.requests >= self._most:
                self.exhausted = True
                raise Forbidden(f"the relay's limit of {self._most} requests is reached")
            self.requests += 1

    def note(self, problem: str) -> str:
        """Keep what went wrong; as it may be shown.

        Nothing is kept of what is cut off by closing: litellm asks for a model's description after
        an answer, in a thread that nobody waits for.
        """
        shown = self._redact(self.clean(problem))
        with self._lock:
            if not self._closed and len(self.problems) < 100 and shown not in self.problems:
                self.problems.append(shown)
        return shown

    def clean(self, text: str) -> str:
        """``text`` without the connection's secrets; nothing else in it is touched."""
        return replaced(text, merged(self._secrets.spans(text)))

    def send(self, request: Request, body: bytes) -> httpx.Response:
        """The endpoint's answer, of which the body is still to be read."""
        assert self._client is not None
        built = self._client.build_request(
            "POST", request.url, headers=dict(request.headers), content=body
        )
        return self._client.send(built, stream=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: Path, relay: Relay) -> None:
        self.relay = relay
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._connections: set[socket.socket] = set()
        with reachable(path) as name:
            # Nobody else may connect, not even before the mode is set.
            before = os.umask(0o177)
            try:
                super().__init__(name, _Handler)
            finally:
                os.umask(before)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._connections.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.discard(request)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no error; others are for the relay's list."""

    def close(self) -> None:
        """Stop listening, and drop what is under way."""
        self.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 300
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Nothing is logged: a terminal shows the agent's steps."""

    def do_POST(self) -> None:
        relay = self.server.relay
        try:
            body = self._body()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = relay.upstream.request(self.path, headers, body)
            relay.admit()
        except Forbidden as refused:
            self._refuse(403, relay.note(str(refused)))
            return
        try:
            with _closing(relay.send(request, body)) as answer:
                self._answer(answer)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
            shown = relay.note(f"the endpoint does not answer: {type(error).__name__}: {error}")
            self._refuse(502, shown)

    def do_GET(self) -> None:
        self._refuse(403, self.server.relay.note(f"the relay forwards no {self.command}"))

    do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def _body(self) -> bytes:
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            raise Forbidden(f"the relay takes requests of at most {MAX_REQUEST_BYTES} bytes")
        return self.rfile.read(int(length))

    def _answer(self, answer: httpx.Response) -> None:
        relay = self.server.relay
        if answer.is_redirect:
            self._refuse(502, relay.note("the endpoint redirects, which the relay does not follow"))
            return
        if answer.status_code >= 400:
            relay.note(f"the endpoint answered HTTP {answer.status_code}")
        self.send_response_only(answer.status_code)
        for name, value in answer.headers.items():
            if name in _BACK or name.startswith(_BACK_PREFIXES):
                self.send_header(name, relay.clean(value))
        self.send_header("transfer-encoding", "chunked")
        self._last()
        try:
            for line in _lines(answer):
                self._chunk(relay.clean(line.decode("utf-8", "surrogateescape")))
        except (httpx.HTTPError, httpx.StreamError) as error:
            relay.note(f"the answer broke off: {type(error).__name__}: {error}")
            return
        self.wfile.write(b"0\r\n\r\n")  # without it, the client knows that something is missing

    def _chunk(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _refuse(self, status: int, message: str) -> None:
        error = {"message": message, "type": "ohllm_relay", "code": None, "param": None}
        body = json.dumps({"error": error}).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self._last()
        self.wfile.write(body)

    def _last(self) -> None:
        """End the headers. One request a connection: an idle one would keep another out."""
        self.send_header("connection", "close")
        self.end_headers()


class _closing:
    """The response, closed at the end even if the client of the relay has left."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __enter__(self) -> httpx.Response:
        return self._response

    def __exit__(self, *_exception: object) -> None:
        self._response.close()


def _lines(answer: httpx.Response) -> Iterator[bytes]:
    """The body line by line, as soon as each is complete.

    A secret does not reach over a line end, and a stream's events end with one: so nothing is held
    back that a client could use.
    """
    waiting: list[bytes] = []
    size = 0
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise httpx.DecodingError("the answer is too long", request=answer.request)
        whole, end, rest = piece.rpartition(b"\n")
        if end:
            yield b"".join([*waiting, whole, end])
            waiting.clear()
        waiting.append(rest)
    if last := b"".join(waiting):
        yield last
