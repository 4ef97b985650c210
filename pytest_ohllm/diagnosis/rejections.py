"""Rules for requests that an endpoint refused, in the order in which they decide.

Billing and verification come before anything that looks like a parameter: some vendors give them
the type and even the ``param`` of a schema error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_MONEY = re.compile(
    r"insufficient[ _](?:quota|balance|funds|credit)|credit balance|billing|"
    r"budget[ _](?:has been )?exceeded|(?:exceeded|over)[ _]?budget|"
    r"exceeded your current quota|payment required|used all available credits|spending limit|"
    r"out of credits|(?:any|no|enough) credits|overdue|arrear",
    re.IGNORECASE,
)
_WINDOW = re.compile(r"per[ -](?:minute|min|hour|day|second)|\b[TR]P[MDS]\b|retry|try again", re.I)
_VERIFY = re.compile(r"must be verified|verify (?:your )?organi[sz]ation", re.IGNORECASE)
_REGION = re.compile(r"unsupported_country|region|country|territory", re.IGNORECASE)
_MODEL = re.compile(
    r"model[ _]not[ _]found|\bmodel\b.{0,120}(?:not exist|not found|is not available)|"
    r"(?:unknown|invalid|no such) model|not a valid model|try pulling it|not_found_error model: ",
    re.IGNORECASE | re.DOTALL,
)
_TOOLS = re.compile(
    r"(?:not|n't) support(?:ed)? (?:tools?|functions?)|"
    r"(?:tools?|functions?)[`'\"]? (?:use |calling )?(?:is|are) not (?:support|enabled|available)|"
    r"enable-auto-tool-choice|tool-call-parser|no endpoints found that support tool",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"context[ _](?:length|window|size)|maximum context|prompt is too long|too many tokens",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content[ _](?:filter|policy|management)|flagged|safety (?:system|filter|polic|reason)",
    re.IGNORECASE,
)


def billing(s: Symptoms) -> Finding | None:
    """The account has no money; 402 says nothing else."""
    refused = s.status is not None and s.status >= 400
    money = _MONEY.search(f"{s.codes} {s.text}") and not (s.status == 429 and _is_window(s))
    if s.status == 402 or (refused and money):
        return Finding(
            Kind.CREDENTIALS,
            Blame.USER,
            f"the account cannot pay for the request: {_said(s)}",
            "add credit or raise the limit at the provider",
        )
    return None


def verification(s: Symptoms) -> Finding | None:
    """The organisation must prove who it is before it may use the model or a feature of it."""
    if s.status is None or s.status < 400 or not _VERIFY.search(s.text):
        return None
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the provider wants the organisation to be verified: {_said(s)}",
        "verify it at the provider; no setting replaces that",
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


def unauthorized(s: Symptoms) -> Finding | None:
    """The key is wrong, or may not do this."""
    invalid = s.status == 400 and re.search(
        r"api[ _]key not valid|invalid[ _]api[ _]key", s.text, re.I
    )
    if s.status == 401 or invalid:
        return Finding(
            Kind.CREDENTIALS,
            Blame.USER,
            f"the endpoint does not accept the key (HTTP {s.status}): {_said(s)}",
            "check the key, and that it belongs to this base_url",
        )
    if s.status == 403:
        if _REGION.search(f"{s.codes} {s.text}"):
            return Finding(
                Kind.CONFIGURATION,
                Blame.USER,
                f"the provider does not serve this region: {_said(s)}",
                "use another region's base_url or another provider",
            )
        return Finding(
            Kind.CREDENTIALS,
            Blame.USER,
            f"the key may not use this (HTTP 403): {_said(s)}",
            "ask the provider for access to the model, or use another key",
        )
    return None


def rate_limit(s: Symptoms) -> Finding | None:
    """Too many requests for now."""
    if s.status != 429:
        return None
    headers = s.exchange.response_headers if s.exchange else {}
    wait = headers.get("retry-after")
    return Finding(
        Kind.RATE_LIMIT,
        Blame.ENDPOINT,
        f"the endpoint limits the rate of requests: {_said(s)}",
        f"try again in {wait} s" if wait else "try again later, or with fewer profiles at once",
    )


def outage(s: Symptoms) -> Finding | None:
    """The endpoint is in trouble."""
    if s.status not in (408, 409, 423) and (s.status is None or s.status < 500):
        return None
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        f"the endpoint is in trouble (HTTP {s.status}): {_said(s)}",
        "try again later; the provider's status page or the server's log tells more",
    )


def not_found(s: Symptoms) -> Finding | None:
    """The model or the path does not exist there."""
    if s.status not in (400, 404, 405, 410):
        return None
    model = s.settings.get("model")
    if _MODEL.search(f"{s.codes} {s.text}"):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the endpoint does not know the model {model!r}: {_said(s)}",
            "correct the model's name; GET /models lists what the endpoint serves",
        )
    if s.status in (404, 405) and not _TOOLS.search(s.text):
        path = s.exchange.url if s.exchange else "the path"
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"nothing is served at {path} (HTTP {s.status}): {_said(s)}",
            "correct base_url; OpenAI-compatible ones mostly end in /v1",
        )
    return None


def tools_refused(s: Symptoms) -> Finding | None:
    """The endpoint refuses the ``tools`` field as such."""
    if s.status is None or not 400 <= s.status < 500 or not _TOOLS.search(s.text):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        f"the endpoint does not offer native tool calling: {_said(s)}",
        "set native_tool_calling to false, or enable tool calling in the server",
    )


def context_length(s: Symptoms) -> Finding | None:
    """The request does not fit the model's context."""
    if s.status not in (400, 413, 422) or not _CONTEXT.search(f"{s.codes} {s.text}"):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.MODEL,
        f"the request does not fit the model's context: {_said(s)}",
        "serve the model with a larger context; the SDK's agent needs 16,384 tokens or more",
    )


def content_filter(s: Symptoms) -> Finding | None:
    """A filter at the provider stopped a harmless prompt."""
    if s.status not in (400, 403, 422) or not _FILTER.search(f"{s.codes} {s.text}"):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        f"the provider's content filter refused the prompt: {_said(s)}",
        "relax the filter at the provider",
    )


def names_a_field(s: Symptoms) -> Finding | None:
    """The endpoint refuses a field of the request by name."""
    if s.status not in (400, 422) or s.exchange is None:
        return None
    name = _named_field(s)
    if name is None:
        return None
    if s.settings.get(name) is not None:
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the endpoint rejects {name!r}, which the profile sets: {_said(s)}",
            f"remove {name} from the profile",
        )
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint rejects {name!r}, which the profile does not set: {_said(s)}",
        "compare the request in the run folder with the provider's documentation",
    )


def rejected(s: Symptoms) -> Finding | None:
    """Any other refusal: the endpoint's words are all there is."""
    if s.status is None or not 400 <= s.status < 500:
        return None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint rejects the request (HTTP {s.status}): {_said(s)}",
        "compare the request in the run folder with the provider's documentation",
    )


def _named_field(s: Symptoms) -> str | None:
    """The top-level field of the request that the error is about."""
    request = s.exchange.request if s.exchange else None
    if not isinstance(request, Mapping):
        return None
    named: Any = s.body_error.get("param")
    if isinstance(named, str) and (top := re.split(r"[.\[]", named)[0]) in request:
        return top
    quoted = set(re.findall(r"[`'\"]([a-z_]+)[`'\"]", s.text))
    leading = set(re.findall(r"^([a-z_]+)(?=[.\[:])", s.text))
    plain = {name for name in request if "_" in name and name in s.text}
    found = sorted((quoted | leading | plain) & set(request) - {"messages", "model"})
    return found[0] if len(found) == 1 else None


def _is_window(s: Symptoms) -> bool:
    """Whether a 429 names a time after which it is over, which money troubles do not."""
    return "insufficient_quota" not in s.codes and bool(_WINDOW.search(s.text))


def _said(s: Symptoms) -> str:
    return one_line(s.text, 160) or "no reason given"


RULES = (
    billing,
    verification,
    web_page,
    unauthorized,
    rate_limit,
    outage,
    tools_refused,
    not_found,
    context_length,
    content_filter,
    names_a_field,
    rejected,
)
