"""Whether the conversation that a request holds is at fault, and by which of a provider's rules."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ohllm.diagnosis import conclusions, remedies, thoughts
from pytest_ohllm.diagnosis.examination import Conclusion, Examination
from pytest_ohllm.diagnosis.laboratory import works
from pytest_ohllm.diagnosis.protocols import Body
from pytest_ohllm.diagnosis.repairs import REPAIRS, SHORTER, Repair
from pytest_ohllm.diagnosis.requests import set_by_user


def message_at_fault(exam: Examination) -> Conclusion | None:
    """The rule that makes the endpoint accept the conversation. Raises Stop."""
    for repair, repaired in _repairs(exam):
        if works(exam.lab.ask(f"accepted if {repair.text}?", repaired)):
            return _blamed(exam, repair) if exam.confirmed(repaired, repair.name) else None
    return None


def size_at_fault(exam: Examination) -> Conclusion | None:
    """Whether the same structure is accepted in few words. Raises Stop."""
    shorter = SHORTER.apply(exam.body)
    if shorter is None or not works(exam.lab.ask("the same structure in few words", shorter)):
        return None
    return Conclusion(conclusions.too_long(), "size", ("messages",)) if exam.still_fails() else None


def _repairs(exam: Examination) -> Iterator[tuple[Repair, Body]]:
    """Repairs that change something, those that the words are about first."""
    words = exam.symptoms.text.lower() if exam.hints else ""
    known = (thoughts.restored(exam.symptoms.history), *REPAIRS)
    for repair in sorted(known, key=lambda one: not one.is_about(words)):
        if (repaired := repair.apply(exam.body)) is not None:
            yield repair, repaired


def _blamed(exam: Examination, repair: Repair) -> Conclusion:
    candidates = tuple(remedies.completed(one, exam.symptoms.settings) for one in repair.settings)
    if repair.name == "no cache_control" and set_by_user(exam.symptoms, "capability_overrides"):
        finding = conclusions.user_field("cache_control")
    elif repair.own_words:
        finding = conclusions.own_words(repair.text)
    else:
        finding = conclusions.history(repair.text)
    return Conclusion(finding, "repaired_history", ("messages",), candidates)
