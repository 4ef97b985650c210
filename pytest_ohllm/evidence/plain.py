"""Any value as plain JSON: what models, SDK and servers produce, made safe to write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

from pydantic import BaseModel

DEEPEST = 100
"""Levels of nesting that are kept; a hostile body can nest deeper than any parser reads back."""

_LONGEST_INTEGER = 10_000
"""Bits above which Python refuses to print an integer in decimal."""


def plain(value: Any, *, within: tuple[int, ...] = ()) -> Any:
    """``value`` as dict, list, str, int, float, bool or None, exact types, whatever it was.

    Lone surrogates are spelled out and non-finite numbers become text, since strict JSON parsers
    refuse both. What has no JSON form becomes its ``str``. Cycles and excessive nesting are named.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value, within=within)
        case int():
            return int(value) if value.bit_length() < _LONGEST_INTEGER else hex(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case str() | bytes() | bytearray():
            return _text(value)
    if id(value) in within:
        return "<refers to itself>"
    if len(within) >= DEEPEST:
        return f"<nested deeper than {DEEPEST} levels>"
    return _compound(value, (*within, id(value)))


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Plain ``value`` as JSON text that any strict parser accepts."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


def _compound(value: Any, within: tuple[int, ...]) -> Any:
    match value:
        case BaseModel():
            return plain(value.model_dump(), within=within)
        case Mapping():
            return {_key(key): plain(item, within=within) for key, item in value.items()}
        case list() | tuple():
            return [plain(item, within=within) for item in value]
        case AbstractSet():
            return sorted((plain(item, within=within) for item in value), key=str)
    try:
        return _text(str(value))
    except Exception:  # foreign objects may fail to print, and must not take the evidence along
        return f"<{type(value).__name__} that cannot be printed>"


def _key(key: Any) -> str:
    name = plain(key)
    return name if isinstance(name, str) else str(name)


def _text(text: str | bytes | bytearray) -> str:
    raw = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
    return raw.decode("utf-8", "backslashreplace")
