"""Peel an error down to the words of whoever refused: the innermost body, and all that names it.

Between a provider and a reader stand client libraries, proxies, relays and routers, and each wraps
what it got: ``litellm.BadRequestError: GroqException - Error code: 400 - {'error': {'message':
'litellm.…'}}``. The outermost class and status say who passed the message on, not who is to blame.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

_DEEPEST = 12
"""Layers after which something is nested on purpose."""

_LONGEST = 64 * 1024
"""Characters of a text that are looked at: a body that is longer is a page, not a message."""

_PAIRS = {"{": "}", "[": "]"}
_MESSAGE_KEYS = ("message", "msg", "detail", "error_message", "error_msg", "errorMessage", "error")
_CODE_KEYS = ("code", "type", "status", "reason", "error_type", "object")
_FIELD_KEYS = ("param", "loc", "field", "path")

_PHRASES = "|".join(re.escape(status.phrase) for status in HTTPStatus)
_PREFIX = re.compile(
    r"^\s*(?:"
    r"\[?API Error:?\s*|Error code:\s*\d{3}\s*-\s*|"
    rf"(?:HTTP\s*)?[45]\d\d(?: (?:{_PHRASES}))?(?::\s+|\s+(?=[\"']?[A-Za-z]))|"
    r"(?:[\w.]*(?:Error|Exception|Exhausted|Timeout)s?:?\s*[-:]\s+)|"
    r"(?:[A-Z]\w*Exception\s+[A-Z]\w*Error\s*-\s+)|"
    r"Message:\s*"
    r")"
)
_CLASS = re.compile(r"\b(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Timeout|NotFound|Interrupt)\b")
_STATUS = re.compile(
    r"\b(?:error code|status(?:[ _]code)?|http(?:_status)?(?:[ _]error)?|error status|error)"
    r"[\s:=(_-]{0,3}(?P<named>[1-5]\d\d)\b|^\W{0,3}(?P<leading>[45]\d\d)\b|"
    r"<(?P<tagged>[45]\d\d)>|\b(?P<worded>[45]\d\d) (?:status code|(?-i:[A-Z][a-z]+ ?[A-Z]))",
    re.IGNORECASE,
)
_FRAME = re.compile(r'File "(?P<path>[^"]+)", line \d+(?:, in (?P<function>\S+))?')
_ROUTER_NOTE = re.compile(
    r"\.?\s*(?:Received Model Group=|Available Model Group Fallbacks=).*", re.S
)


@dataclass(frozen=True)
class Core:
    """What is left of an error without its wrappers.

    ``text`` is the innermost message, ``status`` the innermost HTTP status, ``codes`` the
    machine-readable words of all layers from the inside out, in lower case; ``fields`` what they
    name as the culprit (``param``, ``loc``); ``classes`` the exception classes that are mentioned;
    ``frames`` the source files, outermost first; ``layers`` how often something was peeled off.
    """

    text: str = ""
    status: int | None = None
    codes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    layers: int = 0


@dataclass
class _Found:
    status: int | None = None
    codes: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    layers: int = 0


def unwrap(value: Any) -> Core:
    """The core of an error body, an error text, or a pasted traceback."""
    found = _Found()
    text = _peel(value, found)
    return Core(
        text=text.strip(),
        status=found.status,
        codes=tuple(dict.fromkeys(reversed(found.codes))),
        fields=tuple(dict.fromkeys(reversed(found.fields))),
        classes=tuple(dict.fromkeys(found.classes)),
        frames=tuple(found.frames),
        layers=found.layers,
    )


def _peel(value: Any, found: _Found) -> str:
    for _ in range(_DEEPEST):
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            value = value[:_LONGEST]
            _note_text(value, found)
            inner = _inside(value)
            if inner is None:
                return _bare(value)
            value = inner
        elif isinstance(value, list | tuple):
            if not value:
                return ""
            value = value[0] if len(value) == 1 or isinstance(value[0], Mapping) else str(value)
        elif isinstance(value, Mapping):
            inner = _message_of(value, found)
            if inner is None:
                return json.dumps(value, ensure_ascii=False, default=str)
            value = inner
        else:
            return "" if value is None else str(value)
        found.layers += 1
    return _bare(value) if isinstance(value, str) else str(value)


def _note_text(text: str, found: _Found) -> None:
    found.classes += _CLASS.findall(text)
    found.frames += [
        f"{match['path']}:{match['function'] or ''}".rstrip(":") for match in _FRAME.finditer(text)
    ]
    statuses = [next(group for group in m.groups() if group) for m in _STATUS.finditer(text[:4000])]
    if statuses:
        found.status = int(statuses[-1])


def _message_of(body: Mapping[str, Any], found: _Found) -> Any:
    """What the object wraps: a raw upstream answer before its own message."""
    _note_codes(body, found)
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("raw"):
        return metadata["raw"]
    for key in ("error", "errors", "detail", "Message", *_MESSAGE_KEYS):
        inner = body.get(key)
        if isinstance(inner, Mapping) and not inner:
            continue
        if inner not in (None, "", [], True, False):
            if isinstance(inner, str) and key == "error" and _longer(body.get("message"), inner):
                continue
            return inner
    return None


def _longer(other: Any, text: str) -> bool:
    """Whether ``error`` is a label beside the real message: {"error": "Not Found", "message": …}"""
    return isinstance(other, str) and len(other) > len(text)


def _note_codes(body: Mapping[str, Any], found: _Found) -> None:
    for key in _CODE_KEYS:
        code = body.get(key)
        if isinstance(code, str | int) and not isinstance(code, bool) and str(code).strip():
            found.codes.append(str(code).lower())
            if str(code).isdigit() and 400 <= int(code) < 600:
                found.status = int(code)
    status = body.get("http_code") or body.get("status_code") or body.get("statusCode")
    if str(status).isdigit() and 400 <= int(str(status)) < 600:
        found.status = int(str(status))
    for key in _FIELD_KEYS:
        name = body.get(key)
        if isinstance(name, list | tuple):
            name = ".".join(str(part) for part in name if part != "body")
        if isinstance(name, str) and name:
            found.fields.append(name)


def _inside(text: str) -> Any:
    """The structured value that ``text`` carries, perhaps escaped once too often; or ``None``."""
    for candidate in (text, text.replace('\\"', '"')) if '\\"' in text else (text,):
        if (found := _carried(candidate)) is not None:
            return found
    return None


def _carried(text: str) -> Any:
    for start, end in _spans(text):
        parsed = _parsed(text[start:end])
        first = parsed[0] if isinstance(parsed, list) and parsed else parsed
        if isinstance(parsed, bytes) or (isinstance(first, Mapping) and _speaks(first)):
            return parsed
    return None


def _speaks(body: Mapping[str, Any]) -> bool:
    """Whether the object says what went wrong, rather than being an argument or a price list."""
    keys = {str(key) for key in body}
    return bool(keys & {*_MESSAGE_KEYS, "Message", "errors", "code", "metadata"})


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where brackets open and close again, outermost first, at most a few."""
    for match in itertools.islice(re.finditer(r"b['\"]|[\[{]", text), 6):
        start, opening = match.start(), match[0]
        quoted = opening[0] == "b"
        end = text.rfind(opening[1]) + 1 if quoted else _closing(text, start)
        if end > start + 1:
            yield start, end


def _closing(text: str, start: int) -> int:
    """The end of the bracket that opens at ``start``; of a cut one, the text's end."""
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
        elif stack and char == stack[-1]:
            stack.pop()
            if not stack:
                return index + 1
        index += 1
    return len(text)


def _parsed(text: str) -> Any:
    """JSON, a Python literal, or either with one level of escaping too much; else ``None``."""
    plain = text.replace("\n", " ")
    for candidate in (text, plain.replace('\\"', '"'), plain.replace("\\'", "'"), _mended(plain)):
        try:
            return json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            pass
        try:
            return ast.literal_eval(candidate)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return None


def _mended(text: str) -> str:
    """A JSON object whose end was cut off when it was copied."""
    cut = text.rstrip().rstrip(",")
    odd = len(re.findall(r'(?<!\\)"', cut)) % 2
    brackets = re.sub(r'"(?:\\.|[^"\\])*"?', "", cut)
    opened = [_PAIRS[bracket] for bracket in re.findall(r"[\[{]", brackets)]
    closed = len(re.findall(r"[\]}]", brackets))
    return cut + '"' * odd + "".join(reversed(opened[: max(0, len(opened) - closed)]))


def _bare(text: str) -> str:
    """``text`` without prefixes of libraries and without a router's notes at its end."""
    text = _ROUTER_NOTE.sub("", text).strip()
    while match := _PREFIX.match(text):
        if len(text) - match.end() < 4:
            break
        text = text[match.end() :]
    return text
