"""The last line against a check that hangs: an alarm that leaves the stacks behind.

Requests have deadlines of their own (see wire.tape); this catches what is not a request.
pytest-timeout decides when, and for our items we decide what happens: its own dump would print
unredacted output.
"""

from __future__ import annotations

import faulthandler
import signal
import threading
import traceback
from types import FrameType
from typing import Any

import pytest

from pytest_ohllm.session.case import CASE

GRACE_SECONDS = 45.0
"""Beyond --llm-timeout, which is for the endpoint: importing the SDK, starting a shell."""


class LlmTimeout(pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """A check took longer than its time although no request was waiting."""


class Timeouts:
    """Sets the timers of LLM checks; other tests keep pytest-timeout's own."""

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        # Not at the top: it may be missing, but then nobody calls this.
        import pytest_timeout  # type: ignore[import-untyped]

        usable = hasattr(signal, "SIGALRM")
        if CASE not in item.stash or not usable or not _in_main_thread():
            return None
        folder = item.stash[CASE].folder.path

        def alarm(_signal: int, frame: FrameType | None) -> None:
            __tracebackhide__ = True
            if not settings.disable_debugger_detection and pytest_timeout.is_debugging():
                return
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stacks = folder / "stacks.txt"
            stacks.touch(mode=0o600)
            with stacks.open("w") as file:
                # By itself first: of more than a hundred threads the last ones are left out below.
                file.write("The check, most recent call last:\n")
                traceback.print_stack(frame, file=file)
                file.flush()
                faulthandler.dump_traceback(file, all_threads=True)
            raise LlmTimeout(f"the check did not end within {settings.timeout:g} s")

        def cancel() -> None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

        item.cancel_timeout = cancel  # type: ignore[attr-defined]
        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, settings.timeout)
        return True


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
