"""An openhands-agent-server as a process of its own on loopback.

Its keys are random; what it keeps on disk lies in one folder, so that a second start finds what the
first one left.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pytest_ohllm.sdk.server_rest import Rest, ServerFailed

HOST = "127.0.0.1"

START_SECONDS = 90.0
"""A new process imports the SDK, on a machine that may be busy with other scenarios."""

STOP_SECONDS = 15.0
"""For a clean end, in which conversations are closed, and their shells with them."""

_SEALED = re.compile(r"gAAAAA[\w-]+={0,2}")
"""What the server encrypted: it has the looks of a secret, and is none without the server's key."""

_FOLDERS = {
    "HOME": "home",
    # Where it would be without the variable: some versions look for profiles in both places.
    "OH_PERSISTENCE_DIR": "home/.openhands",
    "OH_CONVERSATIONS_PATH": "conversations",
    "OH_BASH_EVENTS_DIR": "bash_events",
}

_ERROR = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)


class ServerProcess:
    """A server that can be started again over the same ``folder``, which it makes.

    To be used under ``environment.sealed()``: the process gets that environment, and keys of its
    own. ``log`` holds the REST calls, ``start_seconds`` how long each start took.
    """

    def __init__(self, folder: Path, workspace: Path) -> None:
        self.folder = folder
        self.key, self._cipher_key = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
        self.log: list[str] = []
        self.start_seconds: list[float] = []
        self._workspace = workspace
        for name in _FOLDERS.values():
            (folder / name).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def running(self) -> Iterator[Rest]:
        """The API of a started, healthy server, which has ended afterwards. Raises ServerFailed."""
        began, port = time.monotonic(), _free_port()
        process = self._spawn(port)
        # Scenarios are played in daemon threads, whose `finally` an interrupted session never sees.
        end = atexit.register(functools.partial(_end, process))
        rest = Rest(f"http://{HOST}:{port}", self.key, self.log)
        try:
            self._wait_until_healthy(process, rest)
            self.start_seconds.append(round(time.monotonic() - began, 1))
            yield rest
        except ServerFailed as failure:
            if not _is_over(process):
                raise
            raise ServerFailed(f"{failure}\nthe server has ended: {self._last_words()}") from None
        finally:
            rest.close()
            atexit.unregister(end)
            end()

    def left_behind(self, redact: Callable[[Any], Any]) -> dict[str, Any]:
        """How many files lie in the folder, and which hold what ``redact`` takes out."""
        texts = {
            str(path.relative_to(self.folder)): _SEALED.sub("", path.read_text(errors="replace"))
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        return {
            "persisted_files": len(texts),
            "files_with_secrets": [name for name, text in texts.items() if redact(text) != text],
        }

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        command = ["-m", "openhands.agent_server", "--host", HOST, "--port", str(port)]
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *command],
                # A configuration file of the user's would be looked for relative to this folder.
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        folders = {name: str(self.folder / folder) for name, folder in _FOLDERS.items()}
        return {
            **os.environ,
            **folders,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OH_WORKSPACE_PATH": str(self._workspace),
            "OH_SESSION_API_KEYS_0": self.key,
            "OH_SECRET_KEY": self._cipher_key,
            "OH_ENABLE_VSCODE": "false",
            "OH_PRELOAD_TOOLS": "false",
            "OH_ENABLE_BROWSER": "false",
        }

    def _wait_until_healthy(self, process: subprocess.Popen[bytes], rest: Rest) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if _is_over(process):
                raise ServerFailed(f"openhands-agent-server does not start: {self._reason()}")
            with suppress(ServerFailed):
                if rest.status("/health") == 200:
                    return
            time.sleep(0.1)
        raise ServerFailed(f"not healthy within {START_SECONDS:.0f} s: {self._reason()}")

    def _reason(self) -> str:
        """The last exception in the log, or its last words: lines are not in order there."""
        return next(reversed(_ERROR.findall(self._last_words())), self._last_words()[-200:])

    def _last_words(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-2000:].strip()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process group: its leader gets time for a clean end, then all that is left is killed.

    The leader is reaped last: until then, the group's id cannot belong to anybody else.
    """
    os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and not _is_over(process):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended; unlike ``poll``, it is not reaped."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
