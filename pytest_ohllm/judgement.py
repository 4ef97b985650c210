"""How a check says what it found, beyond passing and failing.

Checks are ordinary tests: a plain ``assert`` works. These say more, so that a report can: what sort
of failure it is, that the provider does not offer something, or that there was nothing to judge.
"""

from __future__ import annotations

from typing import NoReturn

import pytest

from pytest_ohllm.model import Blame, Kind, Transcript


class CallFailed(AssertionError):
    """The scenario ended in an error of the endpoint, a library, or the environment."""

    def __init__(self, transcript: Transcript) -> None:
        root = transcript.error.root if transcript.error else None
        super().__init__(f"{root.type}: {root.message}" if root else f"ended as {transcript.end}")
        self.transcript = transcript


class Shortfall(AssertionError):
    """The model or the endpoint answered, and the answer is not what works with the SDK.

    ``avoidable`` tells whether other settings of the SDK could make a difference.
    """

    def __init__(
        self,
        summary: str,
        *,
        next_step: str,
        kind: Kind = Kind.MODEL_LIMITATION,
        blame: Blame = Blame.MODEL,
        avoidable: bool = True,
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.next_step = next_step
        self.kind = kind
        self.blame = blame
        self.avoidable = avoidable


class NotRun(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """There was nothing to judge, because something before it had failed already."""


class Unsupported(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """The provider says, in its canonical form, that it does not offer this."""


def require_answer(transcript: Transcript) -> None:
    """Fail with the endpoint's error if the scenario ended in one.

    What the SDK in use lacks is not a failure: the check is unsupported then.
    """
    __tracebackhide__ = True
    if transcript.error is None:
        return
    root = transcript.error.root
    if root.type.endswith(".UnsupportedBySdk"):
        unsupported(f"this SDK does not offer {root.message}")
    raise CallFailed(transcript)


def not_run(reason: str) -> NoReturn:
    """End the check without a judgement."""
    __tracebackhide__ = True
    raise NotRun(reason, _use_item_location=True)


def unsupported(reason: str) -> NoReturn:
    """End the check: the provider does not offer what it asks for."""
    __tracebackhide__ = True
    raise Unsupported(reason, _use_item_location=True)
