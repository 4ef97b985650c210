"""The nouns: what is run, what it produced, and what was concluded from it.

Every record that reaches a file is a frozen pydantic model, so that the JSON a run leaves behind
has a schema. Nothing here knows pytest, the SDK or HTTP, and nothing here ever holds a secret's
value.
"""

from __future__ import annotations

from pytest_ohllm.model.diagnosis import Diagnosis, Probe, Remedy
from pytest_ohllm.model.profile import Profile
from pytest_ohllm.model.record import SCHEMA_VERSION, Record
from pytest_ohllm.model.run import CheckResult, CheckSummary, ProfileReport, Revision, Run, Waiver
from pytest_ohllm.model.transcript import (
    End,
    ErrorFacts,
    ErrorLink,
    Event,
    Exchange,
    Transcript,
    Usage,
)
from pytest_ohllm.model.vocabulary import Blame, Confidence, Kind, Outcome, Stage, ToolMode, Verdict

__all__ = [
    "SCHEMA_VERSION",
    "Blame",
    "CheckResult",
    "CheckSummary",
    "Confidence",
    "Diagnosis",
    "End",
    "ErrorFacts",
    "ErrorLink",
    "Event",
    "Exchange",
    "Kind",
    "Outcome",
    "Probe",
    "Profile",
    "ProfileReport",
    "Record",
    "Remedy",
    "Revision",
    "Run",
    "Stage",
    "ToolMode",
    "Transcript",
    "Usage",
    "Verdict",
    "Waiver",
]
