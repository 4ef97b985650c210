"""Text from models and servers as GitHub's Markdown: it is shown, and it does nothing.

No mention rings a person, no "Fixes #1" closes an issue, no link is a link, no HTML is HTML, and
no code fence can be left. GitHub looks for mentions and references in what is *rendered*, so
escaping them is not enough: an invisible character stands in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_ohllm.report.safe_text import block, one_line

_GAP = "&zwnj;"
_SPECIAL = re.compile(
    r"(?P<at>@)|(?P<number>#(?=\w))|(?P<gh>GH-(?=\d))|(?P<link>:(?=//))|(?P<www>www(?=\.))"
    r"|(?P<entity>[&<>$])|(?P<mark>[\\`*_\[\]|~#])",
    re.IGNORECASE,
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&dollar;"}  # $…$ would be mathematics
_BULLET = re.compile(r"(?P<indent> {0,8})(?P<bullet>[-*+]|\d{1,3}[.)]) +(?P<rest>\S.*)")
_RULE = re.compile(r"[-=+][-=+\s]*$|[-=+]\s")
_NUMBER = re.compile(r"^\d{1,9}(?=[.)](?:\s|$))")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})\s*(?P<language>[\w+-]{0,20})[^`]*$")
_INLINE = re.compile(r"(?<!`)(`{1,2})(?!`)(?P<code>[^`\n]{1,300})(?<!`)\1(?!`)")
_LANGUAGES = {"", "bash", "console", "diff", "json", "python", "sh", "text", "toml", "yaml"}
"""Some other languages are drawn: mermaid, geojson, stl."""

_CLOSES = re.compile(
    r"(?P<word>(?:fix|clos|resolv)\w{0,4}:?\s{1,9}(?:[\w.-]{1,50}/[\w.-]{1,100})?)"
    r"(?P<to>#(?=\d)|GH-(?=\d)|https?:(?=//))",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^(?=#{1,6}\s)", re.MULTILINE)


def prose(text: str, limit: int) -> str:
    """Paragraphs, lists and code; of all other Markdown the reader sees the characters."""
    return "\n".join(_blocks(block(text, limit).strip("\n").split("\n"))).strip("\n")


def line(text: str, limit: int = 300) -> str:
    """The same on one line, for a list item."""
    return _paragraph(one_line(text, limit))


def code(text: str, language: str = "text", *, limit: int) -> str:
    """A code block; nothing in ``text`` can end it. Empty for an empty text."""
    content = block(text, limit).strip("\n")
    if not content.strip():
        return ""
    # Programs that read the raw text do not know about fences: the headings of a template, and
    # the words that close an issue when the text becomes a commit message.
    content = _HEADING.sub(" ", _CLOSES.sub(r"\g<word>\g<to> ", content))
    fence = "`" * max(3, _longest_run(content) + 1)
    return f"{fence}{language if language in _LANGUAGES else ''}\n{content}\n{fence}"


def span(text: str, limit: int = 300) -> str:
    """Code on one line. Empty for an empty text."""
    content = _CLOSES.sub(r"\g<word>\g<to> ", one_line(text, limit))
    if not content:
        return ""
    fence = "`" * (_longest_run(content) + 1)
    edge = " " if "`" in (content[0], content[-1]) else ""
    return f"{fence}{edge}{content}{edge}{fence}"


def plain_line(text: str, limit: int) -> str:
    """One line for a title, where GitHub renders no Markdown, but a commit can be made of it."""
    broken = re.sub(r"@(?=\w)|#(?=\d)|:(?=//)|GH-(?=\d)", r"\g<0> ", one_line(text, 4 * limit))
    return one_line(broken, limit)


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)


def _blocks(lines: list[str]) -> Iterator[str]:
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if not opened:
            yield _prose_line(lines[number])
            number += 1
            continue
        fence = opened["fence"]
        closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}\s*$")
        end = number + 1
        while end < len(lines) and not closing.match(lines[end]):
            end += 1
        content = "\n".join(lines[number + 1 : end])
        yield code(content, opened["language"].lower(), limit=len(content) + 1)
        number = end + 1


def _prose_line(text: str) -> str:
    if bullet := _BULLET.match(text):
        return f"{bullet['indent']}{bullet['bullet']} {_paragraph(bullet['rest'])}"
    return _paragraph(text.strip())


def _paragraph(text: str) -> str:
    escape = "\\" if _RULE.match(text) else ""  # a rule, or the line above made a heading
    return escape + _NUMBER.sub(r"\g<0>\\", _inline(text))


def _inline(text: str) -> str:
    pieces: list[str] = []
    at = 0
    for found in _INLINE.finditer(text):
        pieces += [_SPECIAL.sub(_harmless, text[at : found.start()]), span(found["code"])]
        at = found.end()
    return "".join([*pieces, _SPECIAL.sub(_harmless, text[at:])])


def _harmless(found: re.Match[str]) -> str:
    text = found[0]
    match found.lastgroup:
        case "entity":
            return _ENTITIES[text]
        case "mark":
            return "\\" + text
        case "number":
            return f"\\#{_GAP}"
    return text + _GAP
