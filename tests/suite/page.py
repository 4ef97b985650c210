"""The page of the proof, written from what was played and not by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.suite.proof import KNOWN_GAPS, NOBODY_CAN_PATCH, Line

PAGE = Path(__file__).parents[2] / "docs" / "self-proof.md"


def page(found: Sequence[Line], seeded: Sequence[Line], seconds: float) -> str:
    """The rates, the confusion matrix, and every personality."""
    broken = [line for line in found if line.row.stage]
    healthy = [line for line in [*found, *seeded] if not line.row.stage]
    alarms = [line for line in healthy if line.found.stage is not None]
    stage = sum(line.same_stage for line in broken)
    kind = sum(line.same_kind for line in broken)
    patches = [x for x in [*found, *seeded] if x.row.kind in NOBODY_CAN_PATCH and x.found.offered]
    parts = [
        "# The pack proves itself",
        "",
        "Written by `uv run nox -s suite`, not by hand: the pack runs against every personality of",
        "the embedded provider, and what it concludes is compared with what is declared there.",
        "",
        "| | |",
        "|---|---|",
        f"| personalities | {len(found)}, of which {len(broken)} have something wrong |",
        f"| caught in the right stage and by the right gate | {_rate(stage, len(broken))} |",
        f"| verdict and diagnosis as declared | {_rate(kind, len(broken))} |",
        f"| false alarms where nothing is wrong | {len(alarms)} of {len(healthy)} |",
        f"| patches offered for what no patch can help | {len(patches)} |",
        f"| played with other seeds | {len(seeded)} |",
        f"| time | {seconds / 60:.0f} min on two cores |",
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
