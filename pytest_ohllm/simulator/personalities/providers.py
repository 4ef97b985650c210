"""Personalities of the provider: good requests that it refuses, in vendors' own words."""

from __future__ import annotations

from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Turn


def _always(refusal: Refusal) -> Refuse:
    return lambda turn: refusal


def _no_tools(turn: Turn) -> Refusal | None:
    """vLLM without its two flags."""
    if not turn.fields.get("tools"):
        return None
    return Refusal(
        400,
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        type="BadRequestError",
        code=400,
    )


def _no_temperature(turn: Turn) -> Refusal | None:
    """OpenAI's reasoning models, which accept the default value and no other."""
    temperature = turn.fields.get("temperature")
    if temperature is None or temperature == 1:
        return None
    return Refusal(
        400,
        f"Unsupported value: 'temperature' does not support {temperature} with this model. "
        "Only the default (1) value is supported.",
        param="temperature",
        code="unsupported_value",
    )


def _model_not_found(turn: Turn) -> Refusal | None:
    return Refusal(
        404,
        f"The model `{turn.model}` does not exist or you do not have access to it.",
        code="model_not_found",
    )


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


PERSONALITIES = (
    Personality(
        "no-native-tools",
        "rejects `tools` as vLLM without a tool parser does; follows the prompt-based format",
        healthy=True,
        verdict="WORKS WITH SETTINGS",
        refuse=(_no_tools,),
    ),
    Personality(
        "rejects-temperature",
        "rejects any temperature but 1 with a 400 that names the field",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        refuse=(_no_temperature,),
        # For a model that it does not know the SDK drops the temperature, unless told so.
        settings={
            "temperature": 0.5,
            "capability_overrides": {"supports_reasoning_effort": False},
        },
    ),
    Personality(
        "forbidden",
        "403: a restricted key without the scope that a conversation needs",
        stage="A",
        kind="credentials",
        refuse=(
            _always(
                Refusal(
                    403,
                    "You have insufficient permissions for this operation. Missing scopes: "
                    "model.request. Check that you have the correct role in your organization, "
                    "and if you're using a restricted API key, that it has the necessary scopes.",
                )
            ),
        ),
    ),
    Personality(
        "forbidden-region",
        "403: the country is not supported, whatever the key",
        stage="A",
        kind="configuration",
        refuse=(
            _always(
                Refusal(
                    403,
                    "Country, region, or territory not supported",
                    type="request_forbidden",
                    code="unsupported_country_region_territory",
                )
            ),
        ),
    ),
    Personality(
        "billing",
        "402: the account has no credit left",
        stage="A",
        kind="credentials",
        refuse=(_always(Refusal(402, "Insufficient Balance", type="unknown_error")),),
    ),
    Personality(
        "not-found",
        "404: the model does not exist",
        stage="A",
        kind="configuration",
        refuse=(_model_not_found,),
    ),
    Personality(
        "rate-limited",
        "429 with Retry-After on every conversation",
        stage="A",
        kind="rate_limit",
        refuse=(_rate_limited,),
    ),
    Personality(
        "error-500",
        "500 on every conversation",
        stage="A",
        kind="provider_outage",
        refuse=(
            _always(
                Refusal(
                    500,
                    "The server had an error while processing your request. Sorry about that!",
                    type="server_error",
                )
            ),
        ),
    ),
    Personality(
        "overloaded",
        "529: overloaded, as Anthropic says it",
        stage="A",
        kind="provider_outage",
        refuse=(
            _always(
                Refusal(
                    529,
                    "Overloaded",
                    body={
                        "type": "error",
                        "error": {"type": "overloaded_error", "message": "Overloaded"},
                    },
                )
            ),
        ),
    ),
)
