"""Whether another endpoint or address of the same server accepts what this one refuses."""

from __future__ import annotations

from pytest_ohllm.diagnosis import addresses, conclusions, protocols
from pytest_ohllm.diagnosis.examination import Conclusion, Examination
from pytest_ohllm.diagnosis.laboratory import works


def at_another_address(exam: Examination) -> Conclusion | None:
    """Whether ``base_url`` lacks a path, or has another's. Raises Stop."""
    found = addresses.elsewhere(exam.lab, exam.protocol, exam.body)
    if found is None:
        return None
    return Conclusion(found.finding, "address", ("base_url",), (found.settings,))


def at_the_other_endpoint(exam: Examination) -> Conclusion | None:
    """Whether the vendor's other endpoint takes the same request. Raises Stop."""
    there = protocols.other_endpoint(exam.protocol, exam.lab.failing.url, exam.body)
    if there is None or "tools" not in exam.body:
        return None
    url, body = there
    change = "the same with the vendor's other endpoint"
    if not works(exam.lab.ask(change, body, url=url)):
        return None
    if not exam.confirmed(body, change, url=url):
        return None
    mode = "responses" if exam.protocol == "chat" else "chat"
    settings = ({"api_mode": mode},)
    if _chosen(exam, mode):
        finding = conclusions.chosen_endpoint(mode)
        return Conclusion(finding, "other_endpoint", ("api_mode",), settings)
    return Conclusion(conclusions.other_endpoint(mode), "other_endpoint", (), settings)


def _chosen(exam: Examination, mode: str) -> bool:
    """Whether it was the user who asked for the endpoint that is not ``mode``."""
    settings = exam.symptoms.settings
    overrides = settings.get("capability_overrides") or {}
    return settings.get("api_mode", "auto") != "auto" or (
        mode == "chat" and bool(overrides.get("supports_responses_api"))
    )
