"""What was concluded: one check, one profile, one run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_ohllm.model.diagnosis import Diagnosis, Remedy
from pytest_ohllm.model.record import SCHEMA_VERSION, Record
from pytest_ohllm.model.transcript import Usage
from pytest_ohllm.model.vocabulary import Outcome, Stage, ToolMode, Verdict


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
