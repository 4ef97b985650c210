"""Secrets that hide in settings: user and password of an address, some headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

MASK = "***"
_TELLING = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)


def values(settings: Mapping[str, Any]) -> set[str]:
    """The confidential strings in a profile's settings, for a Redactor to know."""
    found: set[str] = set()
    for value in settings.values():
        if isinstance(value, str):
            found |= _userinfo(value)
        elif isinstance(value, dict):
            for text in _telling(value):
                found |= {text, text.rpartition(" ")[2]}  # with and without "Bearer "
    return found - {""}


def _userinfo(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
        # A user name alone is an access token; beside a password it is an ordinary word.
        found = (parts.password or parts.username) if "://" in url else None
    except ValueError:
        return set()
    return {found, unquote(found)} if found else set()


def _telling(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _telling(value)
        elif isinstance(value, str) and _TELLING.search(name):
            yield value


def masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` fit for an output. Every header is masked: its name may say nothing about it."""
    return {name: _masked(value, name == "extra_headers") for name, value in settings.items()}


def _masked(value: Any, hidden: bool) -> Any:
    if isinstance(value, dict):
        return {
            name: _masked(inner, hidden or (isinstance(inner, str) and bool(_TELLING.search(name))))
            for name, inner in value.items()
        }
    if hidden:
        return MASK
    return shown_url(value) if isinstance(value, str) else value


def shown_url(url: str) -> str:
    """``url`` with user and password masked; text that is no URL comes back unchanged."""
    scheme, separator, rest = url.partition("://")
    end = min((rest.find(mark) for mark in "/?#" if mark in rest), default=len(rest))
    userinfo, at, host = rest[:end].rpartition("@")
    if not separator or not at or not userinfo:
        return url
    return f"{scheme}{separator}{MASK}@{host}{rest[end:]}"


def without(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """``settings`` without what is masked in an output, and the names of what was left out."""
    left_out: list[str] = []
    kept: dict[str, Any] = {}
    for name, value in settings.items():
        shown = _masked(value, name == "extra_headers")
        if shown == value:
            kept[name] = value
        elif isinstance(value, str):
            left_out.append(f"user and password of {name}")
            kept[name] = shown.replace(f"{MASK}@", "", 1)
        else:
            inside: dict[str, Any] = {}
            left_out += _left_out(name, value, shown, inside)
            if inside:
                kept[name] = inside
    return kept, left_out


def _left_out(
    path: str, value: Mapping[str, Any], shown: Mapping[str, Any], kept: dict[str, Any]
) -> list[str]:
    """Fill ``kept`` with the parts of a table that are no secret; the names of the others."""
    found: list[str] = []
    for name, inner in value.items():
        if shown[name] == inner:
            kept[name] = inner
        elif isinstance(inner, dict):
            found += _left_out(f"{path}.{name}", inner, shown[name], kept.setdefault(name, {}))
        else:
            found.append(f"{path}.{name}")
    return found
