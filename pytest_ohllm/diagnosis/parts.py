"""Which optional part of a request is at fault, and whose it is: the user's or the SDK's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_ohllm.diagnosis import conclusions, conversations, endpoints, protocols, remedies
from pytest_ohllm.diagnosis.examination import Conclusion, Examination
from pytest_ohllm.diagnosis.laboratory import Stop, works
from pytest_ohllm.diagnosis.protocols import Path, dotted
from pytest_ohllm.diagnosis.reduction import smallest
from pytest_ohllm.diagnosis.requests import named_field, set_by_user
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Exchange

_RESERVE = 2
"""Probes that are kept back to see both red and green a second time."""

_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
_NONSENSE = "no-such-value"


def named_part_at_fault(exam: Examination, name: str | None) -> Conclusion | None:
    """Whether the part that the endpoint's words name is the one. Raises Stop."""
    paths = [p for p in _parts(exam) if p[0] == name or _is_limit(p, name)]
    return _blamed(exam, paths) if paths and _works_without(exam, paths) else None


def part_at_fault(exam: Examination) -> Conclusion | None:
    """The fewest parts without which the request is accepted. Raises Stop."""
    parts = _parts(exam)
    if not parts or not _works_without(exam, parts):
        return None
    budget = exam.lab.budget
    exam.lab.budget = budget - _RESERVE
    try:
        guilty = smallest(parts, lambda paths: _works_without(exam, paths))
    except Stop:
        return None
    finally:
        exam.lab.budget = budget
    return _blamed(exam, guilty)


def _parts(exam: Examination) -> list[Path]:
    """Optional parts, likely ones first: what the user set, then what the SDK adds, tools."""
    named = named_field(exam.symptoms) if exam.hints else None

    def order(path: Path) -> tuple[bool, bool, bool]:
        top = path[0]
        return (top != named, top == "tools", not set_by_user(exam.symptoms, dotted(path)))

    return sorted(protocols.parts(exam.protocol, exam.body), key=order)


def _works_without(exam: Examination, paths: Sequence[Path]) -> bool:
    names = ", ".join(map(dotted, paths))
    change = f"without {names}" if len(paths) < 6 else f"without {len(paths)} optional fields"
    return works(exam.lab.ask(change, protocols.without(exam.body, *paths)))


def _blamed(exam: Examination, paths: Sequence[Path]) -> Conclusion | None:
    """Whose the guilty fields are, once red and green have been seen twice."""
    if ("tools",) in paths or ("reasoning_effort",) in paths:
        elsewhere = endpoints.at_the_other_endpoint(exam)
        if elsewhere or ("tools",) in paths:
            return elsewhere or _tools_at_fault(exam)
    smaller = protocols.without(exam.body, *paths)
    if not exam.confirmed(smaller, f"without {_names(paths)}"):
        return None
    fields = tuple(map(dotted, paths))
    if _is_entitlement(exam, paths):
        return Conclusion(conclusions.not_entitled(_names(paths)), "entitlement", fields)
    own = all(set_by_user(exam.symptoms, _setting_of(path)) for path in paths)
    finding = conclusions.user_field(_names(paths)) if own else conclusions.sdk_field(_names(paths))
    settings = remedies.for_fields(fields, exam.symptoms.settings)
    return Conclusion(finding, "one_field", fields, tuple(settings))


def _tools_at_fault(exam: Examination) -> Conclusion | None:
    trivial = protocols.with_tool(exam.protocol, exam.body)
    if works(exam.lab.ask("one message and one small tool", trivial)):
        return conversations.message_at_fault(exam)
    return Conclusion(
        conclusions.no_tools(), "tools", ("tools",), ({"native_tool_calling": False},)
    )


def _is_entitlement(exam: Examination, paths: Sequence[Path]) -> bool:
    """Whether the endpoint refuses a value that it lists itself as a good one.

    Then the field is fine, and the account lacks the right to use it.
    """
    if len(paths) != 1 or not isinstance(_value(exam.body, paths[0]), str):
        return False
    path = paths[0]
    nonsense = protocols.replaced(exam.body, path, _NONSENSE)
    answer = exam.lab.ask(f"{dotted(path)} with a value that cannot exist", nonsense)
    if works(answer) or exam.lab.same(answer):
        return False
    listed = _listed_values(answer)
    if not listed:
        return False
    good = protocols.replaced(exam.body, path, listed[0])
    return exam.lab.same(exam.lab.ask(f"{dotted(path)} with a value that it listed", good))


def _listed_values(answer: Exchange) -> list[str]:
    """The good values that an error names."""
    text = Symptoms(exchange=answer).text
    after = re.split(r"supported|allowed|valid|expected|one of", text, maxsplit=1, flags=re.I)
    quoted = re.findall(r"['\"`]([a-z][\w-]*)['\"`]", after[-1])
    return [value for value in quoted if value != _NONSENSE]


def _is_limit(path: Path, name: str | None) -> bool:
    return name == "max_output_tokens" and path[-1] in _LIMITS


def _setting_of(path: Path) -> str:
    return "reasoning_summary" if dotted(path) == "reasoning.summary" else path[-1]


def _value(body: Mapping[str, Any], path: Path) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(repr(dotted(path)) for path in paths)
