"""Which failures are the SDK's, and which of those have one root cause."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_ohllm.autofix.job import Cause, Decision, Failure, Source
from pytest_ohllm.model import Kind

OFFERED = "offered"
"""What a diagnosis says in ``autofix`` where experiments have shown that the SDK is to blame."""


def decide(source: Source, failures: Iterable[Failure], *, force: bool) -> list[Decision]:
    """One decision for each root cause, those that are taken first.

    With ``force``, failures of other kinds are taken as well, but for those that no change of the
    SDK can touch: what was never sent, or what nobody's code decides.
    """
    decisions = []
    for members in _grouped(failures):
        cause = Cause(failures=tuple(members), source=source)
        taken, reason = _judged(cause, force)
        decisions.append(Decision(cause=cause, taken=taken, reason=reason))
    return sorted(decisions, key=lambda one: not one.taken)


def _grouped(failures: Iterable[Failure]) -> list[list[Failure]]:
    groups: dict[tuple[object, ...], list[Failure]] = {}
    for failure in failures:
        groups.setdefault(_root(failure), []).append(failure)
    return list(groups.values())


def _root(failure: Failure) -> tuple[object, ...]:
    """What failures have in common that one change fixes.

    A list of names in the SDK takes one entry for each model; a parser, or the shape of a history,
    is the same for all of them.
    """
    diagnosis = failure.diagnosis
    remedy = diagnosis.remedy
    named = failure.profile.model if remedy is None or remedy.note else ""
    if not diagnosis.fields:
        return diagnosis.kind, diagnosis.rule, diagnosis.summary, failure.profile.model
    # What the endpoint said, after the colon, differs from one to the next.
    finding = diagnosis.summary.partition(": ")[0]
    return diagnosis.kind, diagnosis.rule, diagnosis.fields, finding, named


def _judged(cause: Cause, force: bool) -> tuple[bool, str]:
    diagnosis = cause.diagnosis
    if diagnosis.autofix == OFFERED:
        return True, diagnosis.summary
    said = diagnosis.autofix.removeprefix("refused: ") or diagnosis.summary
    if force and diagnosis.kind in _FORCIBLE:
        return True, f"{diagnosis.summary} (taken by --force, although {said})"
    if force:
        return False, f"{said}, and no change of the SDK can help"
    return False, said


_FORCIBLE = {Kind.SDK_GAP, Kind.UNKNOWN, Kind.MODEL_LIMITATION, Kind.CONFIGURATION}
