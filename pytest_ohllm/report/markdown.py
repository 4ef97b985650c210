"""A run as GitHub's Markdown, for a step's summary or a comment on a pull request.

What models and servers said is shown, and does nothing: see ``safe_markdown``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_ohllm.model import Run, Stage
from pytest_ohllm.report.failing_request import read_case
from pytest_ohllm.report.matrix import Cell, Finding, Matrix, Row
from pytest_ohllm.report.palette import OUTCOMES, VERDICTS
from pytest_ohllm.report.safe_markdown import code, line, span
from pytest_ohllm.report.wording import seconds_text

STEP_SUMMARY = 1_000_000
"""Bytes that GitHub takes as the summary of one step, less a margin; it drops what is larger."""

COMMENT = 60_000
"""Bytes that fit into a comment, less a margin."""

MOST_ROWS = 200
MOST_FINDINGS = 50
_ROOM_FOR_COUNTS = 600
_PIPE = re.compile(r"(?<!\\)\|")
_FOR_CODE = 4_000


def summary(run: Run, *, folder: Path | None = None, limit: int = COMMENT) -> str:
    """The whole summary, at most ``limit`` bytes of UTF-8; what does not fit is counted.

    ``folder`` is the run folder, if it is there: with it, the fields at fault are named.
    """
    matrix = Matrix.of(run)
    text = _fitting(_head(matrix), limit, "parts")
    room = limit - len(text.encode())
    findings = [*matrix.findings, *matrix.healed][:MOST_FINDINGS]
    hidden = len(matrix.findings) + len(matrix.healed) - len(findings)
    parts = [
        *(_explained(row) for row in matrix.rows if not row.works and not matrix.found(row)),
        *(_remedy(row) for row in matrix.rows if row.remedy),
        *(_finding(finding, folder) for finding in findings),
    ]
    return (text + _fitting(parts, room, "findings", hidden)).rstrip() + "\n"


def _fitting(parts: list[str], limit: int, kind: str, hidden: int = 0) -> str:
    """As many of ``parts`` as fit, each with an empty line below it."""
    kept: list[str] = []
    room = limit - _ROOM_FOR_COUNTS
    for number, part in enumerate(parts):
        size = len(part.encode()) + 2
        if size > room:
            hidden += len(parts) - number
            break
        room -= size
        kept.append(part)
    if hidden:
        kept.append(f"… and {hidden} more {kind}, which are in `run.json` and `report.html`")
    return "".join(f"{part}\n\n" for part in kept)


def _head(matrix: Matrix) -> list[str]:
    rows = matrix.rows[:MOST_ROWS]
    stages = [f"{stage} {stage.claim}" for stage in Stage]
    names = ["Profile", "Verdict", *stages, "Tools", "Calls", "Tokens", "Cost", "Time"]
    below = ["---"] * (len(names) - 4) + ["---:"] * 4
    table = [_joined(names), _joined(below), *map(_row, rows)]
    more = len(matrix.rows) - len(rows)
    return [
        f"## {line(matrix.headline, 200)}",
        f"{line(matrix.sdk, 200)} · run {span(matrix.run_id, 100)} · took "
        f"{seconds_text(matrix.seconds)}",
        "\n".join(table),
        *([f"… and {more} more profiles"] if more else []),
        *(f"> {line(note, 400)}" for note in matrix.notes[:MOST_ROWS]),
    ]


def _row(row: Row) -> str:
    sign = VERDICTS[row.verdict].sign
    return _joined(
        [
            line(row.profile, 100),
            f"**{sign} {row.verdict.value}**",
            *map(_cell, row.cells),
            row.tool_mode,
            str(row.calls),
            row.tokens,
            line(row.cost),
            seconds_text(row.seconds),
        ]
    )


def _cell(cell: Cell) -> str:
    if cell.outcome is None or cell.text == "not run":
        return cell.text
    return f"{OUTCOMES[cell.outcome].sign} {cell.text}"


def _joined(cells: list[str]) -> str:
    """A row of a table: what would end a cell is escaped, in code as well."""
    return f"| {' | '.join(_PIPE.sub(r'\\|', cell) for cell in cells)} |"


def _explained(row: Row) -> str:
    sign = VERDICTS[row.verdict].sign
    return f"### {sign} {line(row.profile, 100)}\n\n{line(row.reason, 600)}"


def _remedy(row: Row) -> str:
    lines = [f"### ✓ {line(row.profile, 100)} works with these settings"]
    lines.append(code(row.remedy or "", "python", limit=_FOR_CODE))
    if row.command:
        lines.append(code(row.command, "console", limit=_FOR_CODE))
    if row.note:
        lines.append(line(row.note, 600))
    return "\n\n".join(lines)


def _finding(finding: Finding, folder: Path | None) -> str:
    look = OUTCOMES[finding.outcome]
    count = f" · {len(finding.checks)} checks" if len(finding.checks) > 1 else ""
    known = f" · {finding.known}" if finding.known else ""
    about = f"{finding.stage} {finding.stage.claim}{count} · {finding.cause}{known}"
    lines = [
        f"### {look.sign} {line(finding.profile, 100)}: {line(about, 300)}",
        line(finding.summary, 1000),
    ]
    if fields := ", ".join(_fields(finding, folder)):
        lines.append(f"At fault: {fields}")
    lines.append(f"→ {line(finding.next_step, 1000)}")
    return "\n\n".join(lines)


def _fields(finding: Finding, folder: Path | None) -> Iterator[str]:
    case = read_case(folder / finding.folder) if folder else None
    for field in case.fields[:5] if case else ():
        yield span(field, 100)
