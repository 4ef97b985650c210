"""How much fits on the page, ten megabytes at most: shared by all failures; the rest is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from markupsafe import Markup

EVIDENCE = 4_000_000
"""Bytes for the evidence of all failures; the rest of the page needs the other half."""

LARGEST_SHARE = 400_000
"""Bytes for the evidence of one failure: more would not be read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A folded block of evidence; ``kind`` in the plural, for counting those left out."""

    kind: str
    title: str
    html: Markup
    open: bool = False


@dataclass
class Room:
    """Hands out what is left in equal shares to the failures that are still to come."""

    failures: int
    left: int = EVIDENCE
    left_out: Counter[str] = field(default_factory=Counter)

    def fitting(self, pieces: list[Piece]) -> tuple[list[Piece], str]:
        """The pieces that fit into this failure's share, first come first served.

        With them what was left out, such as ``3 exchanges, 1 traceback``.
        """
        share = min(self.left // max(self.failures, 1), LARGEST_SHARE)
        self.failures -= 1
        kept: list[Piece] = []
        missing: Counter[str] = Counter()
        for piece in pieces:
            size = len(piece.html.encode("utf-8", "replace"))
            if size <= share:
                kept.append(piece)
                share -= size
                self.left -= size
            else:
                missing[piece.kind] += 1
        self.left_out += missing
        return kept, counted(missing)


def counted(kinds: Counter[str]) -> str:
    """``3 exchanges, 1 traceback``."""
    return ", ".join(
        f"{count} {kind if count > 1 else kind.removesuffix('s')}" for kind, count in kinds.items()
    )
