"""From symptoms to a diagnosis: the first rule that recognises them."""

from __future__ import annotations

from pytest_ohllm.diagnosis import answers, connections, rejections
from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Diagnosis, Kind

RULES = (*connections.RULES, *rejections.RULES, *answers.RULES)
"""In order: was a request sent at all, what was refused, what was wrong with an answer."""


def diagnose(symptoms: Symptoms) -> Diagnosis:
    """Why it failed; ``unknown`` with the innermost message if no rule knows it."""
    for rule in RULES:
        finding = rule(symptoms)
        if finding is not None:
            return _diagnosis(finding, rule.__name__, symptoms)
    root = symptoms.root
    words = one_line(symptoms.text) or (root.type if root else "no error was recorded")
    return _diagnosis(
        Finding(
            Kind.UNKNOWN,
            Blame.UNKNOWN,
            f"an error that no rule knows: {words}",
            "look at the exchange and the traceback in the run folder",
        ),
        "unknown",
        symptoms,
    )


def _diagnosis(finding: Finding, rule: str, symptoms: Symptoms) -> Diagnosis:
    return Diagnosis(
        kind=finding.kind,
        blame=finding.blame,
        summary=one_line(finding.summary, 300),
        next_step=one_line(finding.next_step, 300),
        rule=rule,
        evidence=_evidence(symptoms),
    )


def _evidence(symptoms: Symptoms) -> tuple[str, ...]:
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
