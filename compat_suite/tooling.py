"""How tools are called here: in the protocol's own way, or by the SDK's prompt conversion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pytest_ohllm.diagnosis.engine import diagnose
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import ToolMode, Transcript
from pytest_ohllm.sdk.driver import Driver


class Tooling:
    """Plays conversations natively first, and by prompt where the endpoint cannot do that.

    What one conversation shows holds for the next: a mode that has worked is kept.
    """

    def __init__(self, driver: Driver, wanted: str) -> None:
        self._driver = driver
        self._modes = _candidates(wanted, driver.connection.profile.settings)

    @property
    def mode(self) -> ToolMode:
        """The way that has worked so far, or that is tried first."""
        return self._modes[0]

    def converse(
        self,
        prompt: str,
        *,
        allow: Sequence[str],
        files: Mapping[str, str] | None = None,
        needs_call: bool = False,
    ) -> Transcript:
        """The conversation in the first mode that works; in the first of all, if none does.

        With ``needs_call``, a mode works only if the model calls the terminal in it. A model that
        did not is asked once more before another mode is tried: if it calls then, the mode is not
        what was wrong.
        """
        first: Transcript | None = None
        for mode in self._modes:
            play = partial(self._driver.converse, prompt, allow=allow, files=files, tool_mode=mode)
            transcript = play()
            if _works(transcript, needs_call):
                if needs_call or mode is ToolMode.PROMPT:
                    self._modes = [mode]
                return transcript
            first = first or transcript
            by_chance = transcript.error is None and len(self._modes) > 1
            if by_chance and mode is ToolMode.NATIVE and _works(play(), needs_call):
                break
            if not _says_something_about_tools(transcript):
                break
        assert first is not None
        return first


def _works(transcript: Transcript, needs_call: bool) -> bool:
    called = bool(transcript.tool_calls("terminal"))
    return transcript.error is None and (called or not needs_call)


def _candidates(wanted: str, settings: Mapping[str, object]) -> list[ToolMode]:
    if wanted != "auto":
        return [ToolMode(wanted)]
    if settings.get("native_tool_calling") is False:
        return [ToolMode.PROMPT]
    return [ToolMode.NATIVE, ToolMode.PROMPT]


def _says_something_about_tools(transcript: Transcript) -> bool:
    """Whether the failure lies in the way of calling tools; any other takes an examination."""
    if transcript.error is None:
        return True
    return diagnose(Symptoms.of(transcript)).rule == "tools_refused"
