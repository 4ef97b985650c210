"""Finds the JSON or Python value that an error text carries, however it was quoted on the way."""

from __future__ import annotations

import ast
import itertools
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

MESSAGE_KEYS = (
    "message",
    "msg",
    "detail",
    "error_message",
    "error_msg",
    "errorMessage",
    "status_msg",
    "error",
)
_SPEAKING = frozenset({*MESSAGE_KEYS, "Message", "errors", "code", "metadata", "base_resp"})

_PAIRS = {"{": "}", "[": "]"}
_OPENING = re.compile(r"(?<!\w)b['\"]|[\[{]")
_BYTES = re.compile(r"b(?P<quote>['\"])(?:(?!(?P=quote))[^\\]|\\.)*+(?P=quote)", re.S)
_LAST_MEMBER = re.compile(
    r",\s{0,9}(?P<quote>['\"])(?:(?!(?P=quote))[^\\]){0,60}(?P=quote)?\s{0,9}:?\s{0,9}\w{0,9}\Z"
)
_TRIES = 6
"""Openings that are looked at: the first ones hold the others."""

_DEEPEST = 100
"""Brackets within each other after which a text is not what an endpoint answers."""


def inside(text: str) -> Any:
    """The structured value that ``text`` carries, perhaps escaped once too often; or ``None``."""
    for candidate in (text, text.replace('\\"', '"')) if '\\"' in text else (text,):
        for start, end, missing in _spans(candidate):
            value = _parsed(candidate[start:end], missing)
            first = value[0] if isinstance(value, list) and value else value
            if isinstance(value, bytes) or (isinstance(first, Mapping) and speaks(first)):
                return value
    return None


def speaks(body: Mapping[Any, Any]) -> bool:
    """Whether the object says what went wrong, rather than being an argument or a price list."""
    return not _SPEAKING.isdisjoint(key for key in body if isinstance(key, str))


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where brackets open and close again, and what is missing at the end; outermost first."""
    for match in itertools.islice(_OPENING.finditer(text), _TRIES):
        start = match.start()
        if match[0][0] != "b":
            end, missing = _closing(text, start)
            if end:
                yield start, end, missing
        elif quoted := _BYTES.match(text, start):
            yield start, quoted.end(), ""


def _closing(text: str, start: int) -> tuple[int, str]:
    """The end of the bracket that opens at ``start``; of a cut one, the text's end and what closes.

    The end is 0 where brackets are nested too deeply.
    """
    stack: list[str] = []
    quote = ""
    index = start
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char == '"' or (char == "'" and text[index - 1] in "{[:, ("):
            quote = char
        elif char in _PAIRS:
            stack.append(_PAIRS[char])
            if len(stack) > _DEEPEST:
                return 0, ""
        elif stack and char == stack[-1]:
            stack.pop()
            if not stack:
                return index + 1, ""
        index += 1
    return len(text), quote + "".join(reversed(stack))


def _parsed(text: str, missing: str) -> Any:
    """JSON, a Python literal, or either with one level of escaping too much; else ``None``."""
    plain = text.replace("\n", " ")
    unbroken = plain.replace("\\n", " ")
    candidates = [
        text,
        plain.replace('\\"', '"'),
        plain.replace("\\'", "'"),
        unbroken.replace('\\"', '"'),
    ]
    if missing:
        candidates += [plain + missing, unbroken + missing, *_without_last_member(plain)]
    for candidate in dict.fromkeys(candidates):
        try:
            return json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            pass
        try:
            return _literal(candidate)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return None


def _literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes that somebody else wrote
        return ast.literal_eval(text)


def _without_last_member(text: str) -> list[str]:
    """An object that was cut off within a name, without that name and closed."""
    whole = text.rstrip().rstrip(",")
    if match := _LAST_MEMBER.search(whole, max(0, len(whole) - 100)):
        whole = whole[: match.start()]
    end, missing = _closing(whole, 0)
    return [whole + missing] if end else []
