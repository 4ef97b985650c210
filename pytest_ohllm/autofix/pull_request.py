"""What a pull request says, in the form that the repository's template asks for.

The part of the template that a human must write stays as it is. What is written here stands between
marks that nobody sees, so that a later call renews it and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from pytest_ohllm.autofix.errors import Refused
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.report.safe_markdown import code, line, plain_line, prose, span

LONGEST_BODY = 60_000
"""Bytes; GitHub takes 65,536 characters, and bots add to a body."""

LONGEST_TITLE = 100
_HEADING = re.compile(r"## +(?P<name>.+?)\s*$")
_PLACEHOLDER = re.compile(r"[-*]?\s*(?:\[(?![ xX]\]).*\])?\s*$")
_BUG_FIX = re.compile(r"(?im)^(?P<bullet>\s*[-*] )\[ \](?P<kind> bug ?fix\b)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_PART = re.compile(r"<!-- ohllm:(?P<name>[a-z]+) -->\n.*?\n<!-- /ohllm:(?P=name) -->", re.DOTALL)
_ALONE = "Why", "Summary", "How to Test", "Notes"
_EVIDENCE = 12
_ROWS = 30
_MODELS = 20
_SMALLEST = 1 / 64


@dataclass(frozen=True)
class Row:
    """One step of the validation: what it showed without the patch, and with it."""

    step: str
    before: str
    after: str
    seconds: float


@dataclass(frozen=True)
class Story:
    """What a pull request has to tell. All of it is redacted, and some of it is hostile."""

    model: str
    profile: str
    sdk_version: str
    sdk_sha: str
    summary: str
    """What broke, in a sentence or two."""
    evidence: tuple[str, ...]
    repro: str
    """How to run it: Markdown of paragraphs, lists and code blocks."""
    log_excerpt: str
    rationale: str
    """The agent's own words, in Markdown of the same kind."""
    table: tuple[Row, ...]
    models_tested: tuple[str, ...]
    remedy: str
    """What helps without the patch; can be empty."""
    template: str | None
    """The repository's pull request template."""
    script: str = ""
    """The repro script itself."""


def title(story: Story) -> str:
    """One line, as a commit message begins."""
    model = f" ({plain_line(story.model, 40)})"
    summary = plain_line(story.summary, LONGEST_TITLE - len("fix(llm): ") - len(model))
    return f"fix(llm): {summary.rstrip('.') or 'make the model work'}{model}"


def body(story: Story, redactor: Redactor | None = None) -> str:
    """The text of the pull request: escaped, and cut until GitHub takes it.

    Raises Refused if a secret is left in it: then redaction failed, and nothing may be sent.
    """
    told = [getattr(story, field.name) for field in fields(story) if field.name != "table"]
    told += [text for row in story.table for text in (row.step, row.before, row.after)]
    # Before anything is escaped, which would hide it.
    if left := (redactor or Redactor()).contains("\n".join(_texts(told))):
        raise Refused(f"the text of the pull request holds a secret: {', '.join(left)}")
    share = 1.0
    while len((text := _body(story, share)).encode()) > LONGEST_BODY and share > _SMALLEST:
        share /= 2
    return text


def human_part(template: str | None) -> str:
    """What the user has still to write, as a sentence for the terminal; empty if there is none."""
    if not template or not re.search(r"(?im)^\s*HUMAN:\s*$", template):
        return ""
    return (
        "the pull request is a draft until a human has written the part below HUMAN: in their own "
        "words, ticked its boxes, and linked an issue"
    )


def renewed(old: str, new: str) -> str:
    """``old`` with the parts that were written here as they are in ``new``.

    All else is kept: what humans wrote, and what bots added. A part that people took out stays out.
    """
    parts = {found["name"]: found[0] for found in _PART.finditer(new)}
    lines = old.replace("\r\n", "\n")  # as browsers send them
    text = _PART.sub(lambda found: parts.get(found["name"], found[0]), lines)
    return old if text == lines else text


def _texts(values: list[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, tuple):
            yield from _texts(list(value))
        elif isinstance(value, str):
            yield value


def _body(story: Story, share: float) -> str:
    """The body in which each long text has ``share`` of the space that it may have."""

    def most(characters: int) -> int:
        return max(80, int(characters * share))

    parts = {
        "why": _why(story, most),
        "summary": _summary(story, most),
        "howtotest": _how_to_test(story, most),
        "notes": _notes(story, most),
    }
    lines: list[str] = []
    for heading, content in _sections(story.template or ""):
        name = _key(heading)
        lines += [f"## {heading}", ""] if heading else []
        if name in parts:
            lines += [_marked(name, parts.pop(name)), ""]
            content = _without_placeholders(content)
        elif name == "type":
            content = _BUG_FIX.sub(r"\g<bullet>[x]\g<kind>", content)
        lines += [content.strip("\n"), ""] if content.strip() else []
    for heading in _ALONE:
        if (name := _key(heading)) in parts:
            lines += [f"## {heading}", "", _marked(name, parts[name]), ""]
    return "\n".join(lines).strip("\n") + "\n"


def _why(story: Story, most: Callable[[int], int]) -> str:
    revision = f" at {span(story.sdk_sha, 64)}" if story.sdk_sha else ""
    found = (
        f"Found by `pytest-ohllm` with the model {span(story.model)} (profile "
        f"{span(story.profile)}) and openhands-sdk {span(story.sdk_version, 64)}{revision}."
    )
    evidence = [f"- {line(one, most(500))}" for one in story.evidence[:_EVIDENCE]]
    listed = "\n".join(["Evidence:", "", *evidence]) if evidence else ""
    return _paragraphs(prose(story.summary, most(4_000)), found, listed)


def _summary(story: Story, most: Callable[[int], int]) -> str:
    rationale = prose(story.rationale, most(8_000)) or "The agent gave no reasons."
    remedy = code(story.remedy, "python", limit=most(2_000))
    return _paragraphs(
        rationale, "Until this is released, these settings help:" * bool(remedy), remedy
    )


def _how_to_test(story: Story, most: Callable[[int], int]) -> str:
    script = code(story.script, "python", limit=most(16_000))
    table = ""
    if story.table:
        rows = [_row(row) for row in story.table[:_ROWS]]
        head = ["| step | without the patch | with it | seconds |", "| --- | --- | --- | ---: |"]
        table = "\n".join([*head, *rows])
    return _paragraphs(
        prose(story.repro, most(8_000)) or "See the table: no way to run it by hand is known.",
        _folded("The script", script),
        table,
    )


def _row(row: Row) -> str:
    # A cell ends at a bar, in code, too; `line` escapes it outside of code.
    cells = [
        re.sub(r"(?<!\\)\|", r"\\|", line(one, 120)) for one in (row.step, row.before, row.after)
    ]
    return f"| {' | '.join(cells)} | {row.seconds:.1f} |"


def _notes(story: Story, most: Callable[[int], int]) -> str:
    tested = ", ".join(filter(None, (span(one) for one in story.models_tested[:_MODELS])))
    return _paragraphs(
        f"Models tested: {tested}" if tested else "",
        _folded("From the log of the failure", code(story.log_excerpt, limit=most(8_000))),
        "An agent wrote this patch and `ohllm-autofix` validated it; no human has reviewed it yet.",
    )


def _paragraphs(*paragraphs: str) -> str:
    return "\n\n".join(filter(None, paragraphs))


def _folded(summary: str, content: str) -> str:
    if not content:
        return ""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def _marked(name: str, content: str) -> str:
    content = re.sub(r"<!--(?= */?ohllm:)", "<! --", content)  # a log can quote the marks
    return f"<!-- ohllm:{name} -->\n{content}\n<!-- /ohllm:{name} -->"


def _sections(template: str) -> Iterator[tuple[str, str]]:
    """Headings of the second level with what is below them; the first has no heading."""
    template = template.replace("\r\n", "\n")
    # A heading in a comment is an example.
    hidden = [found.span() for found in _COMMENT.finditer(template)]
    heading, lines, at = "", list[str](), 0
    for text in template.split("\n"):
        found = _HEADING.match(text)
        if found and not any(start <= at < end for start, end in hidden):
            yield heading, "\n".join(lines)
            heading, lines = found["name"], []
        else:
            lines.append(text)
        at += len(text) + 1
    yield heading, "\n".join(lines)


def _key(heading: str) -> str:
    return re.sub(r"[^a-z]", "", heading.lower())


def _without_placeholders(content: str) -> str:
    """The rest of a section that is filled in: comments, checklists, and no "[fill in …]"."""
    kept: list[str] = []
    for text in content.split("\n"):
        if not text.strip() or not _PLACEHOLDER.fullmatch(text.strip()):
            kept.append(text)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept))
