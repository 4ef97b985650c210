"""Play scenarios against one profile: the seam between the SDK and the checks.

A scenario never raises because of the endpoint or the model: it returns a Transcript that says what
happened, and checks judge that.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx

from pytest_ohllm.model import Exchange, ToolMode, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment, resumption
from pytest_ohllm.sdk.client import answer as answer_of
from pytest_ohllm.sdk.client import build_llm, capability, falling_back_to
from pytest_ohllm.sdk.conversation import Persistence, Production
from pytest_ohllm.sdk.conversation import play as play_scene
from pytest_ohllm.sdk.scene import Scene
from pytest_ohllm.sdk.server import ServedScene, plain_settings
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


class Driver:
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
        self._redact = redact
        self.listener = listener
        self.recover: Callable[[Transcript, int], float | None] | None = None
        self._originals: dict[float, httpx.Request] = {}
        environment.lend_stderr()

    def fork(self, listener: Listener) -> Driver:
        """Another driver for the same profile, with time of its own."""
        other = Driver(
            self.connection,
            timeout=self.timeout,
            redact=self._redact,
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
        return None if original is None else Replay(original, self._redact, deadline)

    def capability(self, name: str) -> bool:
        """What the SDK's metadata says of the model: ``vision`` or ``responses``."""
        environment.load()
        with environment.sealed():
            llm = build_llm(self.connection, usage_id="ohllm-metadata", timeout=self.timeout)
            return capability(llm, name)

    def complete(
        self,
        prompt: str,
        *,
        picture: bytes | None = None,
        stream: bool = False,
        changes: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Transcript:
        """Ask the model one thing directly, without an agent.

        ``picture`` is a PNG that goes with the prompt; ``changes`` overrides fields of the profile
        for this one call.
        """

        def play(take: Take) -> None:
            more = {"stream": True} if stream else {}
            llm = self._build(take, "ohllm-complete", None, {**(changes or {}), **more})
            take.text = answer_of(llm, prompt, picture, take.facts if stream else None)

        return self._play("complete", None, play, timeout)

    def fall_back(self, prompt: str) -> Transcript:
        """Ask a model that is down, with this profile as the one to fall back to."""

        def play(take: Take) -> None:
            second = self._build(take, "ohllm-second", None, {})
            first = self._build(take, "ohllm-first", None, falling_back_to(second))
            take.text = answer_of(first, prompt)

        return self._play("fall back", None, play, None)

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
        return self.perform(Scene((prompt,), tuple(allow), files=files or {}, tool_mode=tool_mode))

    def perform(
        self,
        scene: Scene,
        *,
        workspace: Path | None = None,
        persistence: Persistence | None = None,
    ) -> Transcript:
        """Play a conversation of the SDK's agent, in a throw-away workspace unless one is given.

        With ``persistence``, the conversation is kept there, or goes on if it is there already.
        """

        def play(take: Take) -> None:
            def make_llm(usage_id: str) -> Any:
                changes = dict(scene.changes) | ({"stream": True} if scene.stream else {})
                return self._build(take, usage_id, scene.tool_mode, changes)

            with _workspace(scene.files, workspace) as folder:
                production = Production(
                    make_llm, folder, take.tape, take.events, take.facts, persistence
                )
                if scene.resume:
                    take.end, take.sequel = resumption.interrupted(
                        scene, production, self.connection, self._redact
                    )
                else:
                    take.end = play_scene(scene, production)

        return self._play("converse", scene.tool_mode, play, None)

    def through_server(self, scene: Scene) -> Transcript:
        """Play a conversation through an openhands-agent-server process (see sdk.server).

        Before the last turn, the profile is switched and the server is started again.
        """

        def play(take: Take) -> None:
            llm = self._build(take, "ohllm-agent", scene.tool_mode, dict(scene.changes))
            with _workspace(scene.files, None) as folder:
                served = ServedScene(scene, folder, take.tape, take.facts)
                try:
                    served.play(plain_settings(llm), self._redact)
                finally:
                    take.sequel = served.transcript()

        return self._play("server", scene.tool_mode, play, None)

    @contextmanager
    def recorded_llm(self) -> Iterator[Any]:
        """The profile's ``LLM`` for a test that drives the SDK itself, sealed and on tape."""
        environment.load()
        take = self._take(self.timeout)
        failure: BaseException | None = None
        try:
            with environment.sealed(), take.tape.recording():
                yield self._build(take, "ohllm-test", None, {})
        except BaseException as error:
            failure = error
            raise
        finally:
            self._publish(take.transcript("test", None, failure))

    def parses(self, exchange: Exchange, answer: Any) -> bool:
        """Whether the SDK can read ``answer`` in place of the response of ``exchange``; offline."""

        def play(request: httpx.Request) -> httpx.Response:
            return httpx.Response(exchange.status or 200, json=answer, request=request)

        tape = Tape(redact=self._redact, playback=play)
        with environment.sealed(), tape.recording():
            try:
                llm = build_llm(self.connection, usage_id="ohllm-parser", timeout=10)
                answer_of(llm, "Say hello in one word.")
            except Exception:
                return False
        return True

    def _take(self, seconds: float) -> Take:
        heard = self.listener.exchange_ended if self.listener else None
        deadline = time.monotonic() + seconds
        return Take(Tape(redact=self._redact, deadline=deadline, on_exchange=heard), self._redact)

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


@contextmanager
def _workspace(files: Mapping[str, str], given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="workspace-", dir=environment.home())).resolve()
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
