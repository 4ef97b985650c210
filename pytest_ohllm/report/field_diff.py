"""What tells two requests apart, field by field, for a person to read.

``evidence.difference`` says the same as conditions for a program; here each change has the path and
the two values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal
from urllib.parse import urlsplit

from pytest_ohllm.model import Exchange


class Nothing(Enum):
    """Stands for a field that a request does not have; ``None`` is a value."""

    SENT = "not sent"


ABSENT: Literal[Nothing.SENT] = Nothing.SENT

DEEPEST = 60
"""Levels that are compared; below, two values differ as a whole."""

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Change:
    """One field, what the failing request has there, and what the working one has.

    ``more`` counts further fields that differ only by their place in a list.
    """

    field: str
    failing: Any
    working: Any
    more: int = 0


def changes(failing: Exchange, working: Exchange) -> list[Change]:
    """The fields in which two requests differ, in the order of the failing one."""
    found = [
        Change(name, one, other)
        for name, one, other in (
            ("method", failing.method, working.method),
            ("URL", failing.url, working.url),
        )
        if one != other
    ]
    if _only_a_port(failing.url, working.url):
        found = [change for change in found if change.field != "URL"]
    return [*found, *_changes(failing.request, working.request, "", 0)]


def folded(found: Sequence[Change]) -> list[Change]:
    """``found`` with one entry for the same change at many places of a list."""
    kept: dict[tuple[str, ...], Change] = {}
    for change in found:
        key = (
            _INDEX.sub("[*]", change.field),
            type(change.failing).__name__,
            type(change.working).__name__,
        )
        first = kept.get(key)
        kept[key] = (
            change
            if first is None
            else Change(first.field, first.failing, first.working, first.more + 1)
        )
    return list(kept.values())


def _only_a_port(one: str, other: str) -> bool:
    """Whether two addresses are the same host's, as when a proxy is asked in place of a server."""
    first, second = urlsplit(one), urlsplit(other)
    same_path = (first.path, first.query) == (second.path, second.query)
    return same_path and first.hostname == second.hostname


def _changes(failing: Any, working: Any, path: str, depth: int) -> Iterator[Change]:
    if depth < DEEPEST and isinstance(failing, Mapping) and isinstance(working, Mapping):
        yield from _of_objects(failing, working, path, depth + 1)
    elif depth < DEEPEST and isinstance(failing, list) and isinstance(working, list):
        yield from _of_lists(failing, working, path, depth + 1)
    elif type(failing) is not type(working) or failing != working:  # 1 is not True in JSON
        yield Change(path or "request", failing, working)


def _of_objects(
    failing: Mapping[str, Any], working: Mapping[str, Any], path: str, depth: int
) -> Iterator[Change]:
    for name in [*failing, *(name for name in working if name not in failing)]:
        place = f"{path}.{name}" if path else str(name)
        one, other = failing.get(name, ABSENT), working.get(name, ABSENT)
        if one is ABSENT or other is ABSENT:
            yield Change(place, one, other)
        else:
            yield from _changes(one, other, place, depth)


def _of_lists(failing: list[Any], working: list[Any], path: str, depth: int) -> Iterator[Change]:
    """Item by item; of lists of different length, what stands between their equal ends."""
    if len(failing) == len(working):
        for index, (one, other) in enumerate(zip(failing, working, strict=True)):
            yield from _changes(one, other, f"{path}[{index}]", depth)
        return
    shorter = min(len(failing), len(working))
    start = 0
    while start < shorter and failing[start] == working[start]:
        start += 1
    end = 0
    while end < shorter - start and failing[-1 - end] == working[-1 - end]:
        end += 1
    ones, others = failing[start : len(failing) - end], working[start : len(working) - end]
    for index in range(max(len(ones), len(others))):
        one = ones[index] if index < len(ones) else ABSENT
        other = others[index] if index < len(others) else ABSENT
        place = f"{path}[{start + index}]"
        if one is ABSENT or other is ABSENT:
            yield Change(place, one, other)
        else:
            yield from _changes(one, other, place, depth)
