"""A finding with its evidence, as the record that a run keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Confidence, Diagnosis, Kind, Probe

if TYPE_CHECKING:
    from pytest_ohllm.diagnosis.examination import Conclusion

_WORDED = (200, 400, 404, 413, 422)
"""Statuses that mean many things: what is concluded from them rests on words."""


def plain(finding: Finding, rule: str, symptoms: Symptoms) -> Diagnosis:
    """A diagnosis that rests on what was seen, without an experiment."""
    return Diagnosis(
        kind=finding.kind,
        blame=finding.blame,
        summary=one_line(finding.summary, 300),
        next_step=one_line(finding.next_step, 300),
        rule=rule,
        evidence=evidence(symptoms),
        confidence=Confidence.TEXT if symptoms.status in _WORDED else Confidence.CODE,
        autofix=autofix_of(finding.kind, finding.blame, proven=False),
    )


def concluded(conclusion: Conclusion, probes: Sequence[Probe], symptoms: Symptoms) -> Diagnosis:
    """A diagnosis that experiments led to."""
    finding = conclusion.finding
    said = f": {one_line(symptoms.text, 160)}" if symptoms.text else ""
    return Diagnosis(
        kind=finding.kind,
        blame=finding.blame,
        summary=one_line(f"{finding.summary}{said}", 300),
        next_step=one_line(finding.next_step, 300),
        rule=conclusion.rule,
        evidence=(*evidence(symptoms), *_seen(probes)),
        confidence=Confidence.EXPERIMENT,
        fields=conclusion.fields,
        probes=tuple(probes),
        autofix=autofix_of(finding.kind, finding.blame, proven=True),
    )


def evidence(symptoms: Symptoms) -> tuple[str, ...]:
    """What was seen, in a few lines that a person can check in the run folder."""
    found: list[str] = []
    if exchange := symptoms.exchange:
        answer = f"HTTP {exchange.status}" if exchange.status else exchange.error or "no answer"
        found.append(one_line(f"{exchange.method} {exchange.url}: {answer}", 300))
    if symptoms.body_error and symptoms.text:
        found.append(one_line(f"the endpoint said: {symptoms.text}", 500))
    if root := symptoms.root:
        where = f" at {root.frame}" if root.frame else ""
        found.append(one_line(f"{root.type}{where}: {root.message}", 500))
    return tuple(found)


def autofix_of(kind: Kind, blame: Blame, *, proven: bool) -> str:
    """Whether a change of the SDK may be proposed, and if not, why."""
    if kind is not Kind.SDK_GAP:
        return f"refused: {kind.value.replace('_', ' ')} is not a fault of the SDK"
    if blame is Blame.LITELLM:
        return "refused: it is litellm's fault, where a change helps everybody"
    return "offered" if proven else "refused: no experiment has shown that the SDK is to blame"


def _seen(probes: Sequence[Probe]) -> list[str]:
    """What the probes did, in the order in which they were sent."""
    words = {"works": "works", "same": "fails in the same way", "differs": "fails differently"}
    return [
        f"{probe.change}: {words[probe.result]} (HTTP {probe.status or 'no answer'})"
        for probe in probes
    ]
