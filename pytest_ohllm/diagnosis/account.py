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
    r"insufficient[ _](?:account )?(?:quota|balance|funds?|credit)|credit balance|billing|"
    r"budget[ _](?:has been )?exceeded|(?:exceeded|over)[ _](?:your )?(?:budget|credit limit)|"
    r"exceeded (?:your )?current quota|payment[ _](?:required|method)|(?:used|spent) all "
    r"(?:available|your) credits|spending[ _](?:limit|cap)|"
    r"(?:out of|any|ha(?:ve|s) no|enough|purchase|more|included) credits?\b|credit card|"
    r"no credits? (?:left|remaining|available)|(?:plan|package|subscription|membership|trial) "
    r"(?:has |is |was )?expired|"
    r"credits? (?:\w+ ){0,3}(?:depleted|exhausted|used up)|free (?:tier|quota|trial) .{0,40}"
    r"(?:exhausted|used up|ended|expired)|\bafford\b|(?:unpaid|past) invoice|extra usage is "
    r"required|(?:monthly|weekly|key|usage) limit exceeded|"
    r"reached your (?:\w+ ){0,3}usage limits?|"
    r"overdue|arrear|recharge|top[ -]?up|prepaid|key with a higher .{0,20}limit|余额|欠费|充值",
    re.IGNORECASE,
)
_WINDOW = re.compile(
    r"per[ -](?:minute|min|hour|day|second|week)|\b[TR]P[MDSH]\b|retry|try again|"
    r"per \d+ ?(?:minute|hour|second|s\b)|too many requests|rate[ _-]?limit|\bresets?\b|"
    r"resource_exhausted",
    re.IGNORECASE,
)
_NO_WINDOW = re.compile(
    r"insufficient[ _](?:quota|balance|funds)|credits? (?:\w+ ){0,3}depleted|余额|"
    r"(?:plan|package|subscription) (?:has )?expired|extra usage is required",
    re.IGNORECASE,
)
"""Said of money only: an account without it advises to try again, too."""

_VERIFY = re.compile(
    r"must be verified|"
    r"verif(?:y|ication) (?:of )?(?:your |the )?(?:organi[sz]ation|identity|account)|"
    r"(?:organi[sz]ation|account|identity) (?:is )?not (?:yet )?verified|"
    r"accept (?:the )?(?:terms|license|licence|agreement)|gated (?:repo|model)",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"\b(?:organi[sz]ation|account|workspace|project|key|subscription|team|tenant)\b"
    r"[^.]{0,40}\b(?:(?:is|been|was|not) )+(?:currently )?(?:disabled|suspended|"
    r"deactivated|restricted|banned|blocked|frozen|inactive|active|terminated)\b|"
    r"(?:organi[sz]ation|workspace|admin\w*) has disabled|"
    r"disabled (?:in|for) (?:this|your) (?:account|organi[sz]ation|project)|"
    r"(?:api|service) .{0,40}(?:has not been used in project|is not enabled on)|封禁|禁用",
    re.IGNORECASE,
)
_REGION = re.compile(
    r"unsupported_country|country|territory|valid region|"
    r"region .{0,40}not (?:supported|available|allowed)|"
    r"not (?:supported|available|allowed|servable) in .{0,30}(?:region|location|country)|"
    r"location is not supported|geo[- ]?(?:block|restrict)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:invalid|incorrect|wrong|missing|expired|revoked|no|without|malformed|bad|illegal)[ _-]"
    r"(?:(?!unexpected|max|special|stop|eos)\S+ ){0,3}?"
    r"(?:api[ _-]?key|x-api-key|auth\w*|credentials?|secret|"
    r"token\b(?! (?:limit|count|in|at)\b| ['\"<]))|"
    r"(?:api[ _-]?|subscription )key\b.{0,60}\b(?:not (?:valid|found|set|configured|authorized|"
    r"exist)|invalid|incorrect|expired|missing|required|supplied|must be|revoked|disabled)|"
    r"authenticat\w* (?:fail|error|required|credentials|parameter|token)|not authenticated|"
    r"unauthenticated|login fail|invalid_grant|authentication unavailable|sign in again|"
    r"failed to retrieve a token|token could not be refreshed|"
    r"\bunauthori[sz]ed\b|could not (?:load|find|locate|resolve) (?:\S+ ){0,3}credentials|"
    r"(?:unable|failed) to (?:load|find|locate|resolve) (?:\S+ ){0,3}credentials|"
    r"(?:not|default) (?:found )?credentials (?:not|were)|"
    r"(?:security |access |auth |oauth |id)?token\b .{0,40}\b(?:invalid|expired|revoked)|"
    r"invalid_api_key|authentication_error|signature .{0,40}does not match|"
    r"unregistered callers|(?:无效的?|过期的?|错误的?)(?:令牌|密钥)|"
    r"(?:令牌|密钥)(?:无效|错误|已过期|状态不可用)",
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
_DENIED = re.compile(
    r"(?:not |n't |no |without )(?:\w+ ){0,2}(?:access|permissions?)\b|not (?:allowed|authorized|"
    r"permitted) to (?:access|use|call|invoke|perform)|(?:access|permission)\b.{0,80}\bdenied|"
    r"insufficient permissions?|access_denied|permission[_-]denied|无权",
    re.IGNORECASE,
)
_ENDPOINT_TOO = re.compile(
    r"wrong (?:api )?endpoint|regional (?:api endpoint|hostname)|correct .{0,20}endpoint", re.I
)
_RATE = re.compile(
    r"rate[ _-]?limit|too many (?:requests|connections|tokens, please wait)|throttl|"
    r"resource[ _]?(?:has been )?exhausted|toomanyrequests|request_limit_exceeded|"
    r"\b[TR]P[MDSH]\b|(?:tokens?|requests?) per (?:minute|min|hour|day|second)|per-minute|"
    r"quota .{0,60}(?:per|exceeded)|concurren(?:cy|t \w+) (?:limit|usage|exceed)|slow down|"
    r"limit\b.{0,30}\bper (?:minute|min|hour|day|second)\b|usage limit|请求过于频繁|限流|频率|并发",
    re.IGNORECASE,
)


def billing(s: Symptoms) -> Finding | None:
    """The account has no money; 402 says nothing else."""
    if s.status == 402:
        return _unpaid(s)
    refused = s.refused and (s.status is None or s.status >= 400)
    if not refused or not _MONEY.search(s.words):
        return None
    return None if s.status in (None, 413, 429) and _is_window(s) else _unpaid(s)


def _unpaid(s: Symptoms) -> Finding:
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the account cannot pay for the request: {said(s)}",
        "add credit or raise the limit at the provider",
    )


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


def account_closed(s: Symptoms) -> Finding | None:
    """The account, or the service in it, is switched off."""
    worded = s.refused and s.status in (None, 400, 401, 403, 404, 412) and _CLOSED.search(s.text)
    if not worded or _ACCESS.search(s.text):
        return None
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the account is not in a state to be used: {said(s)}",
        "look at the account's state at the provider",
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
    plausible = s.status in (None, 200, 400, 403) or s.status >= 500
    worded = s.refused and plausible and _KEY.search(s.words)
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
    denied = s.raised("AccessDeniedException") or (s.pasted and _DENIED.search(s.words))
    if s.status != 403 and not (s.refused and denied and s.status not in (404, 429)):
        return None
    # In a cloud a model is enabled per account and region; elsewhere it is the key that lacks it.
    cloud = s.status != 403 or s.raised("AccessDeniedException") or "accessdenied" in s.codes
    if cloud and _ACCESS.search(s.text) and not _PERMISSION.search(s.words):
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
    if s.raised("RouterRateLimitError"):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the router has no deployment that it may use: {said(s)}",
            "correct the router's model list; no request reached a provider",
        )
    worded = s.refused and _RATE.search(s.words) and s.status in (None, 400, 403, 413, 500, 503)
    if s.status != 429 and not worded:
        return None
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
    return bool(_WINDOW.search(s.words)) and not _NO_WINDOW.search(s.words)


def said(s: Symptoms) -> str:
    """The endpoint's words, short enough for a summary."""
    return one_line(s.text, 160) or "no reason given"


RULES = (billing, verification, account_closed, region, unauthorized, rate_limit, not_allowed)
