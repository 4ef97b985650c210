"""Providers that people use: what a profile for each of them needs. The data is ``presets.json``.

A test holds it against litellm's own table of providers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from pytest_ohllm.profiles.errors import ProfileError, suggestion

_BLANK = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Preset:
    """One provider.

    ``prefix`` begins litellm's model string; ``address`` is the provider's own, which litellm knows
    by itself, and ``base_url`` one that a profile must have, perhaps with ``{blanks}``. ``secrets``
    maps secret fields to the variables that usually hold them; none means that no key is needed.
    ``settings`` are what the provider wants beyond the SDK's defaults.
    """

    name: str
    title: str
    prefix: str
    example: str
    secrets: Mapping[str, str]
    address: str | None = None
    base_url: str | None = None
    key_prefixes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""

    def model(self, name: str) -> str:
        """litellm's model string for the provider's own name of a model."""
        begins = f"{self.prefix}/"
        return name if name.startswith(begins) else begins + name

    def fields(self, model: str, base_url: str | None) -> dict[str, Any]:
        """The settings of a profile. Raises ``ProfileError`` if the address has blanks left."""
        address = base_url or self.base_url
        if address and (blanks := _BLANK.findall(address)):
            raise ProfileError(
                f"preset {self.name!r} needs your own address: give --base-url {self.base_url} "
                f"with your {' and '.join(blanks)} in it"
            )
        there = {} if address is None else {"base_url": address}
        return {"model": self.model(model)} | there | dict(self.settings)

    def odd_key(self, key: str) -> str | None:
        """Why ``key`` does not look like one of this provider's, ``None`` if it may be one."""
        if not self.key_prefixes or key.startswith(self.key_prefixes):
            return None
        expected = " or ".join(f"{prefix}…" for prefix in self.key_prefixes)
        return f"the key does not look like one of {self.title}'s, which are {expected}"


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in the order in which they are listed."""
    text = files(__package__).joinpath("presets.json").read_text(encoding="utf-8")
    return {
        name: Preset(name=name, **data | {"key_prefixes": tuple(data.get("key_prefixes", ()))})
        for name, data in json.loads(text)["presets"].items()
    }


def preset(text: str) -> tuple[Preset, str | None]:
    """The preset that ``NAME`` or ``NAME/MODEL`` asks for, and the model."""
    name, _, model = text.partition("/")
    found = presets().get(name)
    if found is None:
        raise ProfileError(
            f"there is no preset {name!r}{suggestion(name, presets())}: "
            f"`ohllm profiles presets` lists them"
        )
    return found, model or None


def own_address(model: str) -> str | None:
    """The address that litellm takes for ``model`` where a profile has none, as far as known."""
    prefix = model.partition("/")[0]
    return next((one.address for one in presets().values() if one.prefix == prefix), None)
