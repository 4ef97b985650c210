"""Rules for endpoints in trouble: what passes by itself and says nothing about the model."""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_OVERLOADED = re.compile(
    r"overloaded|temporarily (?:un|rate)|service unavailable|server (?:is )?(?:busy|overload)|"
    r"no healthy upstream|bad gateway|gateway time|over capacity|capacity (?:is )?exceeded|"
    r"high demand|\bunavailable\b",
    re.IGNORECASE,
)


def overloaded(s: Symptoms) -> Finding | None:
    """The endpoint says that it has too much to do, or whatever is behind it."""
    transient = s.status is None or s.status >= 500 or s.status == 200
    if s.pasted is None or not transient or not _OVERLOADED.search(s.words):
        return None
    return _trouble(s)


def outage(s: Symptoms) -> Finding | None:
    """The endpoint is in trouble."""
    if s.status not in (408, 409, 423) and (s.status is None or s.status < 500):
        return None
    return _trouble(s)


def _trouble(s: Symptoms) -> Finding:
    status = f" (HTTP {s.status})" if s.status else ""
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        f"the endpoint is in trouble{status}: {said(s)}",
        "try again later; the provider's status page or the server's log tells more",
    )
