"""What one interaction with a model produced: requests, errors, steps, consumption."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_ohllm.model.record import Record
from pytest_ohllm.model.vocabulary import ToolMode


class Exchange(Record):
    """One HTTP request and its response as they went over the wire, redacted.

    Bodies are parsed JSON where they are JSON, else text. Times are seconds; ``started`` is a Unix
    time, ``first_byte`` counts from it to the first byte of the response's body.
    """

    method: str
    url: str
    request_headers: dict[str, str] = Field(default_factory=dict)
    request: Any = None
    status: int | None = None
    response_headers: dict[str, str] = Field(default_factory=dict)
    response: Any = None
    error: str | None = None
    started: float = 0.0
    seconds: float = 0.0
    first_byte: float | None = None
    chunks: int = 0

    @property
    def content_type(self) -> str:
        """Media type of the response in lower case, without parameters."""
        return self.response_headers.get("content-type", "").partition(";")[0].strip().lower()


class ErrorLink(Record):
    """One exception of a chain: what it is, what it says, and where it was raised."""

    type: str
    message: str
    status: int | None = None
    body: Any = None
    frame: str | None = None


class ErrorFacts(Record):
    """An exception chain from the exception that was caught (first) to its root (last)."""

    links: tuple[ErrorLink, ...]

    @property
    def root(self) -> ErrorLink:
        """The exception that started it."""
        return self.links[-1]

    @property
    def status(self) -> int | None:
        """The HTTP status of the deepest link that carries one; the outer ones are unreliable."""
        return next((link.status for link in reversed(self.links) if link.status), None)


class Event(Record):
    """One step of a conversation, reduced to what checks judge."""

    kind: Literal["message", "tool_call", "observation", "rejection", "error", "other"]
    source: str
    text: str = ""
    tool: str | None = None
    command: str | None = None
    arguments: Any = None
    exit_code: int | None = None
    call_id: str | None = None


class Usage(Record):
    """What was consumed. A ``None`` is unknown, which is not zero; cost is in US dollars."""

    llm_calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    retries: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            llm_calls=self.llm_calls + other.llm_calls,
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            cached_tokens=_sum(self.cached_tokens, other.cached_tokens),
            retries=self.retries + other.retries,
            # One call of unknown price makes the whole price unknown; no call at all costs nothing.
            cost=_total_cost(self, other),
        )


def _sum(left: int | None, right: int | None) -> int | None:
    known = [value for value in (left, right) if value is not None]
    return sum(known) if known else None


def _total_cost(left: Usage, right: Usage) -> float | None:
    costs = [usage.cost for usage in (left, right) if usage.llm_calls]
    return None if None in costs else sum((cost for cost in costs if cost is not None), 0.0)


End = Literal["finished", "stuck", "iteration_limit", "rejected", "timeout", "error"]


class Transcript(Record):
    """What one interaction with the model produced.

    ``facts`` holds what only some scenarios observe, such as the number of streamed deltas;
    ``scene`` is what was played, so that it can be played again.
    """

    scenario: str
    scene: dict[str, Any] = Field(default_factory=dict)
    tool_mode: ToolMode | None = None
    events: tuple[Event, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    usage: Usage = Usage()
    seconds: float = 0.0
    end: End = "finished"
    final_text: str = ""
    error: ErrorFacts | None = None
    traceback: str = ""
    facts: dict[str, Any] = Field(default_factory=dict)

    def tool_calls(self, tool: str) -> list[Event]:
        """The calls of ``tool`` that the model made, in order, rejected ones included."""
        return [e for e in self.events if e.kind == "tool_call" and e.tool == tool]

    def observations(self, tool: str) -> list[Event]:
        """What ``tool`` answered, in order."""
        return [e for e in self.events if e.kind == "observation" and e.tool == tool]

    @property
    def rejections(self) -> list[Event]:
        """The calls that were not on the scenario's list and therefore never ran."""
        return [e for e in self.events if e.kind == "rejection"]
