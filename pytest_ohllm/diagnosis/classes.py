"""What the name of an exception says, where nothing else does."""

from __future__ import annotations

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_NAMES: tuple[tuple[tuple[str, ...], Kind, Blame, str, str], ...] = (
    (
        ("RateLimitError", "ResourceExhausted", "ThrottlingException"),
        Kind.RATE_LIMIT,
        Blame.ENDPOINT,
        "the endpoint limits the rate of requests",
        "try again later",
    ),
    (
        ("AuthenticationError", "PermissionDeniedError", "AccessDeniedException"),
        Kind.CREDENTIALS,
        Blame.USER,
        "the endpoint does not accept the key",
        "check the key",
    ),
    (
        (
            "ServiceUnavailableError",
            "ServiceUnavailableException",
            "InternalServerError",
            "InternalServerException",
            "OverloadedError",
        ),
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        "the endpoint is in trouble",
        "try again later",
    ),
    (
        ("NotFoundError", "ResourceNotFoundException"),
        Kind.CONFIGURATION,
        Blame.USER,
        "the endpoint knows no such thing",
        "check model and base_url",
    ),
    (
        ("BadRequestError", "UnprocessableEntityError", "InvalidRequestError"),
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        "the endpoint rejects the request",
        "compare the request with the provider's documentation",
    ),
)
"""Exceptions, and what they are named after; a refusal is suspected to be the SDK's fault."""


def named_after_a_status(s: Symptoms) -> Finding | None:
    """Clients name exceptions after the status; litellm guesses one, so this comes last."""
    if s.pasted is None:
        return None
    for names, kind, blame, summary, next_step in _NAMES:
        if s.raised(*names):
            suspicion = Kind.SDK_GAP if kind is Kind.UNKNOWN else None
            return Finding(kind, blame, f"{summary}: {said(s)}", next_step, suspicion=suspicion)
    return None
