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
