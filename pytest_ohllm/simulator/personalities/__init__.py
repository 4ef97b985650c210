"""The registry of personalities. Importing it costs milliseconds: no web server, no pydantic.

``a+b`` has the quirks of both. ``a@3`` shows its quirk in the third conversation only, ``a%30`` in
30 of 100, chosen by the simulator's seed; what the suite must conclude then is that of ``a`` if the
conversation was one that the suite judges. The three combine: ``anthropic+error-500@2``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_ohllm.simulator.personalities import (
    accounts,
    arguments,
    calls,
    echoes,
    gateways,
    healthy,
    histories,
    limits,
    models,
    pictures,
    providers,
    rejections,
    responses,
    schemas,
    skills,
    streams,
    thoughts,
    unknown_models,
    usage,
)
from pytest_ohllm.simulator.personalities.declaration import Personality, compose, split

_BY_NAME: dict[str, Personality] = {
    personality.name: personality
    for family in (
        healthy,
        models,
        skills,
        thoughts,
        calls,
        arguments,
        histories,
        pictures,
        limits,
        rejections,
        schemas,
        streams,
        usage,
        accounts,
        unknown_models,
        providers,
        responses,
        gateways,
        echoes,
    )
    for personality in family.PERSONALITIES
}


class UnknownPersonality(ValueError):
    """No personality has this name; ``nearest`` is the one that was probably meant, if any."""

    def __init__(self, name: str) -> None:
        close = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.5)
        self.name = name
        self.nearest = close[0] if close else None
        hint = (
            f"did you mean {self.nearest!r}?"
            if self.nearest
            else f"known are {', '.join(_BY_NAME)}"
        )
        super().__init__(f"unknown simulator personality {name!r}; {hint}")


@dataclass(frozen=True)
class Row:
    """One line of the table of personalities."""

    name: str
    protocol: str
    description: str
    healthy: bool
    verdict: str
    stage: str | None
    gate: str | None
    kind: str | None
    remedy: Mapping[str, Any]


def names() -> tuple[str, ...]:
    """Every personality's name, the healthy ``default`` first."""
    return tuple(_BY_NAME)


def table() -> list[Row]:
    """Every personality with what the suite must conclude of it, in the order of ``names``."""
    return [
        Row(
            p.name,
            p.protocol,
            p.description,
            p.healthy,
            p.verdict,
            p.stage,
            p.gate,
            p.kind,
            p.remedy,
        )
        for p in _BY_NAME.values()
    ]


def get(name: str) -> Personality:
    """The personality of that name, a combination, or one with an occasion.

    Raises ``UnknownPersonality``.
    """
    personality = compose([_part(part) for part in dict.fromkeys(name.split("+"))])
    return replace(
        personality, settings={**personality.settings, "model": personality.model_string}
    )


def _part(name: str) -> Personality:
    known, occasion = split(name)
    if known not in _BY_NAME:
        raise UnknownPersonality(known)
    personality = _BY_NAME[known]
    if occasion is None:
        return personality
    when = f"conversation {occasion.nth} only" if occasion.nth else f"{occasion.percent:g} % of all"
    return replace(
        personality,
        name=name,
        description=f"{personality.description} ({when})",
        occasion=occasion,
    )
