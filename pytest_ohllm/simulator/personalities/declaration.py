"""How a personality is declared: its quirks at four fixed points, and what the suite must conclude.

Verdicts, stages, gates and kinds are plain strings, so that listing them imports no pydantic; a
test holds them against the enums of ``pytest_ohllm.model``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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

_GATES = (
    "streaming streaming_tools vision responses resume switch reasoning parallel condenser "
    "tool_error long_output mcp no_tool usage server fallback"
)
GATES = tuple(_GATES.split())
"""The names of stage D's gates."""

_PREFIXES = {
    "chat": "openai",
    "responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama_chat",
}
_BASE_PATHS = {
    "chat": "/v1",
    "responses": "/v1",
    "anthropic": "",
    "gemini": "/v1beta",
    "ollama": "",
}
_OCCASION = re.compile(r"(?P<name>.+?)(?:@(?P<nth>[1-9]\d*)|%(?P<percent>\d+(?:\.\d+)?))?")


@dataclass(frozen=True)
class Occasion:
    """When a quirk shows: in conversation ``nth`` only, or with a chance of ``percent``."""

    nth: int | None = None
    percent: float = 100.0

    def comes(self, number: int, seed: int) -> bool:
        """Whether it shows in conversation ``number``; equal seeds give equal answers."""
        if number == 0:
            return False  # requests that are no conversations are never chosen
        if self.nth is not None:
            return number == self.nth
        return random.Random(f"{seed}:{number}").random() * 100 < self.percent


@dataclass(frozen=True)
class Personality:
    """One way in which an endpoint can behave.

    ``healthy`` tells whether every mandatory stage must pass, be it after a fallback that the suite
    tries by itself. ``stage`` is the first that fails (``None``: none), ``kind`` its diagnosis, and
    ``gate`` the gate of stage D that catches it. ``settings`` are the ``LLM`` fields of a profile
    that uses it, without which the SDK never sends what the quirk is about; ``remedy`` are those
    with which it works, where a ``base_url`` is a path of this server.

    ``spoken`` is the protocol that such a profile speaks (``None``: Chat Completions, unless a part
    says otherwise), ``prefix`` litellm's name for it, ``base_path`` the path of its base URL. A
    ``suffix`` of the model's name makes litellm take it for a model whose features it knows.
    ``mounts`` maps paths of this server to those that the protocol has elsewhere. ``listed_model``
    stands in the list of models in place of the one that is served.
    """

    name: str
    description: str
    healthy: bool = False
    verdict: str = "INCONCLUSIVE"
    stage: str | None = None
    kind: str | None = None
    gate: str | None = None
    spoken: str | None = None
    prefix: str | None = None
    suffix: str = ""
    base_path: str | None = None
    mounts: Mapping[str, str] = field(default_factory=dict)
    any_model: bool = False
    listed_model: str | None = None
    intercept: tuple[Intercept, ...] = ()
    refuse: tuple[Refuse, ...] = ()
    behave: tuple[Behave, ...] = ()
    deliver: tuple[Deliver, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    remedy: Mapping[str, Any] = field(default_factory=dict)
    occasion: Occasion | None = None
    parts: tuple[Personality, ...] = ()

    @property
    def protocol(self) -> str:
        """The protocol that a profile with this personality speaks."""
        return self.spoken or "chat"

    @property
    def path(self) -> str:
        """The path of the base URL that such a profile needs."""
        return _BASE_PATHS[self.protocol] if self.base_path is None else self.base_path

    @property
    def model(self) -> str:
        """The only model name that is served; it holds nothing that a URL could not."""
        return f"sim-{self.name.replace('@', '-at-').replace('%', '-pct-')}{self.suffix}"

    @property
    def model_string(self) -> str:
        """The model as litellm wants it, with its prefix."""
        return f"{self.prefix or _PREFIXES[self.protocol]}/{self.model}"

    def during(self, number: int, seed: int) -> Personality:
        """The personality in one conversation: without the quirks whose occasion it is not."""
        parts = self.parts or (self,)
        if all(part.occasion is None for part in parts):
            return self
        active = [p for p in parts if p.occasion is None or p.occasion.comes(number, seed)]
        silent = replace(self, intercept=(), refuse=(), behave=(), deliver=(), any_model=False)
        return reduce(_with_quirks, active, silent)

    def __add__(self, other: Personality) -> Personality:
        """Both at once, this one's quirks first. The one that fails earlier decides the verdict."""
        worse = min(self, other, key=_severity)
        both = Personality(
            name=f"{self.name}+{other.name}",
            description=f"{self.description}; {other.description}",
            healthy=self.healthy and other.healthy,
            verdict=worse.verdict,
            stage=worse.stage,
            kind=worse.kind,
            gate=worse.gate,
            spoken=self.spoken or other.spoken,
            prefix=self.prefix or other.prefix,
            suffix=self.suffix or other.suffix,
            base_path=self.base_path if other.base_path is None else other.base_path,
            mounts={**self.mounts, **other.mounts},
            listed_model=self.listed_model or other.listed_model,
            settings=_merged(self.settings, other.settings),
            remedy=_merged(self.remedy, other.remedy),
            parts=(*(self.parts or (self,)), *(other.parts or (other,))),
        )
        return reduce(_with_quirks, (self, other), both)


def works_by_prompt(name: str, description: str, **quirks: Any) -> Personality:
    """Native tool calls do not work there, the SDK's prompt-based ones do.

    All but one thing: MCP tools that take objects. The SDK has each argument written between tags,
    and what should be an object reaches the tool as a string.
    """
    return Personality(
        name,
        description,
        healthy=True,
        verdict="WORKS WITH SETTINGS",
        stage="D",
        gate="mcp",
        kind="sdk_gap",
        **{"remedy": {"native_tool_calling": False}, **quirks},
    )


def cannot_act(name: str, description: str, behave: Behave) -> Personality:
    """A model that cannot be an agent: in calling tools it always does something wrong."""
    return Personality(
        name,
        description,
        verdict="DOES NOT WORK",
        stage="C",
        kind="model_limitation",
        behave=(behave,),
    )


def compose(parts: list[Personality]) -> Personality:
    """All ``parts`` at once; at least one."""
    return reduce(lambda left, right: left + right, parts)


def split(name: str) -> tuple[str, Occasion | None]:
    """The personality that ``name`` is about, and its occasion: ``x@2`` or ``x%30``."""
    found = _OCCASION.fullmatch(name)
    if found is None or not (found["nth"] or found["percent"]):
        return name, None
    if found["nth"]:
        return found["name"], Occasion(nth=int(found["nth"]))
    return found["name"], Occasion(percent=float(found["percent"]))


def _with_quirks(one: Personality, other: Personality) -> Personality:
    return replace(
        one,
        any_model=one.any_model or other.any_model,
        intercept=one.intercept + other.intercept,
        refuse=one.refuse + other.refuse,
        behave=one.behave + other.behave,
        deliver=one.deliver + other.deliver,
    )


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both settings; those that are mappings themselves are merged as well."""
    merged = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], Mapping) and isinstance(other[name], Mapping):
            merged[name] = {**one[name], **other[name]}
    return merged


def _severity(personality: Personality) -> tuple[bool, str, bool, bool]:
    """Sorts what is noticed first to the front: by stage, then gateways, then need of settings."""
    return (
        personality.stage is None,
        personality.stage or "",
        not personality.intercept,
        personality.verdict == "WORKS",
    )
