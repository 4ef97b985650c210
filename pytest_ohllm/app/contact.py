"""What an endpoint says before a run, for ``check``: is the key accepted, is the model there?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ohllm.app.questions import Questions

if TYPE_CHECKING:
    from pytest_ohllm.diagnosis.finding import Finding
    from pytest_ohllm.model import Diagnosis, Exchange
    from pytest_ohllm.profiles.connection import Connection

SECONDS = 8.0
"""Time for all questions together."""

_TITLES = {
    "chat": "OpenAI",
    "anthropic": "Anthropic",
    "gemini": "Gemini",
    "ollama": "Ollama",
}
_NO_LIST = (404, 405, 501)


@dataclass(frozen=True)
class Contact:
    """What an endpoint said. ``None`` is what could not be told.

    ``protocol`` is the form in which it lists its models; ``note`` sums it up for people;
    ``diagnosis`` says what speaks against a run.
    """

    note: str
    protocol: str | None = None
    key_accepted: bool | None = None
    model_listed: bool | None = None
    diagnosis: Diagnosis | None = None


def contact(connection: Connection, base: str) -> Contact:
    """Ask the endpoint at ``base`` for its models, in a few seconds at most."""
    from pytest_ohllm.diagnosis.protocols import listed_models

    ask = Questions(connection, base, time.monotonic() + SECONDS)
    first: Contact | None = None
    for place in ask.bases():
        exchange, error = ask.models(place)
        models = listed_models(exchange.response) if exchange.status == 200 else None
        if models is not None:
            return _listed(ask, place, models, _spoken(exchange.response) or ask.protocol)
        first = first or _without_a_list(connection, exchange, error)
        if exchange.status not in _NO_LIST:
            break
    assert first is not None
    return first


def _listed(ask: Questions, place: str, models: list[str], protocol: str) -> Contact:
    """What a list of models tells, and what else has to be asked then."""
    from pytest_ohllm.diagnosis import conclusions

    title = _TITLES[protocol]
    if place != next(ask.bases()) and (wrong := _wrong_place(ask, place)):
        return Contact(f"the API is at {place} ({title})", protocol, None, None, wrong)
    accepted = _is_key_accepted(ask, place)
    if accepted is False:
        return Contact("the key is refused", protocol, False, None, _refused_key())
    key = _KEY_NOTES[accepted] if ask.connection.secrets else ""
    if _is_among(ask.connection.profile.model, models) or _is_answered_for(ask, place, models):
        return Contact(f"{key}the model is there ({title})", protocol, accepted, True)
    if not models:
        return Contact(f"{key}the list of models is empty ({title})", protocol, accepted)
    note = f"{key}the model is not among the {len(models)} that are listed ({title})"
    absent = _diagnosed(conclusions.unknown_model(ask.model, models), "model_absent")
    return Contact(note, protocol, accepted, False, absent)


_KEY_NOTES = {
    True: "the key is accepted, ",
    None: "anybody may see the list, so the key is not checked, ",
}


def _is_key_accepted(ask: Questions, place: str) -> bool | None:
    """Whether it is the key that opened the list; ``None`` if there is none, or nobody can tell."""
    if not ask.connection.secrets:
        return None
    if ask.models(place, key=False)[0].status != 200:
        return True
    return False if ask.empty_call(place).status in (401, 403) else None


def _wrong_place(ask: Questions, place: str) -> Diagnosis | None:
    """The diagnosis if the model cannot be called at the profile's own address."""
    from pytest_ohllm.diagnosis.finding import Finding
    from pytest_ohllm.model import Blame, Kind

    own = next(ask.bases())
    if ask.empty_call(own).status not in _NO_LIST:
        return None
    summary = f"there is no API at {own}, and there is one at {place}"
    step = f"use {place} as base_url"
    return _diagnosed(Finding(Kind.CONFIGURATION, Blame.USER, summary, step), "address")


def _refused_key() -> Diagnosis:
    from pytest_ohllm.diagnosis.finding import Finding
    from pytest_ohllm.model import Blame, Kind

    summary = "the endpoint does not accept the key"
    step = "check the key, and that it belongs to this base_url"
    return _diagnosed(Finding(Kind.CREDENTIALS, Blame.USER, summary, step), "unauthorized")


def _diagnosed(finding: Finding, rule: str) -> Diagnosis:
    from pytest_ohllm.diagnosis.report import plain
    from pytest_ohllm.diagnosis.symptoms import Symptoms

    return plain(finding, rule, Symptoms())


def _spoken(listing: Any) -> str | None:
    """The protocol whose form the list has."""
    entries = listing.get("data", listing.get("models"))
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    if "models" in listing and "data" not in listing:
        return "gemini" if str(first.get("name")).startswith("models/") else "ollama"
    if first.get("type") == "model":
        return "anthropic"
    return "chat" if first.get("object") == "model" else None


def _is_among(model: str, listed: list[str]) -> bool:
    """Whether litellm's name of a model means one of these."""
    names = {model, model.partition("/")[2]}
    return bool(names & set(listed)) or any(f"{name}:latest" in listed for name in names)


def _is_answered_for(ask: Questions, place: str, models: list[str]) -> bool:
    """Whether the endpoint knows the model although it does not list it: an alias, a snapshot."""
    exchange = ask.one_model(place) if models else None
    told = exchange.response if exchange and exchange.status == 200 else None
    return isinstance(told, dict) and bool({"id", "name"} & told.keys())


def _without_a_list(connection: Connection, exchange: Exchange, error: Exception | None) -> Contact:
    """What is told by anything else than a list: a refusal, an outage, silence."""
    from pytest_ohllm.diagnosis.engine import diagnose
    from pytest_ohllm.diagnosis.symptoms import Symptoms
    from pytest_ohllm.error_chain import facts_of
    from pytest_ohllm.model import Kind
    from pytest_ohllm.profiles.confidential import masked

    none = f"it does not list its models (HTTP {exchange.status}), so that nothing can be checked"
    if exchange.status in _NO_LIST and exchange.content_type != "text/html":
        return Contact(none)
    symptoms = Symptoms(
        error=None if error is None else facts_of(error),
        exchange=exchange,
        settings=masked(connection.profile.settings),
    )
    diagnosis = diagnose(symptoms)
    if diagnosis.kind is Kind.UNKNOWN and exchange.status is not None:
        return Contact(none)
    refused = exchange.status == 401 and bool(connection.secrets)
    note = "the key is refused" if refused else "it does not say which models it has"
    return Contact(note, None, False if refused else None, None, diagnosis)
