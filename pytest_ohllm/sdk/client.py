"""The SDK's ``LLM`` for a connection, and what its answers cost."""

from __future__ import annotations

import math
from typing import Any

from pydantic import SecretStr, ValidationError

from pytest_ohllm.model import Exchange, ToolMode, Usage
from pytest_ohllm.profiles.connection import Connection

KEYLESS = "not-needed"
"""What a client library gets where an endpoint wants no key: it insists on having one."""


class UnusableSettings(ValueError):
    """The SDK refuses the profile's settings; the message names the field and the reason."""


def build_llm(
    connection: Connection,
    *,
    usage_id: str,
    timeout: float,
    tool_mode: ToolMode | None = None,
    changes: dict[str, Any] | None = None,
) -> Any:
    """The ``LLM`` of the SDK for ``connection``, with its retries off and ``timeout`` seconds a
    call.

    ``tool_mode`` overrides the profile's ``native_tool_calling``; ``changes`` overrides any field.
    Raises UnusableSettings.
    """
    from openhands.sdk import LLM

    fields = dict(connection.profile.settings)
    fields.update(connection.secrets)
    if not connection.secrets and connection.profile.base_url:
        fields["api_key"] = SecretStr(KEYLESS)
    limit = max(1, math.ceil(timeout))
    fields |= {
        "usage_id": usage_id,
        # Our own retries are explicit; the SDK's would hide an outage behind two minutes of
        # waiting.
        "num_retries": 0,
        "retry_min_wait": 0,
        "retry_max_wait": 0,
        "timeout": min(limit, fields.get("timeout") or limit),
    }
    if tool_mode is not None:
        fields["native_tool_calling"] = tool_mode is ToolMode.NATIVE
    fields |= changes or {}
    try:
        return LLM(**fields)
    except ValidationError as error:
        raise UnusableSettings(_first_problem(error)) from error


def generate(llm: Any, messages: list[Any]) -> Any:
    """One call by the endpoint that the SDK's agent would choose for this model."""
    if hasattr(llm, "generate"):
        return llm.generate(messages)
    if llm.uses_responses_api():
        return llm.responses(messages)
    return llm.completion(messages)


def usage_of(llm: Any, exchanges: tuple[Exchange, ...]) -> Usage:
    """What ``llm`` consumed; a price that litellm does not know is ``None``, never 0."""
    calls = sum(exchange.method == "POST" for exchange in exchanges)
    if llm is None:
        return Usage(llm_calls=calls)
    metrics = llm.metrics
    tokens = metrics.accumulated_token_usage
    return Usage(
        llm_calls=calls,
        prompt_tokens=(tokens and tokens.prompt_tokens) or None,
        completion_tokens=(tokens and tokens.completion_tokens) or None,
        cost=metrics.accumulated_cost if metrics.accumulated_cost or _price_known(llm) else None,
    )


def _price_known(llm: Any) -> bool:
    if llm.input_cost_per_token is not None:
        return True
    info = getattr(llm, "model_info", None) or {}
    return info.get("input_cost_per_token") is not None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, problem["loc"])) or "profile"
    return f"{where}: {problem['msg']}"
