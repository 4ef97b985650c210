"""A finding with its evidence, as the record that a run keeps."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_ohllm.diagnosis.engine import evidence
from pytest_ohllm.diagnosis.experiments import Conclusion
from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Confidence, Diagnosis, Kind, Probe


def plain(finding: Finding, rule: str, symptoms: Symptoms) -> Diagnosis:
    """A diagnosis that rests on what was seen, without an experiment."""
    return Diagnosis(
        kind=finding.kind,
        blame=finding.blame,
        summary=one_line(finding.summary, 300),
        next_step=one_line(finding.next_step, 300),
        rule=rule,
        evidence=evidence(symptoms),
        confidence=Confidence.CODE,
        autofix=_autofix(finding.kind, proven=False),
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
        autofix=_autofix(finding.kind, proven=True),
    )


def _autofix(kind: Kind, *, proven: bool) -> str:
    if kind is not Kind.SDK_GAP:
        return f"refused: {kind.value.replace('_', ' ')} is not a fault of the SDK"
    return "offered" if proven else "refused: no experiment has shown that the SDK is to blame"


def _seen(probes: Sequence[Probe]) -> list[str]:
    """What the probes did, in the order in which they were sent."""
    words = {"works": "works", "same": "fails in the same way", "differs": "fails differently"}
    return [
        f"{probe.change}: {words[probe.result]} (HTTP {probe.status or 'no answer'})"
        for probe in probes
    ]
