"""Play scenarios against one profile: the seam between the SDK and the checks.

A scenario never raises because of the endpoint or the model: it returns a Transcript that says what
happened, and checks judge that.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pytest_ohllm.model import Exchange, ToolMode, Transcript
from pytest_ohllm.sdk import environment, resumption
from pytest_ohllm.sdk.client import answer as answer_of
from pytest_ohllm.sdk.client import build_llm, capability, falling_back_to
from pytest_ohllm.sdk.conversation import Persistence, Production
from pytest_ohllm.sdk.conversation import play as play_scene
from pytest_ohllm.sdk.player import Player
from pytest_ohllm.sdk.scene import Scene
from pytest_ohllm.sdk.server import ServedScene, plain_settings
from pytest_ohllm.sdk.take import Take
from pytest_ohllm.wire.tape import Tape


class Driver(Player):
    """The scenarios that checks are made of, for one profile."""

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
            given = {"prompt": prompt, "stream": stream, "picture": bool(picture)}
            take.scene |= {**given, "changes": dict(changes or {})}
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
            take.scene |= scene.described()

            def make_llm(usage_id: str) -> Any:
                changes = dict(scene.changes) | ({"stream": True} if scene.stream else {})
                return self._build(take, usage_id, scene.tool_mode, changes)

            with _workspace(scene.files, workspace) as folder:
                production = Production(
                    make_llm, folder, take.tape, take.events, take.facts, persistence
                )
                if scene.resume:
                    take.end, take.sequel = resumption.interrupted(
                        scene, production, self.connection, self.redact
                    )
                else:
                    take.end = play_scene(scene, production)

        return self._play("converse", scene.tool_mode, play, None)

    def through_server(self, scene: Scene) -> Transcript:
        """Play a conversation through an openhands-agent-server process (see sdk.server).

        Before the last turn, the profile is switched and the server is started again.
        """

        def play(take: Take) -> None:
            take.scene |= {**scene.described(), "server": True}
            llm = self._build(take, "ohllm-agent", scene.tool_mode, dict(scene.changes))
            with _workspace(scene.files, None) as folder:
                served = ServedScene(scene, folder, take.tape, take.facts)
                try:
                    served.play(plain_settings(llm), self.redact)
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

        tape = Tape(redact=self.redact, playback=play)
        with environment.sealed(), tape.recording():
            try:
                llm = build_llm(self.connection, usage_id="ohllm-parser", timeout=10)
                answer_of(llm, "Say hello in one word.")
            except Exception:
                return False
        return True


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
