"""What a person, or a program, gets to read while it works and at the end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_ohllm.autofix.job import Cause, Decision, Outcome
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.report.safe_text import one_line

_MARKS = {
    "fixed": ("✓", "green"),
    "already_fixed": ("✓", "green"),
    "ready": ("✓", "green"),
    "not_fixed": ("✗", "red"),
    "refused": ("✗", "yellow"),
    "stopped": ("!", "yellow"),
}
_WORDS = {
    "fixed": "the pull request is there",
    "already_fixed": "fixed already",
    "ready": "proved; nothing was pushed",
    "not_fixed": "not fixed",
    "refused": "refused",
    "stopped": "stopped",
}


class Teller:
    """Progress goes to the terminal, or with ``as_json`` to standard error."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(stderr=as_json, highlight=False, soft_wrap=True)
        self._started = time.monotonic()

    def decisions(self, decisions: Sequence[Decision]) -> None:
        """Which failures are taken up, and why others are not."""
        if not decisions:
            self._print("nothing failed: there is nothing to fix")
        for one in decisions:
            cause = one.cause
            mark, style = ("→", "cyan") if one.taken else ("-", "dim")
            names = ", ".join(failure.name for failure in cause.failures)
            self._print(f"{mark} {names}", style)
            self._print(f"  {'the SDK' if one.taken else 'not the SDK'}: {one.reason}")
            if one.taken and (remedy := cause.diagnosis.remedy):
                settings = ", ".join(f"{k}={v!r}" for k, v in remedy.settings.items())
                self._print(f"  it works today with LLM(..., {settings})")
                if remedy.note:
                    self._print(f"  {remedy.note}: one line there would do it for everybody")

    def agrees(self, cause: Cause) -> bool:
        """Whether to go on with a cause that a setting helps; asked on a terminal only."""
        if cause.diagnosis.remedy is None or not sys.stdin.isatty() or self._as_json:
            return True
        answer = self._console.input("  propose a change of the SDK all the same? [Y/n] ")
        return answer.strip().lower() in ("", "y", "yes")

    def speaker(self, cause: Cause, redactor: Redactor) -> Callable[[str], None]:
        """Says one line of progress about a cause."""

        def say(line: str) -> None:
            seconds = time.monotonic() - self._started
            self._print(f"[{cause.id} {seconds:4.0f} s] {redactor.text(line)}")

        return say

    def outcomes(self, decisions: Sequence[Decision], outcomes: Sequence[Outcome]) -> None:
        """What came of it."""
        if self._as_json:
            refused = [_refused(one) for one in decisions if not one.taken]
            record = {
                "schema_version": 1,
                "outcomes": [one.model_dump(mode="json") for one in outcomes],
                "not_taken": refused,
            }
            print(json.dumps(record, indent=1))
            return
        for one in outcomes:
            self._outcome(one)

    def _outcome(self, outcome: Outcome) -> None:
        mark, style = _MARKS[outcome.status]
        cost = "" if not outcome.cost else f", {outcome.cost:.2f} USD"
        self._print("")
        self._print(f"{mark} {_WORDS[outcome.status]} ({outcome.seconds:.0f} s{cost})", style)
        if outcome.rows:
            self._console.print(_table(outcome))
        for line in (outcome.url, outcome.reason, outcome.advice):
            for part in (line or "").splitlines():
                self._print(f"  {part}")
        if outcome.by_hand:
            self._print("  to go on by hand:")
            for command in outcome.by_hand:
                self._console.print(Text(f"    {command}"), soft_wrap=True)
        kept = [("branch", outcome.branch), ("patch", outcome.patch), ("all of it", outcome.folder)]
        for name, value in kept:
            if value:
                self._print(f"  {name}: {value}")

    def _print(self, line: str, style: str = "") -> None:
        # What a model or an endpoint has said may hold what a terminal obeys.
        indent = line[: len(line) - len(line.lstrip(" "))]
        self._console.print(Text(indent + one_line(line, 1000), style=style), soft_wrap=True)


def _table(outcome: Outcome) -> Table:
    table = Table("", "before", "after", "s", box=None, padding=(0, 1))
    for row in outcome.rows:
        style = "" if row.passed else "red"
        cells = (row.step, row.before, row.after, f"{row.seconds:.0f}")
        table.add_row(*(Text(one_line(cell), style=style) for cell in cells))
    return table


def _refused(decision: Decision) -> dict[str, object]:
    cause = decision.cause
    return {
        "id": cause.id,
        "failures": [failure.node for failure in cause.failures],
        "kind": cause.diagnosis.kind,
        "reason": decision.reason,
    }
