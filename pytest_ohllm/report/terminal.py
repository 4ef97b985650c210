"""The run on a terminal: the answer, then why, then what to do, then where the evidence is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_ohllm.model import Outcome, Run, Stage
from pytest_ohllm.report.lines import (
    GAP,
    Line,
    Span,
    aligned,
    clipped,
    printed,
    shortened,
    width_of,
    wrapped,
)
from pytest_ohllm.report.matrix import NOTHING, Cell, Finding, Matrix, Row
from pytest_ohllm.report.palette import OUTCOMES, VERDICTS
from pytest_ohllm.report.safe_text import ascii_only, one_line
from pytest_ohllm.report.wording import seconds_text

MOST_FINDINGS = 30
"""Findings that are shown; a run over many dead endpoints must not scroll its matrix away."""

_NARROWEST = 40
_MARGIN = "  "
_LONGEST_NAME = 32
_LONGEST_TEXT = 400
_LABELS = {Stage.A: "connects", Stage.B: "converses", Stage.C: "tools", Stage.D: "advanced"}
_USAGE = ("tool mode", "calls", "tokens", "cost", "time")
_NUMBERS = range(len(Stage) + 3, len(Stage) + 7)  # columns of calls, tokens, cost, time
_BLANK: Line = ()


def render(
    run: Run, *, width: int, color: bool, ascii: bool, run_dir: str, page: str | None = None
) -> str:
    """The whole report, ending with a line feed. ``width`` in columns; paths as to be shown.

    With ``ascii`` every character of the report is ASCII. What models and servers said is shown
    without escape sequences and invisible characters, and is never read as markup.
    """
    matrix = Matrix.of(run)
    sheet = _Page(max(width, _NARROWEST), ascii)
    lines = [*sheet.title(matrix), *sheet.table(matrix.rows), *sheet.explanations(matrix)]
    notes = [_BLANK, *sheet.notes(matrix.notes)] if matrix.notes else []
    return printed(
        [*lines, *notes, *sheet.footer(run_dir, page, matrix.seconds)], sheet.width, color
    )


def render_short(run: Run, *, width: int, color: bool, ascii: bool) -> str:
    """One line per profile, for ``-q``."""
    page, matrix = _Page(max(width, _NARROWEST), ascii), Matrix.of(run)
    lines = [*page.short(matrix.rows), *page.notes(matrix.notes)]
    return printed(lines, page.width, color)


@dataclass(frozen=True, slots=True)
class _Page:
    """Makes the lines of the report for one width and one set of characters."""

    width: int
    ascii: bool

    def safe(self, text: str, limit: int = _LONGEST_TEXT) -> str:
        """Foreign text on one line, in characters that the terminal has."""
        line = one_line(text, limit)
        return ascii_only(line) if self.ascii else line

    def title(self, matrix: Matrix) -> list[Line]:
        """A rule that holds the answer on its left and the SDK on its right."""
        dash = "-" if self.ascii else "─"
        room = self.width - 8
        answer = shortened(self.safe(matrix.headline), room, self.ellipsis)
        sdk = self.safe(matrix.sdk)
        if width_of(answer) + width_of(sdk) > room - 6:
            sdk = ""
        style = _headline_style(matrix)
        left = [(dash * 2 + " ", "dim"), (answer, style), (" ", "")]
        right = [(f" {sdk} ", "dim"), (dash * 2, "dim")] if sdk else []
        filler = self.width - sum(width_of(text) for text, _ in [*left, *right])
        return [(*left, (dash * filler, "dim"), *right), _BLANK]

    def table(self, rows: Sequence[Row]) -> list[Line]:
        """Profiles by stages; what a profile used stands beside its row, or below if too narrow."""
        grid = [*self._head(), *(self._row(row) for row in rows)]
        if wide := self._fitted(grid, shortest_name=24):
            return wide
        if narrow := self._fitted([spans[: len(Stage) + 2] for spans in grid], shortest_name=12):
            return list(self._with_usage(narrow, rows))
        return self.short(rows)

    def explanations(self, matrix: Matrix) -> Iterator[Line]:
        """For each profile what was found, or why nothing was; then settings that help."""
        left = MOST_FINDINGS
        for row in matrix.rows:
            found = matrix.found(row)
            if not row.works and not any(finding.stage.mandatory for finding in found):
                yield from self._paragraph(_verdict_mark(row, self.ascii), row.profile, row.reason)
            for finding in found[:left]:
                yield from self._finding(finding)
            left -= len(found[:left])
            if row.remedy:
                yield from self._remedy(row)
        if (more := len(matrix.findings) - MOST_FINDINGS) > 0:
            yield _BLANK
            yield ((f"{_MARGIN}and {more} more findings in run.json", "dim"),)

    def notes(self, notes: Sequence[str]) -> Iterator[Line]:
        """What does not count, and what is too old to be waived."""
        for note in notes:
            style = "bright_red" if note.startswith("EXPIRED") else "yellow"
            for line in wrapped(self.safe(note), self.width - len(_MARGIN)):
                yield ((_MARGIN + line, style),)

    def footer(self, run_dir: str, page: str | None, seconds: float) -> list[Line]:
        """Where the evidence is, and last the page to open."""
        # A path is never cut or wrapped: it is there to be copied.
        path = self.safe(run_dir, limit=4096)
        spent = self.safe(f"took {seconds_text(seconds)}, evidence in")
        lines: list[Line] = [_BLANK, ((f"{_MARGIN}{spent} ", "dim"), (path, ""))]
        if page is not None:
            lines.append(((f"{_MARGIN}open ", "dim"), (self.safe(page, limit=4096), "bold")))
        return lines

    def short(self, rows: Sequence[Row]) -> list[Line]:
        """Sign, profile, verdict, reason: one line each."""
        longest = min(_LONGEST_NAME, self.width // 3)
        names = [self._renamed(self._name_and_verdict(row), longest + GAP) for row in rows]
        start = aligned(names)
        lines = []
        for row, line in zip(rows, start, strict=True):
            room = max(self.width - _length(line), 10)
            why = clipped(self.safe(row.reason), room, self.ellipsis)
            lines.append((*line, (why, "dim" if row.works else "")))
        return lines

    @property
    def ellipsis(self) -> str:
        """What stands for text that was left out."""
        return "..." if self.ascii else "…"

    def _head(self) -> tuple[list[Span], list[Span]]:
        """The two lines of the table's head."""
        head = [("", ""), ("", ""), *((stage.value, "bold") for stage in Stage)]
        below = [("profile", "dim"), ("verdict", "dim")]
        below += [(label, "dim") for label in _LABELS.values()]
        return head + [("", "")] * len(_USAGE), below + [(name, "dim") for name in _USAGE]

    def _row(self, row: Row) -> list[Span]:
        cells = [self._cell(cell) for cell in row.cells]
        usage = (row.tool_mode, str(row.calls), row.tokens, row.cost, seconds_text(row.seconds))
        faint = ("0", NOTHING, "unknown")
        shown = [(text, "dim" if text in faint else "") for text in usage]
        return [*self._name_and_verdict(row), *cells, *shown]

    def _name_and_verdict(self, row: Row) -> list[Span]:
        name = shortened(self.safe(row.profile), _LONGEST_NAME, self.ellipsis)
        look = VERDICTS[row.verdict]
        return [(name, "bold"), (f"{look.mark(self.ascii)} {row.verdict.value}", look.style)]

    def _renamed(self, spans: Sequence[Span], room: int) -> list[Span]:
        """A row of the table whose name takes at most ``room`` columns, with the gap after it."""
        (name, style), *rest = spans
        return [(shortened(name, room - GAP, self.ellipsis), style), *rest]

    def _fitted(self, grid: Sequence[Sequence[Span]], shortest_name: int) -> list[Line] | None:
        """The grid as lines, with names as short as needed; ``None`` if that is not enough."""
        taken = len(_MARGIN) + _length(aligned([spans[1:] for spans in grid], _NUMBERS)[0])
        room = self.width - taken + GAP  # the last column's gap is empty
        names = max(width_of(spans[0][0]) for spans in grid) + GAP
        if room < min(names, shortest_name + GAP):
            return None
        lines = aligned([self._renamed(spans, room) for spans in grid], right=_NUMBERS)
        return [((_MARGIN, ""), *line) for line in lines]

    def _cell(self, cell: Cell) -> Span:
        if cell.outcome is None or (cell.outcome is Outcome.NOT_RUN and not cell.passed):
            return cell.text, "dim"
        look = OUTCOMES[cell.outcome]
        return f"{look.mark(self.ascii)} {cell.text}", look.style

    def _with_usage(self, lines: Sequence[Line], rows: Sequence[Row]) -> Iterator[Line]:
        """The narrow table: below each row, from its verdict on, what the profile used."""
        yield from lines[:2]
        for row, line in zip(rows, lines[2:], strict=True):
            yield line
            indent = _length(line[:4])  # margin and name, with the filler around it
            tools = [] if row.tool_mode == NOTHING else [f"{row.tool_mode} tools"]
            cost = f"cost {row.cost}" if row.cost == "unknown" else row.cost
            tokens = f"tokens {row.tokens}" if row.tokens == "unknown" else f"{row.tokens} tokens"
            calls = "1 call" if row.calls == 1 else f"{row.calls} calls"
            retries = [f"{row.retries} {'retry' if row.retries == 1 else 'retries'}"]
            used = [calls, *(retries if row.retries else []), tokens, cost]
            used.append(seconds_text(row.seconds))
            text = clipped(self.safe(" · ".join(tools + used)), self.width, self.ellipsis)
            yield ((" " * min(indent, self.width - width_of(text)) + text, "dim"),)

    def _finding(self, finding: Finding) -> Iterator[Line]:
        look = OUTCOMES[finding.outcome]
        count = f" · {len(finding.checks)} checks" if len(finding.checks) > 1 else ""
        known = f" · {finding.known}" if finding.known else ""
        about = f"{finding.stage} {finding.stage.claim}{count} · {finding.cause}{known}"
        mark = (look.mark(self.ascii), look.style)
        yield from self._paragraph(mark, finding.profile, finding.summary, about)
        arrow = "-> " if self.ascii else "→ "
        room = self.width - len(_MARGIN) * 2 - len(arrow)
        for number, text in enumerate(wrapped(self.safe(finding.next_step), room)):
            start = " " * len(arrow) if number else arrow
            yield ((_MARGIN * 2 + start, "cyan"), (text, "cyan"))

    def _paragraph(self, mark: Span, profile: str, text: str, about: str = "") -> Iterator[Line]:
        """A headline with sign and profile, and below it ``text``, wrapped."""
        yield _BLANK
        name = shortened(self.safe(profile), _LONGEST_NAME, self.ellipsis)
        head: Line = ((_MARGIN, ""), mark, (f" {name}  ", "bold"))
        room = max(self.width - _length(head), 1)
        yield (*head, (clipped(self.safe(about), room, self.ellipsis), "dim"))
        for line in wrapped(self.safe(text), self.width - len(_MARGIN) * 2):
            yield ((_MARGIN * 2 + line, ""),)

    def _remedy(self, row: Row) -> Iterator[Line]:
        mark = _verdict_mark(row, self.ascii)
        yield from self._paragraph(mark, row.profile, row.why, "works with these settings")
        room = self.width - len(_MARGIN) * 2
        for line in wrapped(self.safe(row.remedy or ""), room):
            yield ((_MARGIN * 2 + line, "cyan"),)
        if row.command:  # in one piece, to be copied
            yield ((_MARGIN * 2 + self.safe(row.command, limit=4096), "cyan"),)
        for line in wrapped(self.safe(row.note), room) if row.note else ():
            yield ((_MARGIN * 2 + line, "dim"),)


def _verdict_mark(row: Row, ascii: bool) -> Span:
    look = VERDICTS[row.verdict]
    return look.mark(ascii), look.style


def _headline_style(matrix: Matrix) -> str:
    if len(matrix.rows) == 1:
        return VERDICTS[matrix.rows[0].verdict].style
    return "bold green" if matrix.rows and all(row.works for row in matrix.rows) else "bold"


def _length(line: Line) -> int:
    return sum(width_of(text) for text, _ in line)
