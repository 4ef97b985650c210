"""What words alone say about a failure: no network, no experiment, so a suspicion at most."""

from __future__ import annotations

from pytest_ohllm.diagnosis.engine import find
from pytest_ohllm.diagnosis.finding import one_line
from pytest_ohllm.diagnosis.symptoms import Pasted, Symptoms
from pytest_ohllm.model import Blame, Diagnosis, Kind

_SUSPECT = {Kind.SDK_GAP: Blame.SDK}


def explain(pasted: Pasted) -> Diagnosis:
    """The most probable diagnosis of a pasted error; where only a suspicion is left, it says so."""
    finding, rule = find(Symptoms(pasted=pasted))
    kind, blame = finding.kind, finding.blame
    if kind is Kind.UNKNOWN and finding.suspicion is not None:
        kind, blame = finding.suspicion, _SUSPECT.get(finding.suspicion, Blame.UNKNOWN)
    return Diagnosis(
        kind=kind,
        blame=blame,
        summary=one_line(finding.summary, 300),
        next_step=one_line(finding.next_step, 300),
        rule=rule,
    )
