"""The words in which everything is said: stages, outcomes, kinds of failure, verdicts."""

from __future__ import annotations

from enum import StrEnum


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


class Confidence(StrEnum):
    """What a diagnosis rests on, the strongest first."""

    EXPERIMENT = "experiment"  # one change turned failure into success, and back
    CODE = "code"  # a status, a machine-readable code, an exception
    TEXT = "text"  # words alone
