"""Pictures that only somebody who sees them can describe."""

from __future__ import annotations

import secrets
import struct
import zlib

RGB = {
    "red": (220, 30, 30),
    "green": (20, 150, 40),
    "blue": (30, 60, 220),
    "yellow": (250, 220, 20),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}

SIDE = 64
"""Pixels of a quadrant's side: small enough to be cheap, large enough for any vision model."""


def four_colours() -> tuple[str, ...]:
    """Four different colours in random order: 360 possibilities, so that guessing does not help."""
    names = list(RGB)
    secrets.SystemRandom().shuffle(names)
    return tuple(names[:4])


def quadrants(colours: tuple[str, ...]) -> bytes:
    """A PNG with one colour in each quadrant: upper left, upper right, lower left, lower right."""
    rows = []
    for left, right in (colours[:2], colours[2:]):
        row = b"\0" + bytes(RGB[left]) * SIDE + bytes(RGB[right]) * SIDE
        rows += [row] * SIDE
    header = struct.pack(">IIBBBBB", 2 * SIDE, 2 * SIDE, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(b"".join(rows), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
