"""Play scenarios against one profile: the seam between the SDK and the checks.

A scenario never raises because of the endpoint or the model: it returns a Transcript that says what
happened, and checks judge that.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pytest_ohllm.error_chain import facts_of
from pytest_ohllm.model import End, Exchange, ToolMode, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.client import build_llm, generate, usage_of
from pytest_ohllm.sdk.events import final_text, reduce
from pytest_ohllm.sdk.guard import CommandGuard
from pytest_ohllm.wire.reachability import Unreachable
from pytest_ohllm.wire.tape import Tape


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


@dataclass(slots=True)
class _Take:
    """What a scenario fills in while it runs."""

    tape: Tape
    llm: Any = None
    events: list[Any] = field(default_factory=list)
    text: str = ""
    end: End = "finished"


class Driver:
    """Runs scenarios for one profile.

    ``timeout`` bounds the scenarios of one check in seconds of wall clock; ``left`` is what remains
    of it, and whoever begins another check resets it.

    ``redact`` cleans whatever goes into a transcript. ``unreachable`` is the result of a raw probe:
    with one, scenarios end at once, and the SDK is not even imported.
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
        self._redact = redact
        self._listener = listener

    def complete(
        self, prompt: str, *, changes: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Transcript:
        """Ask the model one thing directly, without an agent.

        ``changes`` overrides fields of the profile for this one call.
        """

        def play(take: _Take) -> None:
            from openhands.sdk import Message, TextContent

            self._build(take, "ohllm-complete", None, dict(changes or {}))
            question = Message(role="user", content=[TextContent(text=prompt)])
            answer = generate(take.llm, [question])
            # Reading the answer as the SDK's own types is part of what is tested.
            parts = [part.text for part in answer.message.content if isinstance(part, TextContent)]
            take.text = "\n".join(parts)

        return self._play("complete", None, play, timeout)

    def converse(
        self,
        prompt: str,
        *,
        allow: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        tool_mode: ToolMode | None = None,
    ) -> Transcript:
        """Let the SDK's agent answer ``prompt``, with a terminal in a throw-away workspace.

        ``allow`` lists the only commands that may run there; ``files`` are put there first.
        """

        def play(take: _Take) -> None:
            from pytest_ohllm.sdk.conversation import converse

            self._build(take, "ohllm-agent", tool_mode, {})
            with _workspace(files or {}) as workspace:
                guard = CommandGuard(allow, workspace)
                take.end = converse(
                    take.llm,
                    prompt,
                    workspace=workspace,
                    guard=guard,
                    tape=take.tape,
                    events=take.events,
                )

        return self._play("converse", tool_mode, play, None)

    @contextmanager
    def recorded_llm(self) -> Iterator[Any]:
        """The profile's ``LLM`` for a test that drives the SDK itself, sealed and on tape."""
        environment.load()
        started = time.monotonic()
        take = self._take(self.timeout)
        failure: BaseException | None = None
        try:
            with environment.sealed(), _quiet(), take.tape.recording():
                self._build(take, "ohllm-test", None, {})
                yield take.llm
        except BaseException as error:
            failure = error
            raise
        finally:
            self._publish(self._transcript("test", None, take, started, failure))

    def _take(self, seconds: float) -> _Take:
        heard = self._listener.exchange_ended if self._listener else None
        take = _Take(Tape(redact=self._redact, on_exchange=heard))
        take.tape.deadline = time.monotonic() + seconds
        return take

    def _build(
        self, take: _Take, usage_id: str, mode: ToolMode | None, changes: dict[str, Any]
    ) -> None:
        take.llm = build_llm(
            self.connection,
            usage_id=usage_id,
            timeout=take.tape.remaining or self.timeout,
            tool_mode=mode,
            changes=changes,
        )

    def _play(
        self,
        scenario: str,
        mode: ToolMode | None,
        play: Callable[[_Take], None],
        timeout: float | None,
    ) -> Transcript:
        """Run ``play`` under seal, on tape and on the clock, and make its transcript."""
        seconds = min(timeout or self.timeout, self.timeout, self.left)
        failure: BaseException | None = None
        if self.unreachable is None:
            failure = self._load()
        # The clock is for the endpoint: it starts when the SDK is there.
        started = time.monotonic()
        take = self._take(seconds)
        try:
            if failure is not None:
                raise failure
            if self.unreachable is not None:
                raise EndpointUnreachable(self.unreachable)
            with environment.sealed(), _quiet(), take.tape.recording():
                play(take)
        except Exception as error:
            failure = error
        except BaseException as error:
            self._publish(self._transcript(scenario, mode, take, started, error))
            raise
        finally:
            self.left = max(0.0, self.left - (time.monotonic() - started))
        transcript = self._transcript(scenario, mode, take, started, failure)
        self._publish(transcript)
        return transcript

    def _load(self) -> BaseException | None:
        """Import the SDK; what went wrong, if anything did."""
        try:
            environment.load()
        except Exception as error:
            return error
        return None

    def _transcript(
        self,
        scenario: str,
        mode: ToolMode | None,
        take: _Take,
        started: float,
        failure: BaseException | None,
    ) -> Transcript:
        events = reduce(take.events)
        exchanges = take.tape.exchanges
        transcript = Transcript(
            scenario=scenario,
            tool_mode=mode,
            events=events,
            exchanges=exchanges,
            usage=usage_of(take.llm, exchanges),
            seconds=time.monotonic() - started,
            end=take.end if failure is None else "error",
            final_text=take.text or final_text(events),
            error=None if failure is None else facts_of(failure),
            traceback="" if failure is None else "".join(traceback.format_exception(failure)),
        )
        return Transcript.model_validate(self._redact(transcript.model_dump()))

    def _publish(self, transcript: Transcript) -> None:
        if self._listener is not None:
            self._listener.transcript_made(transcript)


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore warnings: the user's ``filterwarnings = error`` is not meant for the SDK's insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _workspace(files: Mapping[str, str]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="workspace-", dir=environment.home())).resolve()
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
