"""Experiments on a request that was refused: one change at a time, until it is clear who is wrong.

The order is that of research on real failures: what is decided by a code is not examined; the
failing request is sent again first, then without what its words or its sender suggest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_ohllm.diagnosis import (
    conclusions,
    connections,
    conversations,
    endpoints,
    parts,
    protocols,
)
from pytest_ohllm.diagnosis.engine import find
from pytest_ohllm.diagnosis.examination import Conclusion, Examination
from pytest_ohllm.diagnosis.laboratory import Stop, works
from pytest_ohllm.diagnosis.requests import named_field
from pytest_ohllm.model import Exchange, Kind

_DECIDED = frozenset(
    [
        "verification",
        "region",
        "unauthorized",
        "rate_limit",
        "overloaded",
        "outage",
        "not_allowed",
        "content_filter",
        "account_closed",
        "setting_unknown",
        "images_refused",
        "server_too_small",
        "model_unknown",
        "machine_in_trouble",
        "module_missing",
    ]
) | {rule.__name__ for rule in connections.RULES}
"""Rules whose word is enough: experiments would cost, or hit a limit, and tell nothing more."""

_ADDRESS = frozenset({"web_page", "not_found", "not_json", "route_unknown"})
"""Rules after which only another address on the same server is worth a try."""


def conclude(exam: Examination) -> Conclusion | None:
    """The conclusion, or ``None`` if experiments cannot tell, or may not be made."""
    rule = find(exam.symptoms)[1] if exam.hints else ""
    if exam.lab.protocol is None or rule in _DECIDED or works(exam.lab.failing):
        return None
    try:
        if rule in _ADDRESS or (rule == "billing" and exam.lab.failing.status == 429):
            return endpoints.at_another_address(exam)
        return None if rule == "billing" else _examined(exam)
    except Stop:
        return None


def _examined(exam: Examination) -> Conclusion | None:
    again = exam.lab.ask("the same request again")
    if works(again):
        return Conclusion(conclusions.not_repeated(), "not_repeated")
    if not exam.lab.same(again):
        return None
    if exam.hints and (found := _as_the_words_say(exam)):
        return found
    first = exam.lab.ask("one message, nothing else", protocols.hello(exam.protocol, exam.body))
    if not works(first):
        return _nothing_is_accepted(exam, first)
    return (
        parts.part_at_fault(exam)
        or conversations.message_at_fault(exam)
        or conversations.size_at_fault(exam)
    )


def _as_the_words_say(exam: Examination) -> Conclusion | None:
    finding, rule = find(exam.symptoms)
    if finding.named == "max_output_tokens" or rule == "names_a_field":
        return parts.named_part_at_fault(exam, named_field(exam.symptoms) or finding.named)
    if rule == "names_a_message":
        return conversations.message_at_fault(exam)
    if rule in ("other_endpoint", "tools_refused"):
        return endpoints.at_the_other_endpoint(exam)
    return None


def _nothing_is_accepted(exam: Examination, first: Exchange) -> Conclusion | None:
    """The request's content is not to blame: the account, the model's name, or the address."""
    if found := endpoints.at_another_address(exam):
        return found
    if exam.hints:
        context = replace(exam.symptoms, exchange=first, error=None, history=())
        finding, rule = find(context)
        if finding.kind is not Kind.UNKNOWN:
            return Conclusion(finding, rule)
    url = protocols.models_url(exam.protocol, exam.lab.failing.url)
    listing = exam.lab.ask("the list of models", method="GET", url=url)
    if listing.status in (401, 402, 403):
        said = "the key is refused, too, for the list of models"
        return Conclusion(conclusions.account(said), "account")
    known = protocols.listed_models(listing.response)
    if known is None:
        return None
    model = str(exam.body.get("model") or exam.symptoms.settings.get("model") or "")
    if exam.protocol != "gemini" and known and not _lists(known, model):
        return Conclusion(conclusions.unknown_model(model, known), "model_absent", ("model",))
    said = "the model is listed, and even one message to it is refused"
    return Conclusion(conclusions.account(said), "account")


def _lists(known: Sequence[str], model: str) -> bool:
    return any(
        model == name or model.endswith(f"/{name}") or name == f"{model}:latest" for name in known
    )
