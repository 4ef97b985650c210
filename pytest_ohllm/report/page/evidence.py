"""What a failure rests on, as folded blocks: conversation, exchanges, experiments, tracebacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from pytest_ohllm.model import Diagnosis, Exchange, Transcript
from pytest_ohllm.report.conversation import conversation
from pytest_ohllm.report.failing_request import Case
from pytest_ohllm.report.page.room import Piece
from pytest_ohllm.report.page.tree import tree
from pytest_ohllm.report.page.words import Words

LONGEST_TURN = 4_000
LONGEST_FILE = 12_000
MOST_EXCHANGES = 12
_LARGEST_FILE = 4_000_000

_FILES = {
    "traceback.txt": "Traceback",
    "provider_traceback.txt": "Traceback within the SDK",
    "stacks.txt": "Where it hung",
    "log.txt": "Output and log",
}

_PRE = Markup("<pre>{}</pre>")
_TURN = Markup('<li class="turn {}"><p class="who">{}</p><pre>{}</pre></li>')
_TURNS = Markup('<ol class="turns">{}</ol><p class="faint">It ended: {}</p>')
_ITEM = Markup("<li>{}</li>")
_LIST = Markup("<ul>{}</ul>")
_ROW = Markup('<tr><td>{}</td><td>{}</td><td>{}</td><td class="num">{}</td></tr>')
_TABLE = Markup(
    '<table class="plain"><thead><tr><th scope="col">What was changed</th>'
    '<th scope="col">What came of it</th><th scope="col">HTTP</th>'
    '<th scope="col" class="num">ms</th></tr></thead><tbody>{}</tbody></table>'
)
_PART = Markup("<h5>{}</h5>{}")
_FAINT = Markup('<p class="faint">{}</p>')
_RESULTS = {
    "works": "✓ works",
    "same": "✗ fails in the same way",
    "differs": "✗ fails in another way",
}


def pieces(
    case: Case | None, diagnosis: Diagnosis | None, folder: Path, words: Words
) -> list[Piece]:
    """The evidence of one failure, what tells most first."""
    found: list[Piece] = []
    if diagnosis and diagnosis.evidence:
        lines = (_ITEM.format(words.line(line)) for line in diagnosis.evidence)
        found.append(Piece("reasons", "Why this diagnosis", _LIST.format(_joined(lines))))
    if diagnosis and diagnosis.probes:
        found.append(_experiments(diagnosis, words))
    transcript = case.evidence.transcript if case else None
    if transcript is not None:
        found.append(_conversation(transcript, words))
        found += _exchanges(transcript.exchanges, words)
    if case and case.pair:
        title = f"The request that works: {words.line(case.pair.change)}"
        found.append(Piece("exchanges", title, exchange_html(case.pair.working, words)))
    for name, title in _FILES.items():
        if text := _text(folder / name):
            kind = "tracebacks" if "traceback" in name else "logs"
            found.append(Piece(kind, title, _PRE.format(words.block(text, 2 * LONGEST_FILE))))
    return found


def exchange_title(exchange: Exchange) -> str:
    """``POST http://host/v1/chat/completions → HTTP 400 in 12 ms``."""
    answer = f"HTTP {exchange.status}" if exchange.status is not None else "no answer"
    return f"{exchange.method} {exchange.url} → {answer} in {milliseconds(exchange.seconds)} ms"


def exchange_html(exchange: Exchange, words: Words) -> Markup:
    """Request, answer and headers, one below the other."""
    parts = [_PART.format("Request", tree(exchange.request, words))]
    if exchange.error:
        parts.append(_PART.format("Error", _PRE.format(words.block(exchange.error, 2_000))))
    parts.append(_PART.format("Answer", tree(exchange.response, words)))
    headers = {"request": exchange.request_headers, "answer": exchange.response_headers}
    parts.append(
        Markup("<details><summary>Headers</summary>{}</details>").format(tree(headers, words))
    )
    return _joined(parts)


def milliseconds(seconds: float) -> str:
    """Without a unit: ``9.9``, ``1,234``."""
    found = seconds * 1000
    return f"{found:.1f}" if found < 100 else f"{found:,.0f}"


def _experiments(diagnosis: Diagnosis, words: Words) -> Piece:
    rows = (
        _ROW.format(
            words.line(probe.change),
            _RESULTS[probe.result],
            probe.status or "-",
            milliseconds(probe.seconds),
        )
        for probe in diagnosis.probes
    )
    count = len(diagnosis.probes)
    title = f"{count} {'experiment' if count == 1 else 'experiments'}"
    return Piece("experiments", title, _TABLE.format(_joined(rows)))


def _conversation(transcript: Transcript, words: Words) -> Piece:
    talk = conversation(transcript)
    turns = [
        _TURN.format(turn.kind, words.line(turn.who), words.block(turn.text, LONGEST_TURN))
        for turn in talk.turns
    ]
    if talk.left_out:
        note = f"{talk.left_out} steps are left out here; transcript.json has them"
        turns.insert(len(turns) // 2, Markup('<li class="faint">{}</li>').format(note))
    html = _TURNS.format(_joined(turns), words.line(talk.end))
    steps = len(talk.turns) + talk.left_out
    title = f"Conversation, {steps} {'step' if steps == 1 else 'steps'}"
    return Piece("conversations", title, html)


def _exchanges(exchanges: Sequence[Exchange], words: Words) -> Iterator[Piece]:
    """The last one, which failed or is what the check did not like, first."""
    shown = list(enumerate(exchanges, 1))[-MOST_EXCHANGES:]
    for number, exchange in reversed(shown):
        title = f"Exchange {number} of {len(exchanges)}: {exchange_title(exchange)}"
        yield Piece("exchanges", words.line(title, 300), exchange_html(exchange, words))
    if hidden := len(exchanges) - len(shown):
        html = _FAINT.format("They are in exchanges.jsonl and transcript.json.")
        yield Piece("exchanges", f"{hidden} earlier exchanges are not shown", html)


def _text(path: Path) -> str:
    """The file's start and, since an error stands last, more of its end."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE)
    except OSError:
        return ""
    text = data.decode("utf-8", "replace")
    if len(text) <= LONGEST_FILE:
        return text
    head, tail = text[: LONGEST_FILE // 4], text[-LONGEST_FILE * 3 // 4 :]
    return f"{head}\n… {len(text) - len(head) - len(tail):,} characters …\n{tail}"


def _joined(parts: Sequence[Markup] | Iterator[Markup]) -> Markup:
    return Markup("").join(parts)
