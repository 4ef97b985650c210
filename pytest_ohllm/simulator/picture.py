"""Looking at a picture: a PNG's pixels, and the colours of its four quadrants.

Only what a test sends is read: 8-bit RGB or RGBA without interlacing, with every row filter.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass

from pytest_ohllm.simulator.turn import Picture

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_PIXELS = 4_000_000
_CHANNELS = {2: 3, 6: 4}  # colour type to bytes per pixel
_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "lime": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
_STANDARD = str.maketrans("-_", "+/")  # Google's client writes the alphabet that is safe in URLs
_PLAIN = {"lime": "green"}  # a full green is called green as well

type Pixel = tuple[int, int, int]


class Unreadable(ValueError):
    """The bytes are no picture that can be read here; the message says why."""


@dataclass(frozen=True)
class Pixels:
    """A decoded picture: rows from the top, each a run of ``channels`` bytes a pixel."""

    width: int
    height: int
    channels: int
    rows: tuple[bytes, ...]

    def at(self, x: int, y: int) -> Pixel:
        """Red, green and blue of one pixel, each 0 to 255."""
        start = x * self.channels
        red, green, blue = self.rows[y][start : start + 3]
        return red, green, blue


def from_url(url: str) -> Picture:
    """The picture behind ``url``: its bytes if it is a base64 data URL, else the address alone."""
    head, _, payload = url.partition(",")
    if not head.startswith("data:"):
        return Picture(url=url)
    return from_base64(payload)


def from_base64(payload: str) -> Picture:
    """The picture in ``payload``, in either alphabet; what is not base64 leaves it empty."""
    try:
        return Picture(data=base64.b64decode(payload.translate(_STANDARD)))
    except (binascii.Error, ValueError):
        return Picture()


def quadrants(data: bytes) -> tuple[str, str, str, str]:
    """Names of the colours at the centres of the four quadrants, the upper row first.

    Raises ``Unreadable``.
    """
    pixels = decode(data)
    left, right = pixels.width // 4, pixels.width * 3 // 4
    upper, lower = pixels.height // 4, pixels.height * 3 // 4
    return (
        _name(pixels.at(left, upper)),
        _name(pixels.at(right, upper)),
        _name(pixels.at(left, lower)),
        _name(pixels.at(right, lower)),
    )


def decode(data: bytes) -> Pixels:
    """The pixels of a PNG. Raises ``Unreadable``."""
    if not data.startswith(_SIGNATURE):
        raise Unreadable("this is not a PNG")
    header, packed = b"", bytearray()
    position = len(_SIGNATURE)
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += length + 12
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed += body
    if len(header) != 13:
        raise Unreadable("the PNG has no header")
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    depth, colour_type, interlaced = header[8], header[9], header[12]
    if depth != 8 or colour_type not in _CHANNELS or interlaced:
        raise Unreadable("only 8-bit RGB and RGBA without interlacing are read")
    if not 0 < width * height <= _MAX_PIXELS:
        raise Unreadable(f"a picture of {width} x {height} pixels is not read")
    return _unpack(bytes(packed), width, height, _CHANNELS[colour_type])


def _unpack(packed: bytes, width: int, height: int, channels: int) -> Pixels:
    stride = width * channels
    expected = height * (stride + 1)
    try:
        raw = zlib.decompressobj().decompress(packed, expected)  # no more than that: no bombs
    except zlib.error as error:
        raise Unreadable(f"the PNG's data is damaged: {error}") from None
    if len(raw) < expected:
        raise Unreadable("the PNG's data ends early")
    rows: list[bytes] = []
    above = bytes(stride)
    for start in range(0, expected, stride + 1):
        above = _unfilter(raw[start], raw[start + 1 : start + 1 + stride], above, channels)
        rows.append(above)
    return Pixels(width, height, channels, tuple(rows))


def _unfilter(kind: int, line: bytes, above: bytes, channels: int) -> bytes:
    """One row without its filter; ``above`` is the row before it."""
    if kind == 0:
        return line
    if kind > 4:
        raise Unreadable(f"row filter {kind} does not exist")
    out = bytearray(line)
    for i in range(len(out)):
        left = out[i - channels] if i >= channels else 0
        up = above[i]
        corner = above[i - channels] if i >= channels else 0
        guess = (left, up, (left + up) // 2, _paeth(left, up, corner))[kind - 1]
        out[i] = (out[i] + guess) & 255
    return bytes(out)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))


def _name(pixel: Pixel) -> str:
    def distance(name: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(pixel, _COLOURS[name], strict=True))

    nearest = min(_COLOURS, key=distance)
    return _PLAIN.get(nearest, nearest)
