"""What an agent server tells of a conversation, as JSON, in the terms of this package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from pytest_ohllm.model import ErrorFacts, ErrorLink, Event, Usage
from pytest_ohllm.sdk.events import reduce

_STATUS = {
    "LLMAuthenticationError": 401,
    "LLMRateLimitError": 429,
    "LLMServiceUnavailableError": 503,
    "LLMTimeoutError": 408,
    "LLMBadRequestError": 400,
    "LLMContextWindowExceedError": 400,
    "LLMContentPolicyViolationError": 400,
    "NotFoundError": 404,
    "PermissionDeniedError": 403,
    "BadGatewayError": 502,
}
"""The HTTP status that a class of the SDK or of litellm stands for."""

_LIMIT = "MaxIterationsReached"


def reduce_json(items: Iterable[Mapping[str, Any]]) -> tuple[Event, ...]:
    """One Event for each event of the server, in order."""
    # An absent field is a null one to the server; only this one has no other stand-in.
    return reduce(_as_object({"action": None, **item}) for item in items)


def pending(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The tool calls that were neither run nor refused yet: those that wait for confirmation."""
    calls: dict[str, Mapping[str, Any]] = {}
    for item in items:
        match item["kind"]:
            case "ActionEvent" if item.get("action") is not None:
                calls[item["id"]] = item
            case "ObservationEvent" | "UserRejectObservation":
                calls.pop(item["action_id"], None)
            case "AgentErrorEvent":
                # Has no id of the event that it answers.
                answered = item["tool_call_id"]
                calls = {i: call for i, call in calls.items() if call["tool_call_id"] != answered}
    return list(calls.values())


def failure(items: Iterable[Mapping[str, Any]]) -> ErrorFacts | None:
    """Why the conversation ended in an error, if it did; a limit that was reached is none.

    All that a server tells is the name of an exception and its message: the status is the one that
    the name stands for, and there is no body.
    """
    errors = [item for item in items if item["kind"] == "ConversationErrorEvent"]
    if not errors or errors[-1]["code"] == _LIMIT:
        return None
    code, detail = errors[-1]["code"], errors[-1]["detail"]
    return ErrorFacts(links=(ErrorLink(type=code, message=detail, status=_STATUS.get(code)),))


def calls_by_llm(stats: Mapping[str, Any]) -> dict[str, int]:
    """Usage id of an LLM -> how many answers it gave; the server does not count failed calls."""
    used = stats.get("usage_to_metrics") or {}
    return {name: len(metrics.get("response_latencies") or ()) for name, metrics in used.items()}


def usage(stats: Mapping[str, Any]) -> Usage:
    """What the server says was consumed; its cost of 0 means that it knows no price."""
    metrics = list((stats.get("usage_to_metrics") or {}).values())
    tokens = [one.get("accumulated_token_usage") or {} for one in metrics]
    return Usage(
        llm_calls=sum(calls_by_llm(stats).values()),
        prompt_tokens=sum(one.get("prompt_tokens") or 0 for one in tokens) or None,
        completion_tokens=sum(one.get("completion_tokens") or 0 for one in tokens) or None,
        cost=sum(one.get("accumulated_cost") or 0.0 for one in metrics) or None,
    )


def _as_object(value: Any) -> Any:
    """JSON as the object that it was made of, as far as reading it goes."""
    if isinstance(value, list):
        return [_as_object(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    kind = type(str(value.get("kind", "object")), (SimpleNamespace,), {})
    return kind(**{str(name): _as_object(one) for name, one in value.items()})
