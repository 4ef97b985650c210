"""Rules for what a provider says about the account: money, identity, permission, region, rate.

They decide before anything that looks like a parameter: some vendors give them the type and even
the ``param`` of a schema error.
"""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_MONEY = re.compile(
    r"insufficient[ _](?:quota|balance|funds|credit)|credit balance|billing|"
    r"budget[ _](?:has been )?exceeded|(?:exceeded|over)[ _](?:your )?(?:budget|credit limit)|"
    r"exceeded your current quota|payment[ _](?:required|method)|(?:used|spent) all (?:available|"
    r"your) credits|spending (?:limit|cap)|(?:out of|any|no|enough|purchase|more) credits?\b|"
    r"overdue|arrear|recharge|top[ -]?up|prepaid|key with a higher .{0,20}limit|余额|欠费",
    re.IGNORECASE,
)
_WINDOW = re.compile(
    r"per[ -](?:minute|min|hour|day|second|week)|\b[TR]P[MDSH]\b|retry|try again|"
    r"per \d+ (?:minute|hour|second)|too many requests|rate[ _-]?limit",
    re.IGNORECASE,
)
_VERIFY = re.compile(
    r"must be verified|"
    r"verif(?:y|ication) (?:of )?(?:your |the )?(?:organi[sz]ation|identity|account)|"
    r"(?:organi[sz]ation|account|identity) (?:is )?not (?:yet )?verified|"
    r"accept (?:the )?(?:terms|license|licence|agreement)|gated (?:repo|model)",
    re.IGNORECASE,
)
_REGION = re.compile(
    r"unsupported_country|country|territory|region .{0,40}not (?:supported|available|allowed)|"
    r"not (?:supported|available|allowed) in .{0,30}(?:region|location|country)|"
    r"location is not supported|geo[- ]?(?:block|restrict)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:invalid|incorrect|wrong|missing|expired|revoked|no|without|malformed|bad)[ _-]"
    r"(?:\S+ ){0,3}?"
    r"(?:api[ _-]?key|x-api-key|auth\w*|credentials?|token\b(?! (?:limit|count))|secret)|"
    r"api[ _-]?key .{0,30}(?:not valid|invalid|incorrect|expired|missing|required|not found|"
    r"not set|supplied|must be)|authenticat\w* (?:fail|error|required|credentials)|"
    r"unauthenticated|"
    r"\bunauthorized\b|could not (?:load|find|locate|resolve) (?:\S+ ){0,3}credentials|"
    r"(?:not|default) (?:found )?credentials (?:not|were)|"
    r"security token .{0,40}(?:invalid|expired)|"
    r"invalid_api_key|authentication_error|signature .{0,40}does not match",
    re.IGNORECASE,
)
_PERMISSION = re.compile(
    r"polic(?:y|ies)|scope|permission|\brole\b|identity|not authorized to perform|forbidden", re.I
)
_ACCESS = re.compile(
    r"access to (?:the|this) model|model access|not authorized to (?:invoke|access) this|"
    r"not enabled for|marketplace subscription",
    re.IGNORECASE,
)
_ENDPOINT_TOO = re.compile(
    r"wrong (?:api )?endpoint|regional api endpoint|correct .{0,20}endpoint", re.I
)
_RATE = re.compile(
    r"rate[ _-]?limit|too many requests|throttl|resource[ _]?(?:has been )?exhausted|"
    r"\b[TR]P[MDSH]\b|(?:tokens?|requests?) per (?:minute|min|hour|day|second)|per-minute|"
    r"quota .{0,60}(?:per|exceeded)|concurrency limit|slow down",
    re.IGNORECASE,
)


def billing(s: Symptoms) -> Finding | None:
    """The account has no money; 402 says nothing else."""
    money = _MONEY.search(s.words) and not (s.status in (None, 413, 429) and _is_window(s))
    refused = s.status is None or s.status >= 400
    if s.status == 402 or (refused and s.refused and money):
        return Finding(
            Kind.CREDENTIALS,
            Blame.USER,
            f"the account cannot pay for the request: {said(s)}",
            "add credit or raise the limit at the provider",
        )
    return None


def verification(s: Symptoms) -> Finding | None:
    """The organisation must prove who it is before it may use the model or a feature of it."""
    if not s.refused or s.status == 200 or not _VERIFY.search(s.text):
        return None
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the provider wants the account or organisation to be verified: {said(s)}",
        "verify it at the provider; no setting replaces that",
    )


def region(s: Symptoms) -> Finding | None:
    """The provider does not serve where the request comes from, or where it went."""
    if s.status in (400, 403, 451, None) and s.refused and _REGION.search(s.words):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the provider does not serve this region: {said(s)}",
            "use another region's base_url or another provider",
        )
    return None


def unauthorized(s: Symptoms) -> Finding | None:
    """The key is wrong, or missing."""
    worded = s.refused and s.status in (None, 400, 403, 500) and _KEY.search(s.words)
    if s.status != 401 and not worded:
        return None
    if _ENDPOINT_TOO.search(s.text):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"key and endpoint do not belong together: {said(s)}",
            "check that the provider prefix, base_url and key are of one resource",
        )
    status = f" (HTTP {s.status})" if s.status else ""
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the endpoint does not accept the key{status}: {said(s)}",
        "check the key, and that it belongs to this base_url",
    )


def not_allowed(s: Symptoms) -> Finding | None:
    """The key is known, and may not do this."""
    if s.status != 403 and not (s.refused and s.raised("AccessDeniedException")):
        return None
    if _ACCESS.search(s.text) and not _PERMISSION.search(s.words):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the model is not enabled for this account, here: {said(s)}",
            "enable the model for the account in this region, or use the region where it is",
        )
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the key may not use this (HTTP {s.status or 403}): {said(s)}",
        "ask the provider for access to the model, or use another key",
    )


def rate_limit(s: Symptoms) -> Finding | None:
    """Too many requests or tokens for now."""
    worded = s.refused and _RATE.search(s.words) and s.status in (None, 400, 403, 413, 500, 503)
    if s.status != 429 and not worded:
        return None
    if s.raised("RouterRateLimitError"):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the router has no deployment that it may use: {said(s)}",
            "correct the router's model list; no request reached a provider",
        )
    headers = s.exchange.response_headers if s.exchange else {}
    wait = headers.get("retry-after")
    return Finding(
        Kind.RATE_LIMIT,
        Blame.ENDPOINT,
        f"the endpoint limits the rate of requests: {said(s)}",
        f"try again in {wait} s" if wait else "try again later, or with fewer profiles at once",
    )


def _is_window(s: Symptoms) -> bool:
    """Whether a 429 names a time after which it is over, which money troubles do not."""
    return "insufficient_quota" not in s.codes and bool(_WINDOW.search(s.words))


def said(s: Symptoms) -> str:
    """The endpoint's words, short enough for a summary."""
    return one_line(s.text, 160) or "no reason given"


RULES = (billing, verification, region, unauthorized, rate_limit, not_allowed)
