"""Fragments for pytest-html: the matrix on top, cells for each test, evidence below it.

pytest-html escapes none of what it is given, so everything here is escaped. It is given what is
redacted already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.plain import plain
from pytest_ohllm.model import CheckResult, Diagnosis, Outcome, Run, Stage
from pytest_ohllm.report.conversation import conversation
from pytest_ohllm.report.failing_request import Pair, read_case
from pytest_ohllm.report.field_diff import ABSENT
from pytest_ohllm.report.matrix import Cell, Finding, Matrix, Row
from pytest_ohllm.report.palette import OUTCOMES, VERDICTS
from pytest_ohllm.report.safe_text import block, one_line
from pytest_ohllm.report.wording import remedy_text, seconds_text

COLUMNS = {"stage": "Stage", "profile": "Profile", "diagnosis": "Diagnosis"}
"""Types and titles of the columns, in the order of ``header_cells`` and ``cells``."""

LONGEST_EVIDENCE = 12_000
"""Characters of one piece of evidence; the whole of it is in the run folder."""

_STYLE = """<style>
.ohllm { margin: 1.5em 0; max-width: 75em; }
.ohllm, .ohllm table, .ohllm-capsule { color: #222; }
.ohllm a { color: #0a58ca; }
.ohllm table { border-collapse: collapse; width: 100%; }
.ohllm caption { text-align: left; padding: .4em 0; font-size: 1.2em; font-weight: bold; }
.ohllm caption small { font-weight: normal; color: #555; margin-left: 1em; }
.ohllm th, .ohllm td { text-align: left; padding: .35em .7em; border-bottom: 1px solid #ddd; }
.ohllm .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.ohllm .good { color: #14692e; } .ohllm .bad { color: #b3141d; } .ohllm .unclear { color: #7a5200; }
.ohllm .faint { color: #5f5f5f; } .ohllm .verdict { font-weight: bold; white-space: nowrap; }
.ohllm ul { list-style: none; padding: 0; } .ohllm li { margin: .8em 0; overflow-wrap: anywhere; }
.ohllm-capsule dt { font-weight: bold; } .ohllm-capsule dd { margin: 0 0 .4em 1em; }
.ohllm-capsule pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.ohllm-capsule pre { max-height: 30em; overflow: auto; }
</style>"""

_MOST_CHANGES = 12
_CLASSES = {"green": "good", "bright_red": "bad", "yellow": "unclear", "dim": "faint"}


def summary_html(run: Run, page: str = "") -> str:
    """The matrix and its findings as one ``<section>``, with its style.

    ``page`` is the address of the run's own page, relative to the report.
    """
    matrix = Matrix.of(run)
    link = f'<p><a href="{escape(page)}">The whole run, with its evidence</a></p>' if page else ""
    notes = "".join(f"<p>{_safe(note, 600)}</p>" for note in matrix.notes)
    return (
        f'{_STYLE}<section class="ohllm" aria-label="LLM compatibility">'
        f"<table><caption>{_safe(matrix.headline)} <small>{_safe(matrix.sdk)}</small></caption>"
        f"<thead><tr>{_head()}</tr></thead>"
        f"<tbody>{''.join(map(_row, matrix.rows))}</tbody></table>"
        f"{link}{notes}{_explanations(matrix)}</section>"
    )


def header_cells() -> list[str]:
    """The heads of ``COLUMNS``, to be inserted where ``cells`` go."""
    return [
        f'<th class="sortable" data-column-type="{column}">{title}</th>'
        for column, title in COLUMNS.items()
    ]


def cells(properties: Iterable[tuple[str, Any]]) -> list[str]:
    """The cells of one test from its properties; empty ones for a test that is not ours."""
    known = {name: str(value) for name, value in properties if name.startswith(junit.PREFIX)}
    kind = known.get(junit.KIND, "").replace("_", " ")
    said = ": ".join(part for part in (kind, known.get(junit.SUMMARY, "")) if part)
    texts = (known.get(junit.STAGE, ""), known.get(junit.PROFILE, ""), said)
    return [
        f'<td class="col-{column}">{_safe(text)}</td>'
        for column, text in zip(COLUMNS, texts, strict=True)
    ]


def capsule_html(
    result: CheckResult, *, folder: str, evidence: Mapping[str, Any] | None = None
) -> str:
    """A folded block with the diagnosis of a check and what it rests on.

    ``evidence`` maps titles to text, records or plain values, such as ``{"exchanges": [...]}``;
    ``folder`` is where all of it is.
    """
    title = f"{result.profile} · {result.stage} {result.stage.claim} · {_words(result.outcome)}"
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{_safe(value, 2000)}</dd>"
        for name, value in _facts(result, folder)
        if value
    )
    pieces = "".join(_piece(name, value) for name, value in (evidence or {}).items() if value)
    return (
        f'<details class="ohllm-capsule"><summary>{_safe(title)}</summary>'
        f"<dl>{facts}</dl>{pieces}</details>"
    )


def evidence(folder: Path) -> dict[str, Any]:
    """What a check's folder holds that tells most, by title, for ``capsule_html``."""
    case = read_case(folder)
    if case is None:
        return {}
    found: dict[str, Any] = {}
    if case.pair:
        found["the failing request beside one that works"] = _compared(case.pair)
    if transcript := case.evidence.transcript:
        talk = conversation(transcript)
        turns = [f"{turn.who}:\n{turn.text}" for turn in talk.turns]
        found["conversation"] = "\n\n".join([*turns, f"it ended: {talk.end}"])
    if failing := case.evidence.failing:
        found["last exchange"] = failing
    return found


def _compared(pair: Pair) -> str:
    rows = [
        f"{change.field}\n  fails with: {_value(change.failing)}\n"
        f"  works with: {_value(change.working)}"
        for change in pair.changes[:_MOST_CHANGES]
    ]
    more = len(pair.changes) - len(rows)
    return "\n".join([*rows, *([f"and {more} more differences"] if more else [])])


def _value(value: Any) -> str:
    import json

    if value is ABSENT:
        return "(not sent)"
    return block(json.dumps(plain(value), ensure_ascii=False), 1_000)


def _head() -> str:
    stages = "".join(f'<th scope="col">{stage} {_safe(stage.claim)}</th>' for stage in Stage)
    numbers = "".join(
        f'<th scope="col" class="number">{name}</th>'
        for name in ("Calls", "Tokens", "Cost", "Time")
    )
    return (
        f'<th scope="col">Profile</th><th scope="col">Verdict</th>{stages}'
        f'<th scope="col">Tool mode</th>{numbers}'
    )


def _row(row: Row) -> str:
    look = VERDICTS[row.verdict]
    numbers = (str(row.calls), row.tokens, row.cost, seconds_text(row.seconds))
    return (
        f'<tr><th scope="row" title="{_safe(row.model)}"><bdi>{_safe(row.profile)}</bdi></th>'
        f'<td class="verdict {_class(look.style)}">{_sign(look.sign)}{row.verdict.value}</td>'
        f"{''.join(map(_stage_cell, row.cells))}<td>{_safe(row.tool_mode)}</td>"
        + "".join(f'<td class="number">{_safe(number)}</td>' for number in numbers)
        + "</tr>"
    )


def _stage_cell(cell: Cell) -> str:
    if cell.outcome is None:
        return '<td class="faint" title="not selected">-</td>'
    look = OUTCOMES[cell.outcome]
    sign = "" if cell.outcome is Outcome.NOT_RUN else _sign(look.sign)
    words = _words(cell.outcome)
    return f'<td class="{_class(look.style)}" title="{words}">{sign}{cell.text}</td>'


def _explanations(matrix: Matrix) -> str:
    items = []
    for row in matrix.rows:
        found = matrix.found(row)
        if not row.works and not any(finding.stage.mandatory for finding in found):
            items.append(f"<strong>{_safe(row.profile)}</strong>: {_safe(row.reason, 1000)}")
        items += map(_finding, found)
        if row.remedy:
            items.append(
                f"<strong>{_safe(row.profile)}</strong> works with "
                f"<code>{_safe(row.remedy, 2000)}</code><br>{_safe(row.why, 2000)}"
                + (f"<br><code>{_safe(row.command, 2000)}</code>" if row.command else "")
                + (f"<br><small>{_safe(row.note, 500)}</small>" if row.note else "")
            )
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def _finding(finding: Finding) -> str:
    look = OUTCOMES[finding.outcome]
    count = f" · {len(finding.checks)} checks" if len(finding.checks) > 1 else ""
    known = f" · {finding.known}" if finding.known else ""
    about = f"{finding.stage} {finding.stage.claim}{count} · {finding.cause}{known}"
    return (
        f'<span class="{_class(look.style)}">{_sign(look.sign)}</span>'
        f'<strong><bdi>{_safe(finding.profile)}</bdi></strong> <span class="faint">{_safe(about)}'
        f"</span><br><bdi>{_safe(finding.summary, 1000)}</bdi><br>"
        f"→ <bdi>{_safe(finding.next_step, 1000)}</bdi>"
    )


def _facts(result: CheckResult, folder: str) -> list[tuple[str, str]]:
    diagnosis = result.diagnosis
    about = _diagnosis(diagnosis) if diagnosis else [("why", result.reason or "")]
    mode = result.tool_mode.value if result.tool_mode else ""
    return [*about, ("tool mode", mode), ("check", result.id), ("evidence in", folder)]


def _diagnosis(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [
        ("diagnosis", diagnosis.summary),
        ("kind", _words(diagnosis.kind)),
        ("blame", diagnosis.blame.value),
        ("next step", diagnosis.next_step),
        ("at fault", ", ".join(diagnosis.fields)),
        *(("because", evidence) for evidence in diagnosis.evidence),
        ("works with", remedy_text(diagnosis.remedy) if diagnosis.remedy else ""),
    ]


def _piece(name: str, value: Any) -> str:
    import json

    value = plain(value)
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    shown = escape(block(text, LONGEST_EVIDENCE))
    return f"<details><summary>{_safe(name)}</summary><pre>{shown}</pre></details>"


def _safe(text: str, limit: int = 300) -> str:
    return escape(one_line(text, limit))


def _sign(sign: str) -> str:
    """A sign for the eye only: what it says stands beside it in words or numbers."""
    return f'<span aria-hidden="true">{sign}</span> '


def _class(style: str) -> str:
    return _CLASSES[style.rpartition(" ")[2]]


def _words(name: str) -> str:
    return str(name).replace("_", " ")
