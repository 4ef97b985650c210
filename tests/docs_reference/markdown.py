"""Markdown for the generated pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Made by `python -m tests.docs_reference`: change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([NOTE, f"# {title}", *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty if it has no rows."""
    lines = [_row(row) for row in rows]
    return "\n".join([_row(head), "|---" * len(head) + "|", *lines]) if lines else ""


def code(text: str) -> str:
    """A span of code; empty for empty text."""
    return f"`{text}`" if text else ""


def block(text: str) -> str:
    """A block of code."""
    return f"```\n{text.strip()}\n```"


def sentence(text: str | None) -> str:
    """A docstring or a help text in one line, in Markdown."""
    plain = re.sub(r"``(.+?)``", r"`\1`", inspect.cleandoc(text or ""))
    return " ".join(plain.split())


def _row(cells: Sequence[str]) -> str:
    # A bar ends a cell in code, too.
    return f"| {' | '.join(cell.replace('|', r'\|') for cell in cells)} |"
