"""The relay's end in the sandbox: a port on loopback, and behind it the unix socket of the relay.

Client libraries speak HTTP to addresses, not to files. With the standard library alone, since it
also runs by itself, and sets ``OHLLM_RELAY_URL`` for a command:

    python -m pytest_ohllm.autofix.forwarder [--port N] SOCKET -- COMMAND...
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

VARIABLE = "OHLLM_RELAY_URL"
HOST = "127.0.0.1"
PORT = 4711
"""The port in a sandbox, where nobody else has one: a conversation that goes on finds it again."""

_LONGEST_ADDRESS = 100  # bytes that surely fit into a socket's address


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for the socket at ``path`` that is short enough for the system."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS or not sys.platform.startswith("linux"):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Forwarder:
    """Forwards connections from ``with`` to the end of its block; port 0 takes a free one."""

    def __init__(self, path: Path, port: int = 0) -> None:
        self._path = path
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The address of the relay for HTTP clients, without a path."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="ohllm-forwarder", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        relay = socket.socket(socket.AF_UNIX)
        with client, relay:
            try:
                with reachable(self._path) as name:
                    relay.connect(name)
            except OSError:
                return  # the client sees a connection that was dropped
            back = threading.Thread(target=_pump, args=(relay, client), daemon=True)
            back.start()
            _pump(client, relay)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy one direction until its end, and pass the end on."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main(arguments: Sequence[str]) -> int:
    """Run a command with a forwarder beside it; its exit code."""
    words = list(arguments)
    port = 0
    if words[:1] == ["--port"]:
        port, words = int(words[1]), words[2:]
    if len(words) < 3 or words[1] != "--":
        print("usage: forwarder [--port N] SOCKET -- COMMAND...", file=sys.stderr)
        return 2
    with Forwarder(Path(words[0]), port) as forwarder:
        environment = {**os.environ, VARIABLE: forwarder.url}
        code = subprocess.run(words[2:], env=environment, check=False).returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
