"""What happens now, while pytest's reporter waits for a check to end.

On a terminal: a line to the right of what pytest has printed, erased before pytest prints more. So
pytest's own output stays as it is. Elsewhere: a plain line now and then. All that is told comes
from the run folder, where the workers of pytest-xdist write as well.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, TextIO

import pytest

from pytest_ohllm.evidence.live import EventTail, Tally
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.report.progress import progress_line

SECONDS = {True: 0.5, False: 10.0}
"""Between two looks: on a terminal, and elsewhere."""

_NARROWEST = 24
_GAP = 2
_SAVE, _RESTORE, _ERASE = "\x1b7", "\x1b8", "\x1b[K"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Progress:
    """Tells the user what is going on; registered in the process that has the terminal."""

    def __init__(self, folder: RunFolder, redactor: Redactor) -> None:
        self._tail, self._tally = EventTail(folder.path), Tally()
        self._redactor = redactor
        self._screen: _Status | _Lines | None = None
        self._end = threading.Event()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Tell while tests run, and never after."""
        self._screen = _screen(session.config)
        if self._screen is None:
            return (yield)
        ticker = threading.Thread(target=self._tick, name="ohllm-progress", daemon=True)
        ticker.start()
        try:
            return (yield)
        finally:
            self._end.set()
            ticker.join()
            self._screen.close()

    def pytest_enter_pdb(self) -> None:
        """The terminal is the debugger's now."""
        if self._screen is not None:
            self._screen.pause(True)

    def pytest_leave_pdb(self) -> None:
        """And ours again."""
        if self._screen is not None:
            self._screen.pause(False)

    def _tick(self) -> None:
        screen = self._screen
        assert screen is not None
        while not self._end.wait(SECONDS[isinstance(screen, _Status)]):
            for event in self._tail.new():
                self._tally.add(event)
            if self._tally.running:
                line = progress_line(self._tally, time.time(), ascii=screen.ascii)
                with suppress(OSError):  # a terminal that is gone is no reason to fail
                    screen.show(self._redactor.text(line))


def _screen(config: pytest.Config) -> _Status | _Lines | None:
    """What can be written to without disturbing anybody."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.verbose < 0:
        return None
    try:
        # While a test runs, pytest's capture has put something else in its place.
        descriptor = os.dup(reporter._tw._file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    shown = os.isatty(descriptor) and os.environ.get("TERM", "dumb") != "dumb"
    if not shown:
        return _Lines(reporter, descriptor)
    if config.option.capture == "no" or config.option.usepdb:
        os.close(descriptor)
        return None  # others write to the terminal, and we cannot know where its cursor is
    return _Status(reporter, descriptor)


class _Screen:
    """A place to write to, beside pytest's reporter."""

    def __init__(self, reporter: Any, descriptor: int) -> None:
        self._reporter, self._descriptor = reporter, descriptor
        self.lock = threading.RLock()
        self._paused = False
        encoding = str(getattr(reporter._tw._file, "encoding", None) or "utf-8")
        self.ascii = not encoding.lower().startswith("utf")

    def pause(self, paused: bool) -> None:
        with self.lock:
            self._paused = paused

    def close(self) -> None:
        with self.lock:
            os.close(self._descriptor)

    def _write(self, text: str) -> None:
        os.write(self._descriptor, text.encode("utf-8", "replace"))


class _Lines(_Screen):
    """Plain lines, as a log wants them."""

    def show(self, line: str) -> None:
        with self.lock:
            if self._paused:
                return
            writer = self._reporter._tw
            writer.flush()
            start = "\n" if writer.width_of_current_line else ""
            # With -v, the reporter itself ends the line that it finds begun.
            verbose = self._reporter.config.option.verbose > 0
            self._write(f"{start}ohllm: {line}" + ("" if verbose else "\n"))
            writer._current_line = line if verbose else ""
            if verbose:
                self._reporter.currentfspath = -2  # its own sign for "a line has begun"


class _Status(_Screen):
    """One line of a terminal, which is gone before pytest writes there."""

    def __init__(self, reporter: Any, descriptor: int) -> None:
        super().__init__(reporter, descriptor)
        self._shown = False
        self._file: TextIO = reporter._tw._file
        reporter._tw._file = _Erasing(self._file, self)

    def show(self, line: str) -> None:
        with self.lock:
            if self._paused:
                return
            self._file.flush()
            columns = os.get_terminal_size(self._descriptor).columns
            used = self._reporter._tw.width_of_current_line + _GAP
            room = columns - used - 1
            if room < _NARROWEST:
                return self.hide()
            from pytest_ohllm.report.lines import clipped

            text = clipped(line, room, "..." if self.ascii else "…")
            self._write(f"{_SAVE}{' ' * _GAP}{_DIM}{text}{_PLAIN}{_ERASE}{_RESTORE}")
            self._shown = True

    def hide(self) -> None:
        """Erase what is shown."""
        with self.lock:
            if self._shown:
                self._shown = False
                with suppress(OSError):
                    self._write(_ERASE)

    def pause(self, paused: bool) -> None:
        self.hide()
        super().pause(paused)

    def close(self) -> None:
        self.hide()
        self._reporter._tw._file = self._file
        super().close()


class _Erasing:
    """The reporter's file, which erases the status line before anything is written."""

    def __init__(self, file: TextIO, status: _Status) -> None:
        self._file, self._status = file, status

    def write(self, text: str) -> int:
        with self._status.lock:  # or it would be back before this is written
            self._status.hide()
            return self._file.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
