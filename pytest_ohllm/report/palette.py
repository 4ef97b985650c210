"""How outcomes and verdicts look on a terminal, with colours and without."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_ohllm.model import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Look:
    """A sign, its ASCII form, and a rich style. The sign alone tells what the colour tells."""

    sign: str
    ascii: str
    style: str

    def mark(self, ascii: bool) -> str:
        """The sign that the terminal can show."""
        return self.ascii if ascii else self.sign


VERDICTS = {
    Verdict.WORKS: Look("✓", "+", "bold green"),
    Verdict.WORKS_WITH_SETTINGS: Look("✓", "+", "bold yellow"),
    Verdict.DOES_NOT_WORK: Look("✗", "x", "bold bright_red"),
    Verdict.INCONCLUSIVE: Look("?", "?", "bold yellow"),
}

OUTCOMES = {
    Outcome.PASSED: Look("✓", "+", "green"),
    Outcome.FAILED: Look("✗", "x", "bright_red"),
    Outcome.FLAKY: Look("≈", "~", "bright_red"),
    Outcome.UNSUPPORTED: Look("○", "o", "dim"),
    Outcome.INCONCLUSIVE: Look("?", "?", "yellow"),
    Outcome.NOT_RUN: Look("-", "-", "dim"),
}
