"""Rules for requests that went to the wrong place: a page, a path, a model that is not there."""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_MODEL = re.compile(
    r"model[ _]not[ _]?(?:found|exist|supported)|deploymentnotfound|unavailable_model|"
    r"endpoint_not_found|"
    r"\b(?:models?|deployment|engine)\b.{0,120}(?:not exist|not found|(?:is|are) not available|"
    r"not supported for generate|no longer (?:available|supported)|deprecated|decommissioned|"
    r"retired|was removed|not (?:a )?(?:known|recogni[sz]ed)|does ?n.t exist|not served|"
    r"not loaded|not deployed|inaccessible)|"
    # The model is what is not supported, so at most its name stands between the two.
    r"(?<!this )(?<!the )\bmodel(?: id| name| identifier)?:? ?[`'\"(]{0,2}[\w./:@-]*[`'\")]{0,2} "
    r"(?:is|was|has been) (?:not |un)(?:supported|available|valid|enabled)|"
    r"\b(?:requested|specified|selected|provided|given) model (?:\S+ )?(?:is|was) (?:not |un|in)"
    r"(?:supported|available|valid|enabled|accessible)|"
    r"\bmodel (?:id|name|identifier) (?:\S+ ){0,4}(?:is(?:n.t| not)? )(?:in)?(?:valid|supported)|"
    r"not supported by any provider|"
    r"(?:does not|doesn't|not) (?:work|compatible) with the (?:specified |given )?model, \S+\. |"
    r"non-serverless model|"
    r"\b(?:unknown|invalid|no such|unrecogni[sz]ed) model\b|not a valid model|try pulling it|"
    r"no models? (?:is |are |currently )?(?:loaded|available)|"
    r"\bmodel (?:is |was )?disabled|marked .{0,20}as legacy|provider/model format|"
    r"supported models are|ratio or price not set|"
    r"not_found_error.{0,20}model: |no endpoints (?:found|available) (?:for|matching)|"
    r"no (?:allowed|available) (?:providers?|channels?|deployments?)\b|"
    r"no (?:healthy )?deployments? available|no healthy deployments|"
    r"(?:模型|model)不存在|无可用渠道|not found for account",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"\bapi[-_ ]?versions?\b|"
    r"(?:failed to|could not|cannot|can't|unable to) find (?:the )?(?:project|resource|workspace|"
    r"region|space)|must specify a region|"
    r"(?:project|location|region)(?:[ _]id)? .{0,20}(?:must be|not) (?:set|specified|provided)|"
    r"\b(?:project|location|region)(?:[ _]id)? is (?:required|missing)",
    re.IGNORECASE,
)
"""A setting of the connection other than the model, which only the user can know."""

_WALL = re.compile(
    r"you have been blocked|request was blocked(?!.{0,40}reason)|firewall rules|"
    r"attention required!",
    re.I,
)
_NOWHERE = re.compile(
    r"unexpected endpoint|no handler found on route|method not allowed|no route for|"
    r"could not route to",
    re.IGNORECASE,
)
_PASSING = re.compile(r"temporarily|currently|at the moment|right now|try again later", re.I)
_DENIED = re.compile(r"permission.{0,80}denied", re.IGNORECASE)
_ABOUT_A_FEATURE = re.compile(
    r"not (?:supported|available|allowed) (?:on|with|by|for|in) (?:this|the) (?:\w+ )?model|"
    r"integrator|header|parameter|tool_choice|tool use|support (?:image|tool|vision)",
    re.IGNORECASE,
)
_ROUTE = re.compile(r"\b(?:POST|GET)\W{1,3}(?P<path>/?[\w/-]+)")
_UNKNOWN_URL = re.compile(r"(?:invalid|unknown|unrecogni[sz]ed)(?: request)?[ _]url", re.IGNORECASE)
_OFFICIAL = re.compile(
    r"/?(?:openai/|api/|inference/)?v1/(?:chat/completions|completions|responses|messages)"
)
_ENDPOINT = re.compile(
    r"(?:only (?:supported|available) (?:in|on|via|through|with)|(?:please )?use|switch to|"
    r"try)\W{1,4}(?:the )?/?(?:v1/)?(?P<name>responses|chat/completions|messages|completions)\b|"
    r"not (?:supported|available|accessible) (?:in|on|with|via) (?:the )?/?(?:v1/)?"
    r"(?:chat/completions|completions|responses)|not a chat model",
    re.IGNORECASE,
)


def web_page(s: Symptoms) -> Finding | None:
    """A web page answered where an API should be, or the firewall that shows such pages."""
    walled = s.pasted is not None and s.status in (403, None) and _WALL.search(s.text)
    if not s.html and not walled:
        return None
    if s.pasted is not None and s.status == 401:
        return None  # the page of a gateway that wants another key
    where = s.settings.get("base_url") or "the base URL"
    if s.status == 403 or walled:
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
    gone = s.status in (400, 403, 404, 410, 422, 500, None) or (s.pasted and s.status == 503)
    if (s.status is None or s.status >= 500) and _PASSING.search(s.text):
        return None
    named = _MODEL.search(s.words) and not _ABOUT_A_FEATURE.search(s.text)
    if not (gone and s.refused and named) or (s.status == 403 and _DENIED.search(s.text)):
        return None
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint does not know the model {model!r}: {said(s)}",
        "correct the model's name; GET /models lists what the endpoint serves",
    )


def setting_unknown(s: Symptoms) -> Finding | None:
    """The endpoint does not know another name that the profile gives: a version, a project."""
    if s.status not in (400, 403, 404, None) or not s.refused or not _SETTING.search(s.text):
        return None
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"a setting of the connection does not fit the endpoint: {said(s)}",
        "correct it in the profile (api_version, project, region, deployment)",
    )


def route_unknown(s: Symptoms) -> Finding | None:
    """The endpoint lacks a path: one that is well-formed, which the client chose, or any other."""
    route = _ROUTE.search(s.text)
    if s.status not in (400, 404, 405) or not route:
        return None
    if not _OFFICIAL.fullmatch(route["path"]):
        return _wrong_path(s, route["path"]) if _UNKNOWN_URL.search(s.words) else None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint does not serve the path that the client chose: {said(s)}",
        "compare the path with the provider's documentation",
        suspicion=Kind.SDK_GAP,
    )


def _wrong_path(s: Symptoms, path: str) -> Finding:
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the path {path} is not one of the API, so base_url is wrong: {said(s)}",
        "correct base_url; OpenAI-compatible ones mostly end in /v1",
    )


def not_found(s: Symptoms) -> Finding | None:
    """Nothing is served where the request went."""
    told = s.pasted is not None and s.status in (None, 200, 400) and _NOWHERE.search(s.text)
    if s.status not in (404, 405) and not told:
        return None
    path = s.exchange.url if s.exchange else "the path"
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"nothing is served at {path} (HTTP {s.status or 404}): {said(s)}",
        "correct base_url; OpenAI-compatible ones mostly end in /v1",
    )
