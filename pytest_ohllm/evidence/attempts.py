"""How often each check was tried, and how often it passed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.model import Outcome

ONCE_OF_TWO = "once of two times, "
"""Before the summary of a check that failed, and passed when it was run again unchanged."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``passed`` of ``judged`` attempts; what says nothing about the model is not judged."""

    passed: int = 0
    judged: int = 0

    def __str__(self) -> str:
        return f"{self.passed}/{self.judged}"


type Rates = Mapping[tuple[str, str], Rate]
"""By profile and check."""


def read_rates(path: Path) -> dict[tuple[str, str], Rate]:
    """The rates of all checks in the run folder at ``path``; what cannot be read is left out."""
    rates: dict[tuple[str, str], Rate] = {}
    for file in path.glob("profiles/*/*/*/result.json"):
        try:
            found = json.loads(file.read_bytes())
            key, outcome = (str(found["profile"]), str(found["id"])), Outcome(found["outcome"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        before = rates.get(key, Rate())
        if outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.FLAKY):
            rates[key] = Rate(before.passed + (outcome is Outcome.PASSED), before.judged + 1)
    return rates
