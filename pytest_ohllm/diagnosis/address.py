"""Rules for requests that went to the wrong place: a page, a path, a model that is not there."""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_MODEL = re.compile(
    r"model[ _]not[ _]?(?:found|exist)|deploymentnotfound|"
    r"\b(?:models?|deployment|engine)\b.{0,120}(?:not exist|not found|(?:is|are) not available|"
    r"not supported for generate|no longer (?:available|supported)|deprecated|decommissioned|"
    r"retired|not (?:a )?(?:known|recogni[sz]ed)|does ?n.t exist|not served|not loaded)|"
    r"(?:unknown|invalid|no such|unrecogni[sz]ed) model|not a valid model|try pulling it|"
    r"not_found_error.{0,20}model: |no endpoints found (?:for|matching)|(?:模型|model)不存在",
    re.IGNORECASE | re.DOTALL,
)
_ABOUT_A_FEATURE = re.compile(
    r"not (?:supported|available|allowed) (?:on|with|by|for) this model|integrator|header", re.I
)
_ROUTE = re.compile(r"\b(?:POST|GET)\W{1,3}(?P<path>/?[\w/-]+)")
_OFFICIAL = re.compile(
    r"/?(?:openai/|api/|inference/)?v1/(?:chat/completions|completions|responses|messages)"
)
_ENDPOINT = re.compile(
    r"(?:only (?:supported|available) (?:in|on|via|through|with)|(?:please )?use|switch to|"
    r"try)\W{1,4}(?:the )?(?:/?v1/)?(?P<name>responses|chat/completions|messages|completions)\b|"
    r"not (?:supported|available) (?:in|on|with|via) (?:the )?(?:/?v1/)?(?:chat/completions|"
    r"completions|responses)|not a chat model",
    re.IGNORECASE,
)


def web_page(s: Symptoms) -> Finding | None:
    """A web page answered where an API should be."""
    if not s.html:
        return None
    where = s.settings.get("base_url") or "the base URL"
    if s.status == 403:
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"a web page refused the request (HTTP 403): a firewall stands before {where}",
            "check base_url and whether this machine's address may use the endpoint",
        )
    if s.status is not None and s.status >= 500:
        return Finding(
            Kind.PROVIDER_OUTAGE,
            Blame.ENDPOINT,
            f"a web page answered with HTTP {s.status}: a gateway is in trouble",
            "try again later",
        )
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"a web page answered (HTTP {s.status}), not an LLM API: base_url is not the API's address",
        "correct base_url; OpenAI-compatible ones mostly end in /v1",
    )


def other_endpoint(s: Symptoms) -> Finding | None:
    """The provider offers what was asked for, at another of its endpoints."""
    if not s.refused or s.status == 200 or not _ENDPOINT.search(s.text):
        return None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint points to another one of its own: {said(s)}",
        "try api_mode='responses' (or 'chat') in the profile",
        suspicion=Kind.SDK_GAP,
        named="api_mode",
    )


def model_unknown(s: Symptoms) -> Finding | None:
    """The endpoint does not serve a model of that name."""
    model = s.settings.get("model") or (s.pasted.model if s.pasted else None)
    gone = s.status in (400, 403, 404, 410, 422, 500, None)
    named = _MODEL.search(s.words) and not _ABOUT_A_FEATURE.search(s.text)
    if not (gone and s.refused and named):
        return None
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint does not know the model {model!r}: {said(s)}",
        "correct the model's name; GET /models lists what the endpoint serves",
    )


def route_unknown(s: Symptoms) -> Finding | None:
    """The endpoint lacks a path that is well-formed, so the client chose the wrong one."""
    route = _ROUTE.search(s.text)
    if s.status not in (400, 404, 405) or not route or not _OFFICIAL.fullmatch(route["path"]):
        return None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint does not serve the path that the client chose: {said(s)}",
        "compare the path with the provider's documentation",
        suspicion=Kind.SDK_GAP,
    )


def not_found(s: Symptoms) -> Finding | None:
    """Nothing is served where the request went."""
    if s.status not in (404, 405):
        return None
    path = s.exchange.url if s.exchange else "the path"
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"nothing is served at {path} (HTTP {s.status}): {said(s)}",
        "correct base_url; OpenAI-compatible ones mostly end in /v1",
    )
