"""What models, servers and files said, made fit for the page: visible, bounded, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from pytest_ohllm.report.safe_text import block, one_line

type Redact = Callable[[str], str]

LONGEST_LINE = 600


class Words:
    """Cleans text. Escaping is left to the template, or to ``Markup.format``.

    What a run folder holds is redacted. A text that changes here is redacted once more, because a
    key that was taken apart by invisible characters becomes one when they are gone.
    """

    def __init__(self, redact: Redact | None = None) -> None:
        self._redact = redact
        self._blocks: dict[tuple[str, int], str] = {}

    def line(self, text: object, limit: int = LONGEST_LINE) -> str:
        """``text`` on one line of at most ``limit`` characters."""
        return self._safe(str(text), one_line(str(text), limit))

    def block(self, text: str, limit: int) -> str:
        """``text`` with its lines; what is cut is counted."""
        if (text, limit) not in self._blocks:  # each request repeats the prompt of the one before
            self._blocks[text, limit] = self._safe(text, block(text, limit))
        return self._blocks[text, limit]

    def finalize(self, value: Any) -> Any:
        """For jinja2: whatever a template prints is one clean line, unless it is markup."""
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return self.line(value)

    def _safe(self, before: str, after: str) -> str:
        return after if self._redact is None or after == before else self._redact(after)
