"""Runs one scenario of the SDK: under seal, on tape, on the clock, and again if that may help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import httpx

from pytest_ohllm.model import Exchange, ToolMode, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.client import build_llm
from pytest_ohllm.sdk.take import Take
from pytest_ohllm.wire.reachability import Unreachable
from pytest_ohllm.wire.replay import Replay
from pytest_ohllm.wire.tape import Tape

_KEPT_REQUESTS = 64
"""How many requests are remembered as they were sent, in case that one must be examined."""


class EndpointUnreachable(ConnectionError):
    """No request was sent, because the raw probe had found that nothing can answer."""

    def __init__(self, problem: Unreachable) -> None:
        super().__init__(problem.summary)
        self.problem = problem


class Listener(Protocol):
    """Hears of evidence while it comes into being."""

    def exchange_ended(self, exchange: Exchange) -> None:
        """One HTTP exchange is complete."""

    def transcript_made(self, transcript: Transcript) -> None:
        """One scenario is over, in whatever way."""


class Player:
    """Runs scenarios for one profile.

    ``timeout`` bounds the scenarios of one check in seconds of wall clock; ``left`` is what remains
    of it, and whoever begins another check resets it.

    ``redact`` cleans whatever goes into a transcript. ``unreachable`` is the result of a raw probe:
    with one, scenarios end at once, and the SDK is not even imported. ``recover`` says after how
    many seconds a scenario that failed is played again, given how often it was.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: float,
        redact: Callable[[Any], Any],
        listener: Listener | None = None,
        unreachable: Unreachable | None = None,
    ) -> None:
        self.connection = connection
        self.timeout = timeout
        self.left = timeout
        self.unreachable = unreachable
        self.redact = redact
        self.listener = listener
        self.recover: Callable[[Transcript, int], float | None] | None = None
        self._originals: dict[float, httpx.Request] = {}
        self.round = 1
        self.times_forgotten = 0
        environment.lend_stderr()

    def fork(self, listener: Listener) -> Self:
        """Another driver for the same profile, with time of its own."""
        other = type(self)(
            self.connection,
            timeout=self.timeout,
            redact=self.redact,
            listener=listener,
            unreachable=self.unreachable,
        )
        other._originals = self._originals
        other.recover = self.recover
        return other

    def adopt(self, settings: Mapping[str, Any]) -> None:
        """Go on with these settings in place of the profile's: a setting of ``None`` is none."""
        profile = self.connection.profile
        changed = profile.model_copy(update={"settings": dict(settings)})
        self.connection = Connection(changed, self.connection.secrets)

    def forget(self) -> None:
        """Let no scenario that was played before be reused."""
        self.times_forgotten += 1

    @property
    def settings_id(self) -> str:
        """What tells one set of settings from another: scenarios played with it can be reused."""
        return json.dumps(self.connection.profile.settings, sort_keys=True, default=str)

    def replay(self, exchange: Exchange, seconds: float) -> Replay | None:
        """A way to send the request of ``exchange`` again, for so many seconds at most.

        ``None`` if it was not sent from this process, or too long ago.
        """
        original = self._originals.get(exchange.started)
        deadline = time.monotonic() + min(seconds, self.left)
        return None if original is None else Replay(original, self.redact, deadline)

    def _take(self, seconds: float) -> Take:
        heard = self.listener.exchange_ended if self.listener else None
        deadline = time.monotonic() + seconds
        return Take(Tape(redact=self.redact, deadline=deadline, on_exchange=heard), self.redact)

    def _build(
        self, take: Take, usage_id: str, mode: ToolMode | None, changes: dict[str, Any]
    ) -> Any:
        llm = build_llm(
            self.connection,
            usage_id=usage_id,
            timeout=take.tape.remaining or self.timeout,
            tool_mode=mode,
            changes=changes,
        )
        take.llms.append(llm)
        return llm

    def _play(
        self,
        scenario: str,
        mode: ToolMode | None,
        play: Callable[[Take], None],
        timeout: float | None,
    ) -> Transcript:
        """Run ``play``, and again for as long as the recovery wants; the last transcript."""
        stopped_by: list[str] = []
        while True:
            transcript = self._once(scenario, mode, play, timeout)
            pause = self.recover(transcript, len(stopped_by)) if self.recover else None
            if stopped_by:
                transcript = transcript.model_copy(
                    update={"facts": {**transcript.facts, "stopped_before_by": stopped_by}}
                )
            if pause is None or pause >= self.left:
                self._publish(transcript)
                return transcript
            retried = transcript.usage.model_copy(update={"retries": 1})
            self._publish(transcript.model_copy(update={"usage": retried}))
            root = transcript.error.root if transcript.error else None
            stopped_by.append(root.message[:200] if root else "")
            self.left -= pause
            time.sleep(pause)

    def _once(
        self,
        scenario: str,
        mode: ToolMode | None,
        play: Callable[[Take], None],
        timeout: float | None,
    ) -> Transcript:
        """Run ``play`` under seal, on tape and on the clock, and make its transcript."""
        seconds = min(timeout or self.timeout, self.timeout, self.left)
        failure: BaseException | None = None
        if self.unreachable is None:
            failure = self._load()
        # The clock is for the endpoint: it starts when the SDK is there, and the tape's begins anew
        # with the first request.
        started = time.monotonic()
        take = self._take(seconds)
        try:
            if failure is not None:
                raise failure
            if self.unreachable is not None:
                raise EndpointUnreachable(self.unreachable)
            with environment.sealed(), take.tape.recording():
                play(take)
        except Exception as error:
            failure = error
        except BaseException as error:
            self._publish(take.transcript(scenario, mode, error))
            raise
        finally:
            self._keep(take.tape.originals)
            spent = time.monotonic() - started - take.tape.preparing
            self.left = max(0.0, self.left - spent)
        return take.transcript(scenario, mode, failure)

    def _keep(self, originals: Mapping[float, httpx.Request]) -> None:
        self._originals.update(originals)
        for old in list(self._originals)[:-_KEPT_REQUESTS]:
            self._originals.pop(old, None)

    def _load(self) -> BaseException | None:
        """Import the SDK; what went wrong, if anything did."""
        try:
            environment.load()
        except Exception as error:
            return error
        return None

    def _publish(self, transcript: Transcript) -> None:
        if self.listener is not None:
            self.listener.transcript_made(transcript)
