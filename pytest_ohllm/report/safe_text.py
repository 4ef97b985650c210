"""Text from models and servers, made harmless for terminals and pages.

A hostile model can answer with escape sequences that rewrite the screen, with marks that reverse
the reading direction, or with megabytes.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])"  # OSC, DCS: titles, links
    r"(?:[^\x07\x1b\x9c]{0,256}(?:\x07|\x1b\\|\x9c))?"  # ... whose text goes only if it ends
    r"|\x1b[ -/]*[0-~]?"  # the rest
)

_DROPPED = {"Cf"}  # invisible: reading direction, zero width, tags
_REPLACED = {"Cc", "Cs", "Co", "Cn"}
_BREAKS = {"Zl", "Zp"}
_MARKS_IN_A_ROW = 3


def one_line(text: str, limit: int = 300) -> str:
    """``text`` on one line of at most ``limit`` characters, without anything but visible ones."""
    line = " ".join(block(text, limit=4 * limit).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def block(text: str, limit: int = 20_000) -> str:
    """``text`` with its lines, without escape sequences, controls and invisible characters.

    What is cut is counted. Controls become ``U+FFFD``; so do lone surrogates, which no file takes.
    """
    # Escapes go before the cut, so that it cannot leave half of one; the margin bounds the work.
    kept = _ESCAPES.sub("", text[: 4 * limit].replace("\r\n", "\n"))
    shown = _visible(kept[:limit])
    hidden = len(text) - limit if len(text) > 4 * limit else len(kept) - limit
    return f"{shown}\n… {hidden:,} more characters" if hidden > 0 else shown


def ascii_only(text: str) -> str:
    """``text`` for terminals that take ASCII only; other characters are spelled out."""
    familiar = text.translate(_FAMILIAR)
    return familiar.encode("ascii", "backslashreplace").decode("ascii")


_FAMILIAR = str.maketrans(
    {
        "…": "...",
        "·": "-",
        "→": "->",
        "\N{REPLACEMENT CHARACTER}": "?",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    }
)


def _visible(text: str) -> str:
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(_characters(text))


def _characters(text: str) -> list[str]:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in _DROPPED or marks > _MARKS_IN_A_ROW:
            continue
        if category in _BREAKS or character == "\n":
            kept.append("\n")
        elif character == "\t":
            kept.append("    ")
        else:
            kept.append("\ufffd" if category in _REPLACED else character)
    return kept
