"""What words alone say about a failure: no network, no experiment, so a suspicion at most."""

from __future__ import annotations

from dataclasses import replace

from pytest_ohllm.diagnosis.engine import find
from pytest_ohllm.diagnosis.finding import one_line
from pytest_ohllm.diagnosis.symptoms import Pasted, Symptoms
from pytest_ohllm.diagnosis.unwrap import plain
from pytest_ohllm.model import Blame, Diagnosis, Kind

_SUSPECT = {Kind.SDK_GAP: Blame.SDK}
_TRY = "run `pytest --llm-profile=NAME`: it keeps request and answer, and tries what helps"


def explain(pasted: Pasted) -> Diagnosis:
    """The most probable diagnosis of a pasted error; where only a suspicion is left, it says so."""
    short = replace(pasted, message=plain(pasted.message))
    finding, rule = find(Symptoms(pasted=short))
    kind, blame = finding.kind, finding.blame
    if kind is Kind.UNKNOWN and finding.suspicion is not None:
        kind, blame = finding.suspicion, _SUSPECT.get(finding.suspicion, Blame.UNKNOWN)
    known = kind is not Kind.UNKNOWN
    return Diagnosis(
        kind=kind,
        blame=blame,
        summary=one_line(finding.summary, 300),
        next_step=one_line(finding.next_step, 300) if known else _TRY,
        rule=rule,
    )
