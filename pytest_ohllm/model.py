"""The nouns: what is run, what it produced, and what was concluded from it.

Every record that reaches a file is a frozen pydantic model, so that the JSON a run leaves behind
has a schema. Nothing here knows pytest, the SDK or HTTP, and nothing here ever holds a secret's
value.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
"""Version of every JSON record in a run folder; raised when a field changes its meaning."""


class Record(BaseModel):
    """A frozen record that is written as JSON and read back unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(StrEnum):
    """The four questions, in the order in which they are asked."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"

    @property
    def claim(self) -> str:
        """What a profile that passes the stage can do."""
        return _TITLES[self]

    @property
    def mandatory(self) -> bool:
        """Whether a model that fails the stage does not work with the SDK."""
        return self is not Stage.D


_TITLES = {
    Stage.A: "connects",
    Stage.B: "converses",
    Stage.C: "calls tools",
    Stage.D: "advanced gates",
}


class Outcome(StrEnum):
    """What one check said about the model."""

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"  # some attempts passed, some failed
    UNSUPPORTED = "unsupported"  # the provider says in its canonical form that it lacks this
    INCONCLUSIVE = (
        "inconclusive"  # says nothing about the model: keys, limits, outages, environment
    )
    NOT_RUN = "not_run"  # an earlier stage closed the gate, or there was nothing to judge


class Kind(StrEnum):
    """What sort of failure it is."""

    CREDENTIALS = "credentials"
    CONFIGURATION = "configuration"
    RATE_LIMIT = "rate_limit"
    PROVIDER_OUTAGE = "provider_outage"
    MODEL_LIMITATION = "model_limitation"
    SDK_GAP = "sdk_gap"
    ENVIRONMENT = "environment"
    UNKNOWN = "unknown"

    @property
    def inconclusive(self) -> bool:
        """Whether such a failure says nothing about the model."""
        return self in _INCONCLUSIVE


_INCONCLUSIVE = {
    Kind.CREDENTIALS,
    Kind.CONFIGURATION,
    Kind.RATE_LIMIT,
    Kind.PROVIDER_OUTAGE,
    Kind.ENVIRONMENT,
}


class Blame(StrEnum):
    """The layer at fault."""

    ENDPOINT = "endpoint"
    LITELLM = "litellm"
    SDK = "sdk"
    MODEL = "model"
    USER = "user"
    ENVIRONMENT = "environment"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """The answer for one profile."""

    WORKS = "WORKS"
    WORKS_WITH_SETTINGS = "WORKS WITH SETTINGS"
    DOES_NOT_WORK = "DOES NOT WORK"
    INCONCLUSIVE = "INCONCLUSIVE"


class ToolMode(StrEnum):
    """How tool calls travel: in the protocol's own field, or as text in prompt and answer."""

    NATIVE = "native"
    PROMPT = "prompt"


class Profile(Record):
    """A named connection, without its secrets.

    ``settings`` holds the non-secret fields of the SDK's ``LLM`` as they were saved; ``secrets``
    maps the name of each secret field to a *reference*, such as ``env:MY_KEY``.
    """

    name: str
    settings: dict[str, Any]
    secrets: dict[str, str] = Field(default_factory=dict)
    source: str = ""

    @property
    def model(self) -> str:
        """The litellm model string, such as ``openai/gpt-4o``."""
        return str(self.settings.get("model", ""))

    @property
    def base_url(self) -> str | None:
        """Where requests go; ``None`` means the provider's own address."""
        url = self.settings.get("base_url")
        return None if url is None else str(url)


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


class Remedy(Record):
    """The smallest change to the profile's settings that makes a failing check pass.

    ``note`` says where the SDK could do without being told, if it can be seen.
    """

    settings: dict[str, Any]
    summary: str
    note: str = ""


class Probe(Record):
    """One request of an experiment: what was changed in the failing one, and what came of it."""

    change: str
    status: int | None
    result: Literal["works", "same", "differs"]
    seconds: float = 0.0


class Confidence(StrEnum):
    """What a diagnosis rests on, the strongest first."""

    EXPERIMENT = "experiment"  # one change turned failure into success, and back
    CODE = "code"  # a status, a machine-readable code, an exception
    TEXT = "text"  # words alone


class Diagnosis(Record):
    """Why a check did not pass.

    ``autofix`` says whether a change of the SDK may be proposed: ``offered``, or ``refused: why``.
    ``fields`` are the parts of the request that make the difference, as vendors write them.
    """

    kind: Kind
    summary: str
    blame: Blame
    next_step: str
    rule: str = ""
    evidence: tuple[str, ...] = ()
    confidence: Confidence = Confidence.TEXT
    fields: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    remedy: Remedy | None = None
    autofix: str = ""


class CheckResult(Record):
    """One check of one profile, as it stands in ``result.json``."""

    schema_version: int = SCHEMA_VERSION
    id: str
    node: str
    profile: str
    stage: Stage
    outcome: Outcome
    seconds: float = 0.0
    usage: Usage = Usage()
    tool_mode: ToolMode | None = None
    reason: str | None = None
    diagnosis: Diagnosis | None = None


class CheckSummary(Record):
    """One check as it stands in ``run.json``; ``folder`` is relative to the run folder."""

    id: str
    stage: Stage
    outcome: Outcome
    seconds: float
    llm_calls: int
    reason: str | None = None
    diagnosis: Diagnosis | None = None
    folder: str
    known: str = Field(
        default="",
        description="why it does not count for the exit code: known, or waived; else empty",
    )


class Waiver(Record):
    """A failure that is accepted until a day.

    ``profile`` and ``check`` are patterns, ``expires`` is the last day in ISO 8601, in UTC.
    ``expired`` means that it matches a check of the run and is too old; that fails the run.
    """

    profile: str
    check: str
    reason: str
    expires: str
    state: Literal["used", "unused", "expired"] = "unused"


class ProfileReport(Record):
    """Everything a run says about one profile."""

    name: str
    model: str
    base_url: str | None
    verdict: Verdict
    reason: str
    tool_mode: ToolMode | None
    remedy: Remedy | None = None
    checks: tuple[CheckSummary, ...]
    usage: Usage
    seconds: float


class Revision(Record):
    """Which SDK was tested."""

    version: str | None
    path: str | None
    git_sha: str | None = None
    dirty: bool | None = None


class Run(Record):
    """One session: ``run.json``, the contract that other tools read."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    started: str = Field(description="UTC, ISO 8601")
    seconds: float
    sdk: Revision
    host: dict[str, str]
    packages: dict[str, str]
    profiles: tuple[ProfileReport, ...]
    baseline: str | None = Field(
        default=None, description="the run whose failures are known already"
    )
    waivers: tuple[Waiver, ...] = ()
