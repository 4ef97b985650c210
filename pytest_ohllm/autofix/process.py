"""A child process that cannot outlive its time, its parent's patience, or the parent."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KEPT_BYTES = 2 * 1024 * 1024
"""Of what a process prints, the last so many bytes are kept."""

LONGEST_LINE = 1024 * 1024
"""A longer line is handed on in pieces."""

MARK = "OHLLM_PROCESS_MARK"
"""A variable by which all that a process has started can be found, where nothing else holds it."""

_TICK = 0.2
_GRACE = 2.0
"""How long the output of a process that has ended is waited for: others may hold the pipe."""


@dataclass(frozen=True)
class Finished:
    """How a process ended. ``output`` is both its streams, the end of them if they were long."""

    code: int
    output: str
    timed_out: bool
    seconds: float


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    timeout: float,
    given: str | None = None,
    on_line: Callable[[str], None] | None = None,
    report: Report | None = None,
) -> Finished:
    """Run ``command`` with exactly this environment, and wait for it ``timeout`` seconds.

    It is the leader of a session of its own, so that a Ctrl-C reaches this process alone; whatever
    ends the wait, an exception as well, nothing of the session is left. ``on_line`` gets each line
    of the standard output, in this thread. Raises ``OSError`` if the command cannot be started.
    """
    started = time.monotonic()
    with _input(given) as stdin:
        process = subprocess.Popen(
            list(command),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            pass_fds=() if report is None else (report.given,),
        )
    tail = _Tail()
    _running.add(process)
    try:
        in_time = _follow(process, started + timeout, tail, _Lines(on_line))
    finally:
        _running.discard(process)
        _end(process, environment.get(MARK))
        if report is not None:
            report.wait_for_the_end()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return Finished(process.returncode, tail.text, not in_time, time.monotonic() - started)


_running: set[subprocess.Popen[bytes]] = set()


def end_all() -> None:
    """Kill what other threads wait for: a Ctrl-C reaches the main thread alone."""
    for process in list(_running):
        _kill_group(process)


@contextmanager
def _input(given: str | None) -> Iterator[IO[bytes] | int]:
    """What the process reads: a file without a name, since a pipe could block the writer."""
    if given is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(given.encode())
        file.seek(0)
        yield file


def _follow(process: subprocess.Popen[bytes], until: float, tail: _Tail, lines: _Lines) -> bool:
    """Read until the process has ended and its output as well; whether that was in time."""
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ)
        ended: float | None = None
        while selector.get_map() or process.poll() is None:
            now = time.monotonic()
            if now >= until:
                return False
            if ended is None and process.poll() is not None:
                ended = now
            if ended is not None and now > ended + _GRACE:
                break
            if not selector.get_map():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(until - now)
                continue
            for key, _ in selector.select(min(_TICK, until - now)):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                tail.add(data)
                if key.fileobj is process.stdout:
                    lines.add(data)
    lines.close()
    return True


def _end(process: subprocess.Popen[bytes], mark: str | None) -> None:
    """Kill the process with its group, and whatever carries its mark."""
    _kill_group(process)
    while mark and (left := list(_marked(mark))):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class Report:
    """What bubblewrap tells of the first process in its sandbox, through ``--info-fd``.

    bubblewrap ends before that process, which ends after all others in there.
    """

    def __init__(self) -> None:
        self._read, self.given = os.pipe()

    def wait_for_the_end(self, seconds: float = 10.0) -> None:
        """Until nothing is left in the sandbox; bubblewrap itself must have ended."""
        os.close(self.given)
        with open(self._read, "rb") as pipe:
            told = pipe.read()
        if not told:
            return  # it never came so far
        first = Path("/proc", str(json.loads(told)["child-pid"]))
        until = time.monotonic() + seconds
        while time.monotonic() < until and _lives(first):
            time.sleep(0.002)


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _marked(mark: str) -> Iterator[int]:
    """Processes that were started with the mark, on systems where their environment can be read."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # What is dead and not yet buried has no environment any more.
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


class _Tail:
    """The end of a long text."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._lost = False

    def add(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * KEPT_BYTES:
            del self._data[:-KEPT_BYTES]
            self._lost = True

    @property
    def text(self) -> str:
        data = self._data[-KEPT_BYTES:]
        lost = self._lost or len(data) < len(self._data)
        return ("[…]\n" if lost else "") + data.decode("utf-8", "replace")


class _Lines:
    """Lines out of pieces."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._rest = b""

    def add(self, data: bytes) -> None:
        if self._tell is None:
            return
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._tell(line.decode("utf-8", "replace"))

    def close(self) -> None:
        """What came after the last line end."""
        if self._tell is not None and self._rest:
            self._tell(self._rest.decode("utf-8", "replace"))
