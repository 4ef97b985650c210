"""What is known so far about one run of one check."""

from __future__ import annotations

import time
from functools import reduce
from operator import add
from typing import Any

import pytest

from pytest_ohllm.evidence.check_folder import CheckFolder
from pytest_ohllm.model import (
    CheckResult,
    Diagnosis,
    Outcome,
    ToolMode,
    Transcript,
    Usage,
)
from pytest_ohllm.session.case import Case


class Attempt:
    """One run of ``item``, whose evidence goes to ``folder``.

    ``candidates`` are settings with which the check may pass; ``spent`` is what examining it and
    trying them has cost.
    """

    def __init__(self, item: pytest.Item, case: Case, folder: CheckFolder) -> None:
        self.item, self.case, self.folder = item, case, folder
        self.started = time.monotonic()
        self.outcome = Outcome.NOT_RUN
        self.reason: str | None = None
        self.diagnosis: Diagnosis | None = None
        self.candidates: tuple[dict[str, Any], ...] = ()
        self.made: list[Transcript] = []
        self.judged: list[Transcript] = []
        self.tracebacks: list[str] = []
        self.spent = Usage()
        self._mode: ToolMode | None = None

    def result(self) -> CheckResult:
        """The record of what happened."""
        return CheckResult(
            id=self.case.check,
            node=self.item.nodeid,
            profile=self.case.profile,
            stage=self.case.stage,
            outcome=self.outcome,
            seconds=time.monotonic() - self.started,
            usage=reduce(add, (one.usage for one in self.made), self.spent),
            tool_mode=self._mode or self._tool_mode(),
            reason=self.reason,
            diagnosis=self.diagnosis,
        )

    @property
    def transcripts(self) -> list[Transcript]:
        """Those that were made during the run, then those it judged that others had made."""
        return self.made + [one for one in self.judged if not any(one is two for two in self.made)]

    def note_fixtures(self) -> None:
        """Remember the transcripts among the fixtures, before pytest forgets them."""
        values = (getattr(self.item, "funcargs", None) or {}).values()
        self.judged = [value for value in values if isinstance(value, Transcript)]

    def healed_by(self, trial: Attempt, diagnosis: Diagnosis) -> None:
        """The check passes as ``trial`` did; ``diagnosis`` says why it needed help."""
        self.outcome, self.reason, self.diagnosis = trial.outcome, trial.reason, diagnosis
        self._mode = trial._tool_mode()

    def _tool_mode(self) -> ToolMode | None:
        modes = [one.tool_mode for one in self.transcripts if one.tool_mode]
        return modes[-1] if modes else None
