"""The pack against every personality: what it concluded beside what it must conclude.

``python -m tests.suite.proof`` plays them all and prints what differs; with ``--write`` it writes
docs/self-proof.md as well. It is mutation testing of the pack: every personality is a mutant.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.verdict import breaks
from pytest_ohllm.model import CheckSummary, Outcome, ProfileReport, Run
from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities import Row

PAGE = Path(__file__).parents[2] / "docs" / "self-proof.md"

KNOWN_GAPS: dict[str, str] = {}
"""Personalities that the pack does not judge as it should, each with the reason."""


@dataclass(frozen=True)
class Judgement:
    """What the pack says of one profile, in the terms in which a personality is declared."""

    verdict: str
    stage: str | None
    kind: str | None
    gates: tuple[str, ...]

    @classmethod
    def of(cls, profile: ProfileReport) -> Judgement:
        """The judgement in a run's report; of stage D all gates that failed.

        A check that passes thanks to a remedy tells what is wrong, too.
        """
        bad = [c for c in profile.checks if breaks(c) or c.outcome is Outcome.INCONCLUSIVE]
        first = next((c for c in profile.checks if c.diagnosis or c in bad), None)
        return cls(
            profile.verdict,
            first.stage if first else None,
            first.diagnosis.kind if first and first.diagnosis else None,
            tuple(dict.fromkeys(gate_of(c) for c in bad if c.stage == "D")),
        )


@dataclass(frozen=True)
class Line:
    """One personality: what must come out, and what did."""

    row: Row
    found: Judgement

    @property
    def same_stage(self) -> bool:
        """Whether it was caught where it should be: in its stage, in D by its gate at least."""
        row, found = self.row, self.found
        return found.stage == row.stage and (row.gate is None or row.gate in found.gates)

    @property
    def same_kind(self) -> bool:
        """Whether verdict and diagnosis are the declared ones."""
        return (self.found.verdict, self.found.kind) == (self.row.verdict, self.row.kind)


def gate_of(check: CheckSummary) -> str:
    """The gate that a check of stage D is about."""
    import importlib

    module, _, name = check.id.partition("::")
    function = getattr(importlib.import_module(module), name.partition("[")[0])
    (gate,) = [mark.args[0] for mark in function.pytestmark if mark.name == "llm_gate"]
    return str(gate)


def play(names: Sequence[str], *options: str, workers: int = 2) -> Run:
    """Run the pack in a process of its own for the personalities ``names``."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        command = [sys.executable, "-m", "pytest", "-q", f"-n{workers}", f"--llm-run-dir={where}/r"]
        command += ["--llm-timeout=8", *options, *(f"--llm-profile=sim:{name}" for name in names)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            command, cwd=where, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1, 10):
            raise SystemExit(done.stdout + done.stderr)
        return read_run(where / "r")


def lines(run: Run) -> list[Line]:
    """Every profile of ``run`` beside the declaration of its personality."""
    rows = {row.name: row for row in personalities.table()}
    return [Line(rows[p.name.removeprefix("sim:")], Judgement.of(p)) for p in run.profiles]


def page(found: Sequence[Line], seconds: float) -> str:
    """The page for docs: the rates, the confusion matrix, and every personality."""
    broken = [line for line in found if line.row.stage or line.row.remedy]
    healthy = [line for line in found if line.row not in [one.row for one in broken]]
    stage = sum(line.same_stage for line in found)
    kind = sum(line.same_kind for line in found)
    alarms = sum(line.found.stage is not None for line in healthy)
    parts = [
        "# The pack proves itself",
        "Written by `uv run nox -s suite`, not by hand: the pack runs against every personality of",
        "the embedded provider, and what it concludes is compared with what is declared there.",
        "",
        "| | |",
        "|---|---|",
        f"| personalities | {len(found)}, of which {len(broken)} have something wrong |",
        f"| caught in the right stage and by the right gate | {_rate(stage, len(found))} |",
        f"| verdict and diagnosis as declared | {_rate(kind, len(found))} |",
        f"| false alarms on those with nothing wrong | {alarms} of {len(healthy)} |",
        f"| time | {seconds / 60:.1f} min on two cores |",
        "",
        "## Diagnoses",
        "",
        *_confusion(found),
        "",
        "## Personalities",
        "",
        *_table(found),
    ]
    return "\n".join(parts) + "\n"


def _rate(good: int, of: int) -> str:
    return f"{good} of {of} ({100 * good / of:.1f} %)"


def _confusion(found: Sequence[Line]) -> Iterator[str]:
    """Declared kinds down, found kinds across."""
    counts = Counter((line.row.kind or "none", line.found.kind or "none") for line in found)
    kinds = sorted({kind for pair in counts for kind in pair})
    yield f"| declared \\ found | {' | '.join(kinds)} |"
    yield "|---" * (len(kinds) + 1) + "|"
    for declared in kinds:
        cells = [str(counts[declared, one] or "") for one in kinds]
        yield f"| {declared} | {' | '.join(cells)} |"


def _table(found: Sequence[Line]) -> Iterator[str]:
    yield "| personality | what it does | declared | found |"
    yield "|---|---|---|---|"
    for line in found:
        row, said = line.row, line.found
        declared = _conclusion(row.verdict, row.stage, [row.gate] if row.gate else [], row.kind)
        told = _conclusion(said.verdict, said.stage, said.gates, said.kind)
        same = line.same_stage and line.same_kind
        gap = f" (known gap: {KNOWN_GAPS[row.name]})" if row.name in KNOWN_GAPS else ""
        shown = told if same else f"**{told}**"
        shown = "as declared" if told == declared else shown
        yield f"| `{row.name}` | {row.description.replace('|', '/')} | {declared} | {shown}{gap} |"


def _conclusion(verdict: str, stage: str | None, gates: Sequence[str], kind: str | None) -> str:
    if stage is None:
        return verdict
    return f"{verdict}: {stage}{' ' + ', '.join(gates) if gates else ''}, {kind}"


def main() -> None:
    """Play the personalities that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="personalities; all without any")
    parser.add_argument("--gates", default="auto,-resume,-server", help="for --llm-gates")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    names = options.names or [row.name for row in personalities.table()]
    started = time.monotonic()
    found = lines(play(names, f"--llm-gates={options.gates}"))
    seconds = time.monotonic() - started
    if "resume" not in options.gates.replace("-resume", ""):
        # It takes a new process each time: only those that it is about.
        about = [
            n
            for n in names
            if any(r.name == n and r.gate == "resume" for r in personalities.table())
        ]
        again = {line.row.name: line for line in lines(play(about))} if about else {}
        found = [again.get(line.row.name, line) for line in found]
    if options.write:
        PAGE.write_text(page(found, seconds), encoding="utf-8")
    wrong = [line for line in found if not (line.same_stage and line.same_kind)]
    for line in wrong:
        print(
            f"{line.row.name}: declared {line.row.verdict} {line.row.stage} {line.row.gate} "
            f"{line.row.kind}, found {line.found}"
        )
    print(f"{len(found) - len(wrong)} of {len(found)} as declared, {seconds:.0f} s")
    sys.exit(any(line.row.name not in KNOWN_GAPS for line in wrong))


if __name__ == "__main__":
    main()
