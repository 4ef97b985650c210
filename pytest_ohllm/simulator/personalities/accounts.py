"""Personalities of accounts: keys, money, verification, regions, and rate limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Turn

_RESPONSES: Mapping[str, Any] = {
    "api_mode": "responses",
    "capability_overrides": {"supports_responses_api": True, "supports_reasoning_effort": True},
}


def _always(refusal: Refusal) -> Refuse:
    return lambda turn: refusal


def _rate_limited(turn: Turn) -> Refusal | None:
    return Refusal(
        429,
        f"Rate limit reached for {turn.model} in organization org-sim on requests per min (RPM): "
        "Limit 3, Used 3, Requested 1. Please try again in 20s.",
        type="requests",
        code="rate_limit_exceeded",
        headers={
            "retry-after": "20",
            "x-ratelimit-limit-requests": "3",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "20s",
        },
    )


_SUMMARIES = ("auto", "concise", "detailed")


def _unverified(turn: Turn) -> Refusal | None:
    """OpenAI hides an account's state behind what looks like a bad parameter."""
    asked = turn.fields.get("reasoning")
    if not isinstance(asked, dict) or not asked.get("summary"):
        return None
    if asked["summary"] not in _SUMMARIES:
        # The field is known, so its values are checked before the account is.
        return Refusal(
            400,
            f"Invalid value: '{asked['summary']}'. Supported values are: 'auto', 'concise', and "
            "'detailed'.",
            param="reasoning.summary",
            code="invalid_value",
        )
    return Refusal(
        400,
        "Your organization must be verified to generate reasoning summaries. Please go to: "
        "https://platform.openai.com/settings/organization/general and click on Verify "
        "Organization. If you just verified, it can take up to 15 minutes for access to propagate.",
        param="reasoning.summary",
        code="unsupported_value",
    )


def _unverified_stream(turn: Turn) -> Refusal | None:
    if not turn.stream:
        return None
    return Refusal(
        400,
        "Your organization must be verified to stream this model. Please go to: "
        "https://platform.openai.com/settings/organization/general and click on Verify "
        "Organization. If you just verified, it can take up to 15 minutes for access to propagate.",
        param="stream",
        code="unsupported_value",
    )


def _large_requests(turn: Turn) -> Refusal | None:
    """A tier's tokens per minute are fewer than one request has: waiting never helps."""
    tokens = turn.prompt_tokens
    if tokens <= 4096:
        return None
    return Refusal(
        413,
        f"Request too large for model `{turn.model}` in organization `org_sim` service tier "
        f"`on_demand` on tokens per minute (TPM): Limit 4096, Requested {tokens}, please reduce "
        "your message size and try again. Need more tokens? Upgrade to Dev Tier today at "
        "https://console.groq.com/settings/billing",
        type="tokens",
        code="rate_limit_exceeded",
    )


def _account(
    name: str, description: str, kind: str, refusal: Refusal | Refuse, **about: Any
) -> Personality:
    refuse = _always(refusal) if isinstance(refusal, Refusal) else refusal
    return Personality(name, description, stage="A", kind=kind, refuse=(refuse,), **about)


PERSONALITIES = (
    _account(
        "forbidden",
        "403: a restricted key without the scope that a conversation needs",
        "credentials",
        Refusal(
            403,
            "You have insufficient permissions for this operation. Missing scopes: "
            "model.request. Check that you have the correct role in your organization, "
            "and if you're using a restricted API key, that it has the necessary scopes.",
        ),
    ),
    _account(
        "forbidden-region",
        "403: the country is not supported, whatever the key",
        "configuration",
        Refusal(
            403,
            "Country, region, or territory not supported",
            type="request_forbidden",
            code="unsupported_country_region_territory",
        ),
    ),
    _account(
        "billing",
        "402: the account has no credit left",
        "credentials",
        Refusal(402, "Insufficient Balance", type="unknown_error"),
    ),
    _account(
        "billing-anthropic",
        "400 invalid_request_error: the account has no credit left, as Anthropic says it",
        "credentials",
        Refusal(
            400,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits.",
        ),
        spoken="anthropic",
    ),
    _account(
        "insufficient-quota",
        "429 insufficient_quota: the account has no credit left, as OpenAI says it",
        "credentials",
        Refusal(
            429,
            "You exceeded your current quota, please check your plan and billing details. For "
            "more information on this error, read the docs: "
            "https://platform.openai.com/docs/guides/error-codes/api-errors.",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
    ),
    _account(
        "budget-exceeded",
        "400 budget_exceeded: a LiteLLM proxy's key has spent what it may",
        "credentials",
        Refusal(
            400,
            "Budget has been exceeded! Current cost: 10.03, Max budget: 10.0",
            type="budget_exceeded",
            code="400",
        ),
    ),
    _account(
        "key-invalid-gemini",
        "400 INVALID_ARGUMENT for a key that Google does not know",
        "credentials",
        Refusal(
            400,
            "API key not valid. Please pass a valid API key.",
            body={
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                    "details": [
                        {
                            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                            "reason": "API_KEY_INVALID",
                            "domain": "googleapis.com",
                        }
                    ],
                }
            },
        ),
        spoken="gemini",
    ),
    _account(
        "organization-unverified",
        "400 unsupported_value for `reasoning.summary`: the organisation is not verified",
        "credentials",
        _unverified,
        spoken="responses",
        settings={**_RESPONSES, "reasoning_summary": "auto"},
    ),
    Personality(
        "organization-unverified-stream",
        "400 unsupported_value for `stream`: the organisation is not verified",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="streaming",
        kind="credentials",
        refuse=(_unverified_stream,),
    ),
    _account(
        "rate-limited",
        "429 with Retry-After on every conversation",
        "rate_limit",
        _rate_limited,
    ),
    _account(
        "rate-limited-gemini",
        "429 RESOURCE_EXHAUSTED with a retry delay, as Google says it",
        "rate_limit",
        Refusal(
            429,
            "You exceeded your current quota, please check your plan and billing details. * Quota "
            "exceeded for metric: generativelanguage.googleapis.com/"
            "generate_content_free_tier_requests, limit: 2 Please retry in 31.5s.",
        ),
        spoken="gemini",
    ),
    Personality(
        "tokens-per-minute",
        "413 for requests larger than the tier's tokens per minute, as Groq says it",
        stage="B",
        kind="rate_limit",
        refuse=(_large_requests,),
    ),
)
