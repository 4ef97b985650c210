"""What tells a request that failed from one that worked, as conditions that can be checked again.

They are written for ``repro_script.holds``, which knows nothing but plain values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pytest_ohllm.evidence.repro_script import holds
from pytest_ohllm.model import Exchange

type Condition = dict[str, Any]
type Path = tuple[str, ...]

_ENDINGS = 2
"""Parts at the end of a URL's path that name an operation, such as ``chat/completions``."""


def conditions(failing: Exchange, working: Exchange) -> list[Condition]:
    """What ``failing`` has that ``working`` has not; any of them makes a request fail.

    Each of them holds for the first and not for the second. There can be none, where a difference
    is between what stands in one place and what stands in another one.
    """
    one, other = urlsplit(failing.url).path, urlsplit(working.url).path
    if _operation(one) != _operation(other):
        found = [{"kind": "url", "ends": _operation(one)}]
    elif isinstance(failing.request, Mapping) and isinstance(working.request, Mapping):
        found = list(_of_objects(failing.request, working.request, ()))
    else:
        found = []
    return [
        condition
        for index, condition in enumerate(found)
        if condition not in found[:index]
        and holds(condition, one, failing.request)
        and not holds(condition, other, working.request)
    ]


def _operation(path: str) -> str:
    return "/" + "/".join(path.strip("/").split("/")[-_ENDINGS:])


def _differences(failing: Any, working: Any, path: Path) -> Iterator[Condition]:
    if isinstance(failing, Mapping) and isinstance(working, Mapping):
        yield from _of_objects(failing, working, path)
    elif isinstance(failing, list) and isinstance(working, list) and len(failing) == len(working):
        for one, other in zip(failing, working, strict=True):
            yield from _differences(one, other, (*path, "*"))
    elif isinstance(failing, list) and isinstance(working, list):
        yield from _of_lists(failing, working, path)
    elif type(failing) is not type(working):
        yield {"kind": "type", "path": list(path), "type": type(failing).__name__}
    elif failing != working:
        yield {"kind": "value", "path": list(path), "value": failing}


def _of_objects(
    failing: Mapping[str, Any], working: Mapping[str, Any], path: Path
) -> Iterator[Condition]:
    for name in sorted(failing.keys() - working.keys()):
        yield {"kind": "present", "path": [*path, name]}
    for name in sorted(working.keys() - failing.keys()):
        yield {"kind": "absent", "path": [*path, name], "like": _likeness(failing, working)}
    for name in sorted(failing.keys() & working.keys()):
        yield from _differences(failing[name], working[name], (*path, name))


def _of_lists(failing: list[Any], working: list[Any], path: Path) -> Iterator[Condition]:
    """Items that only one of them has; for others than objects, the whole list counts."""
    more = [one for one in failing if one not in working]
    fewer = [one for one in working if one not in failing]
    if not all(isinstance(one, Mapping) for one in more + fewer):
        yield {"kind": "value", "path": list(path), "value": failing}
        return
    yield from ({"kind": "item", "path": list(path), "like": _likeness(one)} for one in more)
    if not more:
        yield from ({"kind": "lacking", "path": list(path), "like": _likeness(x)} for x in fewer)


def _likeness(one: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What tells an object from others in its list: its role, its type, and its members."""
    names = one.keys() if other is None else one.keys() & other.keys()
    return {"role": one.get("role"), "type": one.get("type"), "names": sorted(names)}
