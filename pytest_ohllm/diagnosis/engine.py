"""From symptoms to a diagnosis: the first rule that recognises them."""

from __future__ import annotations

from pytest_ohllm.diagnosis import (
    abilities,
    account,
    address,
    answers,
    classes,
    connections,
    environment,
    outages,
    requests,
)
from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.report import plain
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Diagnosis, Kind

RULES = (
    # Was a request sent at all, and did an answer come?
    *environment.RULES,
    *connections.RULES,
    # What decides whatever else is said: money and identity before anything like a parameter.
    account.billing,
    account.verification,
    account.account_closed,
    address.web_page,
    account.region,
    account.unauthorized,
    account.rate_limit,
    outages.overloaded,
    # A library that stumbled tells nothing about the endpoint, whatever status it made up.
    answers.crashed,
    # What the words name, from the particular to the general.
    requests.names_a_header,
    address.other_endpoint,
    abilities.server_too_small,
    abilities.tools_refused,
    abilities.images_refused,
    abilities.context_length,
    abilities.content_filter,
    answers.malformed_call,
    requests.names_a_message,
    abilities.template_fails,
    address.model_unknown,
    address.setting_unknown,
    address.route_unknown,
    account.not_allowed,
    answers.behaviour,
    requests.names_a_field,
    address.not_found,
    outages.outage,
    requests.rejected,
    *answers.RULES,
    environment.nobody_asked,
    classes.named_after_a_status,
)


def find(symptoms: Symptoms) -> tuple[Finding, str]:
    """What the first rule that recognises the symptoms says, and its name."""
    for rule in RULES:
        finding = rule(symptoms)
        if finding is not None:
            return finding, rule.__name__
    root = symptoms.root
    words = one_line(symptoms.text) or (root.type if root else "no error was recorded")
    unknown = Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"an error that no rule knows: {words}",
        "look at the exchange and the traceback in the run folder",
    )
    return unknown, "unknown"


def diagnose(symptoms: Symptoms) -> Diagnosis:
    """Why it failed; ``unknown`` with the innermost message if no rule knows it."""
    finding, rule = find(symptoms)
    return plain(finding, rule, symptoms)
