"""Secrets that a stream spells out: each frame holds a few letters, and together they are the key.

Nothing that looks at a body as a text can find them, since the JSON of the frames lies in between.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_DATA = "data:"
type _Place = tuple[str, ...]
"""Where in a frame a string stands: the keys that lead there, but no index."""


@dataclass(frozen=True)
class _Piece:
    """One string in one frame, which can be replaced."""

    holder: Any
    key: Any

    @property
    def text(self) -> str:
        return str(self.holder[self.key])

    def replace(self, text: str) -> None:
        self.holder[self.key] = text


def redacted(body: str, redact: Callable[[Any], Any]) -> str:
    """``body`` without the secrets that stand in its frames, be it in pieces.

    What is in pieces is put together in the first of them, and the others are empty. A body that is
    no stream of JSON objects, or spells out no secret, is returned as it is.
    """
    lines = body.splitlines(keepends=True)
    frames = {number: frame for number, line in enumerate(lines) if (frame := _frame(line))}
    places: dict[_Place, list[_Piece]] = {}
    for frame in frames.values():
        for place, piece in _pieces(frame, ()):
            places.setdefault(place, []).append(piece)
    changed = [pieces for pieces in places.values() if _join(pieces, redact)]
    if not changed:
        return body
    for number, frame in frames.items():
        lines[number] = _line(lines[number], frame)
    return "".join(lines)


def _join(pieces: list[_Piece], redact: Callable[[Any], Any]) -> bool:
    """Replace the pieces if it takes more than one of them to see a secret; whether it did."""
    whole = "".join(piece.text for piece in pieces)
    clean = redact(whole)
    if clean == whole or clean == "".join(redact(piece.text) for piece in pieces):
        return False
    first, *others = pieces
    first.replace(clean)
    for piece in others:
        piece.replace("")
    return True


def _frame(line: str) -> dict[str, Any] | None:
    """The JSON object of one line: of a server-sent event, or of a stream of such lines."""
    data = line.removeprefix(_DATA).strip()
    if not data.startswith("{"):
        return None
    try:
        frame = json.loads(data)
    except ValueError:
        return None
    return frame if isinstance(frame, dict) else None


def _line(old: str, frame: dict[str, Any]) -> str:
    head = f"{_DATA} " if old.startswith(_DATA) else ""
    ending = old[len(old.rstrip("\r\n")) :]
    return head + json.dumps(frame, separators=(",", ":")) + ending


def _pieces(value: Any, place: _Place) -> Iterator[tuple[_Place, _Piece]]:
    """Every string in ``value``, in order."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, one in items:
        below = (*place, key) if isinstance(key, str) else place
        if isinstance(one, str):
            yield below, _Piece(value, key)
        else:
            yield from _pieces(one, below)
