"""Redaction of text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Callable

from pytest_ohllm.evidence.spans import Span, masked, replaced
from pytest_ohllm.evidence.unknown_keys import PEM_LONGEST

_AHEAD = 1024
"""What stands at a place is decided by at most so many characters after it (PEM apart)."""
_BEHIND = 256
"""And by at most so many before it: the name of the field, the character before a key."""
_MOST = 128 * 1024
"""Of a span that does not end, no more than this is held back."""


class RedactionStream:
    """Text goes in piece by piece and comes out redacted, about two thousand characters later.

    Nothing is written before all that could make it a secret has been seen. Memory is bounded and
    time linear, however small the pieces are.
    """

    def __init__(self, find: Callable[[str], list[Span]]) -> None:
        """`find` gives the secrets of a whole text, in order and apart from each other."""
        self._find = find
        self._behind = ""
        self._pieces: list[str] = []
        self._size = 0
        self._goal = 2 * _AHEAD

    def feed(self, text: str) -> str:
        """Takes a piece; gives what may be shown by now, perhaps nothing."""
        self._pieces.append(text)
        self._size += len(text)
        return self._release(last=False) if self._size >= self._goal else ""

    def close(self) -> str:
        """Gives the rest. The stream may be used again, for another text."""
        shown = self._release(last=True)
        self._behind = ""
        return shown

    def _release(self, last: bool) -> str:
        start = len(self._behind)
        text = self._behind + "".join(self._pieces)
        spans = [(max(a, start), b, label) for a, b, label in self._find(text) if b > start]
        cut = len(text) if last else max(start, self._cut(text, spans, start))
        done = [(a, min(b, cut), label) for a, b, label in spans if a < cut]
        # Shown as seen, a secret behind the cut could be taken for the beginning of another.
        hidden = masked(text[:cut], done)
        shown = replaced(text[start:cut], [(a - start, b - start, label) for a, b, label in done])
        self._behind = hidden[-_BEHIND:] if cut else ""
        self._pieces = [text[cut:]]
        self._size = len(text) - cut
        self._goal = max(2 * _AHEAD, 2 * self._size)
        return shown

    def _cut(self, text: str, spans: list[Span], start: int) -> int:
        """How far `text` is decided."""
        limit = len(text) - _AHEAD
        if limit - start > _MOST:
            return limit
        cut = limit
        ended = text.rfind("-----END ")
        begun = text.find("-----BEGIN ", max(ended, len(text) - PEM_LONGEST - 100, 0))
        if begun >= 0:
            cut = min(cut, begun)
        for first, last, _ in reversed(spans):
            if first < cut < last:
                cut = first
        return cut
