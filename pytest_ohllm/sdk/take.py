"""What a scenario fills in while it runs, and the transcript that is made of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_ohllm.error_chain import facts_of
from pytest_ohllm.model import End, ToolMode, Transcript
from pytest_ohllm.sdk.client import usage_of
from pytest_ohllm.sdk.events import final_text, reduce
from pytest_ohllm.wire.tape import Tape


@dataclass
class Take:
    """One scenario in the making; ``sequel`` is what another process added to it."""

    tape: Tape
    redact: Callable[[Any], Any]
    started: float = field(default_factory=time.monotonic)
    llms: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    scene: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    end: End = "finished"
    sequel: Transcript | None = None

    def transcript(
        self, scenario: str, mode: ToolMode | None, failure: BaseException | None
    ) -> Transcript:
        """All of it, redacted; ``failure`` is what the scenario raised."""
        events, exchanges = reduce(self.events), self.tape.exchanges
        made = Transcript(
            scenario=scenario,
            scene=self.scene,
            tool_mode=mode,
            events=events,
            exchanges=exchanges,
            usage=usage_of(self.llms, exchanges),
            seconds=time.monotonic() - self.started,
            end=self.end if failure is None else "error",
            final_text=self.text or final_text(events),
            error=None if failure is None else facts_of(failure),
            traceback="" if failure is None else "".join(traceback.format_exception(failure)),
            facts=self.facts,
        )
        whole = made if self.sequel is None else _continued(made, self.sequel)
        return Transcript.model_validate(self.redact(whole.model_dump()))


def _continued(first: Transcript, sequel: Transcript) -> Transcript:
    """Both as one: what was said later counts, what happened adds up."""
    return first.model_copy(
        update={
            "events": first.events + sequel.events,
            "exchanges": first.exchanges + sequel.exchanges,
            "usage": first.usage + sequel.usage,
            "end": sequel.end,
            "final_text": sequel.final_text,
            "error": first.error or sequel.error,
            "traceback": first.traceback or sequel.traceback,
        }
    )
