"""Pieces of a text that must go, and their removal."""

from __future__ import annotations

from collections.abc import Iterable

type Span = tuple[int, int, str]
"""Start, end and label of a piece of text that must go."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """`spans` in order; those that overlap become one, labelled as the first and longest."""
    apart: list[Span] = []
    for start, end, label in sorted(spans, key=lambda span: (span[0], -span[1])):
        if apart and start < apart[-1][1]:
            first, last, kept = apart[-1]
            apart[-1] = (first, max(last, end), kept)
        else:
            apart.append((start, end, label))
    return apart


def masked(text: str, spans: Iterable[Span]) -> str:
    """`text` with NUL characters for `spans` (in order, apart): every position stays the same."""
    return _filled(text, ((start, end, "\0" * (end - start)) for start, end, _ in spans))


def replaced(text: str, spans: Iterable[Span]) -> str:
    """`text` with a marker that names the label for each of `spans` (in order, apart)."""
    return _filled(text, ((start, end, f"[REDACTED:{label}]") for start, end, label in spans))


def _filled(text: str, fillings: Iterable[Span]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, filling in fillings:
        pieces += [text[at:start], filling]
        at = end
    return "".join([*pieces, text[at:]]) if at else text
