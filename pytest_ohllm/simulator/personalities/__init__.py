"""The registry of personalities. Importing it costs milliseconds: no web server, no pydantic."""

from __future__ import annotations

import difflib

from pytest_ohllm.simulator.personalities import gateways, models, providers
from pytest_ohllm.simulator.personalities.declaration import Personality, compose

_BY_NAME = {
    personality.name: personality
    for family in (models, providers, gateways)
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


def names() -> tuple[str, ...]:
    """Every personality's name, the healthy ``default`` first."""
    return tuple(_BY_NAME)


def get(name: str) -> Personality:
    """The personality of that name; ``a+b`` has the quirks of both.

    Raises ``UnknownPersonality``.
    """
    parts = list(dict.fromkeys(name.split("+")))
    for part in parts:
        if part not in _BY_NAME:
            raise UnknownPersonality(part)
    return compose([_BY_NAME[part] for part in parts])
