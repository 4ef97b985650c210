"""What `ohllm explain` is given: a text, or one JSON record in each line.

Whatever arrives is bounded: of a text its two ends are kept, of a line too long only its number.
"""

from __future__ import annotations

import codecs
import io
import itertools
import json
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a line of JSONL: a record with a whole traceback has a hundredth of it."""

_END = 64 * 1024
_CHUNK = 64 * 1024
_LOOKED_AT = 3
"""Lines of which one has to be a record: the first may be broken."""

FIELDS = (
    "message",
    "exception_type",
    "http_status",
    "deepest_frame",
    "provider",
    "model",
    "stage_hint",
)
_ONLY_IN_RECORDS = frozenset({"exception_type", "http_status", "deepest_frame", "stage_hint"})
_ONLY_IN_BODIES = frozenset(
    """
    error errors code type param status status_code statusCode detail details title request_id
    requestId object success trace Message __type base_resp error_code metadata
    """.split()  # noqa: SIM905 - words, one per line, would fill the screen
)
_EXPECTED = f"expected a JSON object with at least one of {', '.join(FIELDS)}"


@dataclass(frozen=True)
class Line:
    """A line of JSONL: a record, or why it is none."""

    number: int
    record: dict[str, Any] | None
    problem: str = ""


def lines_or_text(stream: BinaryIO) -> Iterator[Line] | str:
    """The lines, if the first ones are JSON records; else the text, without its middle if long."""
    lines = _numbered(stream)
    first: list[tuple[int, bytes]] = []
    for numbered in lines:
        first.append(numbered)
        if len(first) == _LOOKED_AT or _is_record(numbered[1]):
            break
    else:
        lines = iter(())
        stream = io.BytesIO()  # at its end: asked again, a terminal would wait for another one
    if first and _is_record(first[-1][1]) and all(_is_meant_as_json(line) for _, line in first):
        return map(_parsed, itertools.chain(first, lines))
    return _text(b"".join(line + b"\n" for _, line in first), stream)


def _numbered(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank; one that is too long is cut, and its rest skipped."""
    number = 1
    while line := stream.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE + 1)
        if line.strip():
            yield number, line if len(line) > LONGEST_LINE else line.rstrip(b"\r\n")
        number += 1


def _parsed(numbered: tuple[int, bytes]) -> Line:
    number, line = numbered
    if len(line) > LONGEST_LINE:
        return Line(number, None, f"line {number} is longer than {LONGEST_LINE:,} bytes")
    try:
        value = _loaded(line)
    except (ValueError, RecursionError) as error:
        return Line(number, None, f"line {number} is not valid JSON ({_why(error)}); {_EXPECTED}")
    if not isinstance(value, dict) or not any(field in value for field in FIELDS):
        what = "an object without these" if isinstance(value, dict) else f"a {_kind(value)}"
        return Line(number, None, f"line {number} is {what}; {_EXPECTED}")
    return Line(number, value)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at column {error.colno}"
    return "too deeply nested" if isinstance(error, RecursionError) else str(error)


def _loaded(line: bytes) -> Any:
    text = line.decode("utf-8-sig", "replace")
    return json.loads(text, parse_constant=_no_json, parse_float=_finite, strict=False)


def _no_json(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _finite(digits: str) -> float:
    """A number that can be written again."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is out of range")
    return number


def _kind(value: Any) -> str:
    return {list: "list", str: "string", bool: "truth value"}.get(type(value), "bare value")


def _is_meant_as_json(line: bytes) -> bool:
    """Whether a line before the first record is a broken one, rather than text."""
    if line[:100].removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        return True
    try:
        _loaded(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_record(line: bytes) -> bool:
    """Whether a line is a record of a failure, rather than the body of an API's answer."""
    try:
        value = _loaded(line) if len(line) <= LONGEST_LINE else None
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict) or not any(field in value for field in FIELDS):
        return False
    return not _ONLY_IN_RECORDS.isdisjoint(value) or _ONLY_IN_BODIES.isdisjoint(value)


def _text(start: bytes, stream: BinaryIO) -> str:
    """``start`` and the rest of ``stream`` as text; of a long one its beginning and its end."""
    chunks = itertools.chain([start], iter(lambda: stream.read(_CHUNK), b""))
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _END:
            break
    tail = deque([head[_END:]], maxlen=_END // _CHUNK + 1)
    tail.extend(chunks)
    head = head[:_END]
    end = b"".join(tail)[-_END:]
    parts = [part.decode("utf-8", "replace") for part in (head, end)]
    return "".join(parts) if len(end) < _END else "\n…\n".join(parts)
