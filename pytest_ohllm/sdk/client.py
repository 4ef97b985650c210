"""The SDK's ``LLM`` for a connection, and what its answers cost."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr, ValidationError

from pytest_ohllm.model import Exchange, ToolMode, Usage
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.scene import UnsupportedBySdk
from pytest_ohllm.wire.reading import is_call

KEYLESS = "not-needed"
"""What a client library gets where an endpoint wants no key: it insists on having one."""


NOBODY = "http://127.0.0.1:9/v1"
"""An address at which nothing listens: the discard port."""


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
    Raises UnusableSettings, and UnsupportedBySdk for a change that this SDK would ignore.
    """
    from openhands.sdk import LLM

    if unknown := (changes or {}).keys() - LLM.model_fields.keys():
        raise UnsupportedBySdk(f"the setting {', '.join(sorted(unknown))}")
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
        # Prompts would be logged beside the user's files; the tape keeps what is needed.
        "log_completions": False,
        "timeout": min(limit, fields.get("timeout") or limit),
    }
    if tool_mode is not None:
        fields["native_tool_calling"] = tool_mode is ToolMode.NATIVE
    fields |= changes or {}
    if fields.get("base_url") == "":
        # Client libraries take it for none, and the key would go to the provider's own address.
        raise UnusableSettings("base_url: it is empty; give one such as http://HOST:PORT/v1")
    try:
        return LLM(**fields)
    except ValidationError as error:
        raise UnusableSettings(_first_problem(error)) from error


def chosen(settings: Mapping[str, Any]) -> frozenset[str]:
    """Which of a profile's settings somebody chose: those that are not the SDK's own defaults.

    Saved profiles hold every field. Without the SDK in this process, all of them count.
    """
    if not environment.sdk_is_imported():
        return frozenset(settings)
    from openhands.sdk import LLM

    fields = LLM.model_fields
    return frozenset(
        name
        for name, value in settings.items()
        if name not in fields or value != fields[name].get_default(call_default_factory=True)
    )


def answer(
    llm: Any, prompt: str, picture: bytes | None = None, facts: dict[str, Any] | None = None
) -> str:
    """The text that ``llm`` answers, read as the SDK's own types, which is part of what is tested.

    ``picture`` is a PNG. With ``facts`` the answer is streamed, and its deltas are counted there.
    """
    from openhands.sdk import ImageContent, Message, TextContent

    content: list[Any] = [TextContent(text=prompt)]
    if picture is not None:
        encoded = base64.b64encode(picture).decode()
        content.append(ImageContent(image_urls=[f"data:image/png;base64,{encoded}"]))
    options: dict[str, Any] = {}
    if facts is not None:
        facts["deltas"] = 0
        options["on_token"] = lambda _chunk: count_delta(facts)
    message = _generate(llm, [Message(role="user", content=content)], options).message
    return "\n".join(part.text for part in message.content if isinstance(part, TextContent))


def count_delta(facts: dict[str, Any]) -> None:
    """One more piece of a streamed answer has reached the caller."""
    facts["deltas"] += 1


def falling_back_to(second: Any) -> dict[str, Any]:
    """The fields of an ``LLM`` that is down, and falls back to ``second``. Raises UnsupportedBySdk.

    The SDK loads fallbacks from a profile store, which would put the key into a file; what it has
    loaded is a private attribute of the strategy, and set directly.
    """
    try:
        from openhands.sdk.llm.fallback_strategy import FallbackStrategy
    except ImportError as error:
        raise UnsupportedBySdk("fallback strategies") from error
    if "_resolved" not in FallbackStrategy.__private_attributes__:
        raise UnsupportedBySdk("fallback strategies that hold their models")
    strategy = FallbackStrategy(
        fallback_llms=["second"], profile_store_dir=environment.home() / "profiles"
    )
    strategy._resolved = [second]
    return {"base_url": NOBODY, "fallback_strategy": strategy}


def capability(llm: Any, name: str) -> bool:
    """What the SDK believes of the model: ``vision`` or ``responses``."""
    ask = {"vision": llm.vision_is_active, "responses": llm.uses_responses_api}[name]
    return bool(ask())


def _generate(llm: Any, messages: list[Any], options: dict[str, Any]) -> Any:
    """One call by the endpoint that the SDK's agent would choose for this model."""
    if hasattr(llm, "generate"):
        return llm.generate(messages, **options)
    if llm.uses_responses_api():
        return llm.responses(messages, **options)
    return llm.completion(messages, **options)


def usage_of(llms: Sequence[Any], exchanges: tuple[Exchange, ...]) -> Usage:
    """What ``llms`` consumed together; a price that litellm does not know is ``None``, never 0.

    Calls are counted on the wire, since the SDK's own count leaves out those that failed.
    """
    calls = sum(map(is_call, exchanges))
    spent = [llm.metrics.accumulated_token_usage for llm in llms]
    used = [llm for llm in llms if llm.metrics.response_latencies] or llms
    cost = sum(llm.metrics.accumulated_cost for llm in used)
    return Usage(
        llm_calls=calls,
        prompt_tokens=sum(tokens.prompt_tokens for tokens in spent if tokens) or None,
        completion_tokens=sum(tokens.completion_tokens for tokens in spent if tokens) or None,
        cached_tokens=sum(tokens.cache_read_tokens for tokens in spent if tokens) or None,
        cost=cost if not calls or all(map(_price_known, used)) else None,
    )


def _price_known(llm: Any) -> bool:
    if llm.metrics.accumulated_cost or llm.input_cost_per_token is not None:
        return True
    info = getattr(llm, "model_info", None) or {}
    return info.get("input_cost_per_token") is not None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, problem["loc"])) or "profile"
    return f"{where}: {problem['msg']}"
