"""What every vendor's client library is asked in the conformance tests, and how it is connected."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_ohllm.simulator.server import Simulator

HELLO = "Say hello in one word."
COUNT = "Count from one to thirty in English words, one word per line, and write nothing else."
RUN = "Use the terminal tool to run `cat nonce.txt`. Then tell me the word that it printed."
TWO = (
    "Run these two commands in parallel, as two calls of the terminal tool in one response: "
    "`cat a` and `cat b`\nThen tell me both words that they printed."
)
COLOURS = "The picture has four quadrants, each of one colour. Name the four colours."
PRINTED = "NONCE-7f3\n[The command completed with exit code 0.]"
SCHEMA = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "What to run."}},
    "required": ["command"],
}
ABOUT = "Execute a shell command."

_RGB = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def png(*colours: str, size: int = 16) -> bytes:
    """A PNG with four quadrants of these colours, the upper row first; its rows use all filters."""
    half, rows, above = size // 2, b"", bytes(3 * size)
    for y in range(size):
        row = b"".join(bytes(_RGB[colours[2 * (y >= half) + (x >= half)]]) for x in range(size))
        rows += bytes([y % 5]) + _filtered(y % 5, row, above)
        above = row
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


@contextmanager
def running(personality: str) -> Iterator[Simulator]:
    """A simulator for one test."""
    with Simulator(personality) as simulator:
        yield simulator


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(kind: int, row: bytes, above: bytes) -> bytes:
    """``row`` as PNG's filter ``kind`` writes it."""
    out = bytearray()
    for i, value in enumerate(row):
        left = row[i - 3] if i >= 3 else 0
        up = above[i]
        corner = above[i - 3] if i >= 3 else 0
        estimate = left + up - corner
        paeth = min((left, up, corner), key=lambda v, target=estimate: abs(target - v))
        guess = (0, left, up, (left + up) // 2, paeth)[kind]
        out.append((value - guess) & 255)
    return bytes(out)


PICTURE = png("red", "green", "blue", "white")
SEEN = "red, green, blue, white"
ENCODED = base64.b64encode(PICTURE).decode()
