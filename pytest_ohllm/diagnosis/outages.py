"""Rules for endpoints in trouble: what passes by itself and says nothing about the model."""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_OVERLOADED = re.compile(
    r"overloaded|temporarily (?:un|rate)|service unavailable|server (?:is )?(?:busy|overload)|"
    r"no healthy upstream|bad gateway|gateway time|(?:over|at|no) capacity|"
    r"capacity (?:is )?exceeded|high demand|\bunavailable\b(?! tool)|(?:re)?try your request\b|"
    r"currently loading|网络错误|系统繁忙|服务器繁忙|负载",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\bdegraded function|temporarily unavailable|under maintenance|currently loading|"
    r"currently (?:overloaded|unavailable)|currently experiencing",
    re.IGNORECASE,
)
"""Said of an endpoint even where its status blames the request."""

_DIED = re.compile(
    r"(?:model|runner|engine|worker|server)\b (?:\w+ ){0,3}(?:crashed|terminated|died)|"
    r"error code: 52\d|server had an error|internal (?:server )?error|server-side issue",
    re.IGNORECASE,
)


def overloaded(s: Symptoms) -> Finding | None:
    """The endpoint says that it has too much to do, or whatever is behind it."""
    if s.pasted is None:
        return None
    transient = s.status is None or s.status >= 500 or s.status == 200
    down = s.status in (400, 404, 409) and _DOWN.search(s.text)
    return _trouble(s) if down or (transient and _OVERLOADED.search(s.words)) else None


def outage(s: Symptoms) -> Finding | None:
    """The endpoint is in trouble."""
    died = s.pasted is not None and s.status in (None, 200) and _DIED.search(s.text)
    passing = s.status in (408, 409, 423, 424) or (s.status is not None and s.status >= 500)
    return _trouble(s) if died or passing else None


def _trouble(s: Symptoms) -> Finding:
    status = f" (HTTP {s.status})" if s.status else ""
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        f"the endpoint is in trouble{status}: {said(s)}",
        "try again later; the provider's status page or the server's log tells more",
    )
