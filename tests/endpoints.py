"""Endpoints on loopback that are wrong in one way each, down to the bytes on the socket."""

from __future__ import annotations

import datetime
import ipaddress
import json
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

HOST = "127.0.0.1"
HTML = "<!DOCTYPE html><html><head><title>Not here</title></head><body>Welcome</body></html>"
SSE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)


class Connection:
    """One accepted connection, as a play sees it."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock, self._stopping = sock, stopping

    def send(self, data: bytes) -> None:
        """Write ``data`` at once."""
        self._sock.sendall(data)

    def receive(self) -> bytes:
        """What the client sends next."""
        return self._sock.recv(65536)

    def wait(self, seconds: float) -> bool:
        """Do nothing for ``seconds``; whether anybody is still there afterwards."""
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and time.monotonic() < until:
            left = min(0.05, max(0.0, until - time.monotonic()))
            readable, _, _ = select.select([self._sock], [], [], left)
            if readable and not self._sock.recv(1, socket.MSG_PEEK):
                return False
        return not self._stopping.is_set()


Play = Callable[[Connection], None]


class Endpoint:
    """A server that plays one thing for every request, from ``with`` to the end of its block.

    What is not HTTP is kept waiting, as servers do, or gets ``not_http`` if that is given.
    """

    def __init__(
        self, play: Play, *, tls: ssl.SSLContext | None = None, not_http: Play | None = None
    ) -> None:
        self._play, self._tls, self._not_http = play, tls, not_http or hangs()
        self.requests: list[Request] = []
        self.connections = 0
        self._stopping = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return f"{'https' if self._tls else 'http'}://{self.address}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        # A client that leaves, or speaks another protocol, is what several tests are about.
        with sock, suppress(OSError):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                start = sock.recv(65536)
                if not start:
                    return  # somebody only knocked
                if not start[:1].isalpha():
                    self._not_http(Connection(sock, self._stopping))
                    return
                self.requests.append(_read(sock, start))
                self._play(Connection(sock, self._stopping))


def _read(sock: socket.socket, data: bytes) -> Request:
    """The request that begins with ``data``."""
    while b"\r\n\r\n" not in data:
        if not (more := sock.recv(65536)):
            raise ConnectionResetError
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(65536)
    method, path, *_ = first.split(" ")
    return Request(method, path, headers, body)


def head(status: int = 200, content_type: str = "application/json", **headers: object) -> bytes:
    """Status line and headers; ``_`` in a name stands for ``-``."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(
    status: int = 200,
    body: object = b"",
    content_type: str = "application/json",
    **headers: object,
) -> Play:
    """A complete response; data is sent as JSON."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    raw = json.dumps(body).encode() if raw is None else raw
    return sends(head(status, content_type, Content_Length=len(raw), **headers) + raw)


def web_page(status: int = 200) -> Play:
    """What a web server says that is no API."""
    return answer(status, HTML, "text/html; charset=utf-8")


def refusal(status: int, message: str, **fields: object) -> Play:
    """An error in the form of OpenAI's API; ``retry_after`` goes into the header."""
    headers = {"Retry_After": fields.pop("retry_after")} if "retry_after" in fields else {}
    return answer(status, {"error": {"message": message, **fields}}, **headers)


def says(text: str) -> Play:
    """A working chat endpoint with one thing to say."""
    return _completion({"content": text}, "stop")


def commands(*lines: str) -> Play:
    """A model that asks for these commands at once, in every turn, in the terminal."""
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {
                "name": "terminal",
                "arguments": json.dumps({"command": line, "security_risk": "LOW"}),
            },
        }
        for number, line in enumerate(lines)
    ]
    return _completion({"content": None, "tool_calls": calls}, "tool_calls")


def _completion(message: dict[str, object], reason: str) -> Play:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return answer(
        body={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "some-model",
            "choices": [choice],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        }
    )


def sends(*parts: bytes) -> Play:
    """Each part is a write of its own; then the connection is closed."""

    def play(connection: Connection) -> None:
        for number, part in enumerate(parts):
            if number:
                connection.wait(0.02)  # so that the client sees separate chunks
            connection.send(part)

    return play


def hangs(*before: bytes) -> Play:
    """Nothing more comes after ``before``, and the connection stays open."""

    def play(connection: Connection) -> None:
        for part in before:
            connection.send(part)
        while connection.wait(10):
            pass

    return play


def drips(before: bytes, drop: bytes, every: float = 0.1) -> Play:
    """After ``before`` one drop comes after the other, for ever."""

    def play(connection: Connection) -> None:
        connection.send(before)
        while connection.wait(every):
            connection.send(drop)

    return play


@contextmanager
def full_listener() -> Iterator[int]:
    """A port that neither accepts nor refuses: its queue is full, so packets are dropped."""
    with socket.socket() as listener, socket.socket() as guest:
        listener.bind((HOST, 0))
        listener.listen(0)
        guest.connect(listener.getsockname())
        yield listener.getsockname()[1]


_held: list[socket.socket] = []


def unused_port() -> int:
    """A port at which nothing listens, nor can begin to while this process lives."""
    sock = socket.socket()
    sock.bind((HOST, 0))
    _held.append(sock)
    return int(sock.getsockname()[1])


def self_signed(folder: Path) -> ssl.SSLContext:
    """TLS for a server whose certificate nobody has vouched for."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    try:
        _with_cryptography(key, certificate)
    except ImportError:
        _with_openssl(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _with_cryptography(key_file: Path, certificate_file: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), False
        )
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    certificate_file.write_bytes(certificate.public_bytes(encoding))
    key_file.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _with_openssl(key_file: Path, certificate_file: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl, "the tests of TLS need the package cryptography or the command openssl"
    words = (
        "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        f"-subj /CN={HOST} -addext subjectAltName=IP:{HOST}"
    )
    files = ["-keyout", str(key_file), "-out", str(certificate_file)]
    subprocess.run([openssl, *words.split(), *files], check=True, capture_output=True)
