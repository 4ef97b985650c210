"""How a personality is declared: its quirks at four fixed points, and what the suite must conclude.

Verdicts, stages and kinds are plain strings, so that listing them imports no pydantic; a test holds
them against the enums of ``pytest_ohllm.model``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from pytest_ohllm.simulator.response import Call, Refusal, Response
from pytest_ohllm.simulator.turn import Reply, Turn

Intercept = Callable[[Call, str | None], Response | Refusal | None]
"""The request and its key, before either is looked at: a gateway's word on any path."""

Refuse = Callable[[Turn], Refusal | None]
"""A well-formed request with a good key: the provider's word on what it does not accept."""

Behave = Callable[[Turn, Reply], Reply]
"""The competent agent's reply: what this model says instead."""

Deliver = Callable[[Turn, Response], Response]
"""The response to a conversation: what the wire makes of it."""


@dataclass(frozen=True)
class Personality:
    """One way in which an endpoint can behave.

    ``healthy`` tells whether every mandatory stage must pass, be it after a fallback that the suite
    tries by itself. ``stage`` is the first that fails (``None``: none), ``kind`` its diagnosis.
    ``settings`` are the ``LLM`` fields without which the SDK never sends what the quirk is about.
    """

    name: str
    description: str
    healthy: bool = False
    verdict: str = "INCONCLUSIVE"
    stage: str | None = None
    kind: str | None = None
    intercept: tuple[Intercept, ...] = ()
    refuse: tuple[Refuse, ...] = ()
    behave: tuple[Behave, ...] = ()
    deliver: tuple[Deliver, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __add__(self, other: Personality) -> Personality:
        """Both at once, this one's quirks first. The one that fails earlier decides the verdict."""
        worse = min(self, other, key=_severity)
        return Personality(
            name=f"{self.name}+{other.name}",
            description=f"{self.description}; {other.description}",
            healthy=self.healthy and other.healthy,
            verdict=worse.verdict,
            stage=worse.stage,
            kind=worse.kind,
            intercept=self.intercept + other.intercept,
            refuse=self.refuse + other.refuse,
            behave=self.behave + other.behave,
            deliver=self.deliver + other.deliver,
            settings={**self.settings, **other.settings},
        )


def compose(parts: list[Personality]) -> Personality:
    """All ``parts`` at once; at least one."""
    return reduce(lambda left, right: left + right, parts)


def _severity(personality: Personality) -> tuple[bool, str, bool, bool]:
    """Sorts what is noticed first to the front: by stage, then gateways, then need of settings."""
    return (
        personality.stage is None,
        personality.stage or "",
        not personality.intercept,
        personality.verdict == "WORKS",
    )
