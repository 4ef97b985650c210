"""Where else on the same server the API may be: a base URL that lacks a path, or has another's.

Only the same host is asked: the key is meant for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pytest_ohllm.diagnosis import protocols
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.laboratory import Laboratory, works
from pytest_ohllm.model import Blame, Kind

_ENDS = {"chat": "/chat/completions", "responses": "/responses", "anthropic": "/v1/messages"}
_SIBLINGS = (
    ("/api/paas/v4", "/api/coding/paas/v4"),
    ("/v1", "/coding/v1"),
)
"""Paths of one server that take the same keys under different plans."""
_MOST = 3


@dataclass(frozen=True)
class Elsewhere:
    """An address at which the same key and model work."""

    finding: Finding
    settings: Mapping[str, Any]


def elsewhere(lab: Laboratory, protocol: str, body: Mapping[str, Any]) -> Elsewhere | None:
    """An address on the same server that answers one message, if there is one. Raises Stop."""
    end = _ENDS.get(protocol)
    if end is None:
        return None
    url = lab.failing.url
    base = url.split("?")[0].removesuffix(end)
    smallest = protocols.hello(protocol, body)
    for other in _candidates(base):
        if works(lab.ask(f"one message to {other}", smallest, url=other + end)):
            return Elsewhere(_finding(base, other), {"base_url": other})
    return None


def _candidates(base: str) -> Iterator[str]:
    """Base URLs that a person may have meant, likely ones first."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    paths: list[str] = []
    for one, two in _SIBLINGS:
        paths += [path.removesuffix(one) + two] if path.endswith(one) else []
        paths += [path.removesuffix(two) + one] if path.endswith(two) else []
    if path.endswith("/v1/v1"):
        paths.append(path.removesuffix("/v1"))
    if not path.endswith("/v1"):
        paths += [f"{path}/v1", f"{path}/api/v1"]
    else:
        paths.append(path.removesuffix("/v1"))
    for wanted in list(dict.fromkeys(paths))[:_MOST]:
        yield urlunsplit((parts.scheme, parts.netloc, wanted, "", ""))


def _finding(base: str, other: str) -> Finding:
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"base_url is wrong: {base} refuses what {other} accepts, with the same key and model",
        f"use {other} as base_url",
    )
