"""Play independent scenarios side by side: most of their time is waiting for the endpoint."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_ohllm.model import Exchange, Transcript
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.sdk.player import Listener

type Scenario = Callable[[Driver], Any]


@dataclass
class _Part:
    """One scenario, what it left as evidence, and what it returned or raised."""

    scenario: Scenario
    exchanges: list[Exchange] = field(default_factory=list)
    transcripts: list[Transcript] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def exchange_ended(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def transcript_made(self, transcript: Transcript) -> None:
        self.transcripts.append(transcript)

    def replay(self, listener: Listener) -> None:
        """Hand the evidence on, once."""
        for exchange in self.exchanges:
            listener.exchange_ended(exchange)
        for transcript in self.transcripts:
            listener.transcript_made(transcript)
        self.exchanges, self.transcripts = [], []


class _Loggers(dict[str, Any]):
    """The loggers of this process, which can be looked through while threads make others."""

    def values(self) -> Any:
        return list(super().values())


def _share_loggers() -> None:
    """Let pytest look through them, as it does between two tests, without the lock on them.

    Otherwise a test ends in "dictionary changed size during iteration" if a scenario imports
    something in that moment.
    """
    manager = logging.Logger.manager
    with logging._lock:  # type: ignore[attr-defined]
        if not isinstance(manager.loggerDict, _Loggers):
            manager.loggerDict = _Loggers(manager.loggerDict)


class Ensemble:
    """Scenarios of one profile, at most ``width`` at a time, each with a driver of its own.

    Evidence is kept until a scenario's result is asked for, and then handed to the listener of the
    profile's own driver: so it counts to the check that judges it.
    """

    def __init__(self, driver: Driver, width: int) -> None:
        self._driver = driver
        self._width = width
        self._parts: dict[str, _Part] = {}
        self._waiting: deque[_Part] = deque()
        self._lock = threading.Lock()
        self._threads = 0
        _share_loggers()

    def start(self, name: str, scenario: Scenario) -> None:
        """Begin ``scenario`` as soon as there is room for it."""
        part = self._parts[name] = _Part(scenario)
        with self._lock:
            self._waiting.append(part)
            if self._threads == self._width:
                return
            self._threads += 1
        # Daemons: an interrupted session must not wait for an endpoint that hangs.
        threading.Thread(target=self._work, name="ohllm-scenario", daemon=True).start()

    def result(self, name: str) -> Any:
        """What the scenario returned; raises what it raised."""
        part = self._parts[name]
        part.done.wait()
        if self._driver.listener is not None:
            part.replay(self._driver.listener)
        if part.error is not None:
            raise part.error
        return part.result

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                part = self._waiting.popleft()
            try:
                part.result = part.scenario(self._driver.fork(part))
            except BaseException as error:
                part.error = error
            finally:
                part.done.set()
