"""What the name of an exception says, where nothing else does."""

from __future__ import annotations

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_LIMITED = ("RateLimitError", "ResourceExhausted", "ThrottlingException")
_IDENTITY = ("AuthenticationError", "PermissionDeniedError", "AccessDeniedException")
_TROUBLE = (
    "ServiceUnavailableError",
    "ServiceUnavailableException",
    "InternalServerError",
    "InternalServerException",
    "OverloadedError",
)
_NOT_FOUND = ("NotFoundError", "ResourceNotFoundException")
_REFUSED = ("BadRequestError", "UnprocessableEntityError", "InvalidRequestError")


def named_after_a_status(s: Symptoms) -> Finding | None:
    """Clients name exceptions after the status; litellm guesses one, so this comes last."""
    if s.pasted is None:
        return None
    words = said(s)
    if s.raised(*_LIMITED):
        summary, step = f"the endpoint limits the rate of requests: {words}", "try again later"
        return Finding(Kind.RATE_LIMIT, Blame.ENDPOINT, summary, step)
    if s.raised(*_IDENTITY):
        summary, step = f"the endpoint does not accept the key: {words}", "check the key"
        return Finding(Kind.CREDENTIALS, Blame.USER, summary, step)
    if s.raised(*_TROUBLE):
        summary, step = f"the endpoint is in trouble: {words}", "try again later"
        return Finding(Kind.PROVIDER_OUTAGE, Blame.ENDPOINT, summary, step)
    if s.raised(*_NOT_FOUND):
        summary, step = f"the endpoint knows no such thing: {words}", "check model and base_url"
        return Finding(Kind.CONFIGURATION, Blame.USER, summary, step)
    if not s.raised(*_REFUSED):
        return None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint rejects the request: {words}",
        "compare the request with the provider's documentation",
        suspicion=Kind.SDK_GAP,
    )
