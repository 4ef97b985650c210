"""Peel an error down to the words of whoever refused: the innermost body, and all that names it.

Between a provider and a reader stand client libraries, proxies, relays and routers, and each wraps
what it got: ``litellm.BadRequestError: GroqException - Error code: 400 - {'error': {'message':
'litellm.…'}}``. The outermost class and status say who passed the message on, not who is to blame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pytest_ohllm.diagnosis.nested import MESSAGE_KEYS, inside, speaks

_DEEPEST = 24
"""Layers after which something is nested on purpose."""

_LONGEST = 16 * 1024
"""Characters of a text that are looked at: what is longer is a page, not a message."""

_MESSAGE = 4 * 1024
"""Characters of the innermost message that are kept."""

_CODE_KEYS = ("code", "type", "status", "reason", "error_type", "error_code", "object")
_FIELD_KEYS = ("param", "loc", "field", "path")

_CARRIERS = ("body", "responseBody", "response_body")
"""Where clients put an endpoint's answer beside words of their own."""

_PHRASES = "|".join(re.escape(status.phrase) for status in HTTPStatus)
_PREFIX = re.compile(
    r"\s*+(?:"
    r"\[?API Error:?\s*|Error code:\s*\d{3}\s*-\s*|"
    rf"(?:HTTP\s*)?[45]\d\d(?: (?:{_PHRASES}))?(?::\s+|\s+(?=[\"']?[A-Za-z]))|"
    r"(?:[\w.]{0,100}(?:Error|Exception|Exhausted|Timeout)s?:?\s*[-:]\s+)|"
    r"(?:[A-Z]\w{0,60}Exception\s+[A-Z]\w{0,60}Error\s*-\s+)|"
    r"Message:\s*|The model returned the following errors:\s*"
    r")"
)
_CLASS = re.compile(
    r"(?<![\w.])(?:[a-z_]\w{0,60}\.){0,8}"
    r"[A-Z]\w{0,80}(?:Error|Exception|Timeout|NotFound|Interrupt)\b"
)
_STATUS = re.compile(
    r"\b(?:error code|status(?:[ _]code)?|http(?:_status)?(?:[ _]error)?|error status|error)"
    r"[\s:=(_-]{0,3}(?P<named>[1-5]\d\d)\b|^\W{0,3}(?P<leading>[45]\d\d)\b|"
    r"<(?:title>)?\s?(?P<tagged>[45]\d\d)[> ]|"
    r"\b(?P<worded>[45]\d\d) (?:status code|(?-i:[A-Z][a-z]+ ?[A-Z]))",
    re.IGNORECASE,
)
_FRAME = re.compile(r'File "(?P<path>[^"]{1,500})", line \d+(?:, in (?P<function>\S{1,200}))?')
_FRAME_LINES = re.compile(
    r"^[ \t]*File \"[^\"\n]{1,500}\", line \d+.*\n?(?:^[ \t]{4,}\S.*\n?)*"
    r"|^Traceback \(most recent call last\):?[ \t]*\n?",
    re.MULTILINE,
)
_ROUTER_NOTES = ("Received Model Group=", "Available Model Group Fallbacks=")
_COLOUR = re.compile(r"\x1b\[[0-9;?]{0,20}[@-~]")
_TYPOGRAPHY = str.maketrans("\u2018\u2019\u201c\u201d\u00a0", "''\"\" ", "\0")


@dataclass(frozen=True)
class Core:
    """What is left of an error without its wrappers.

    ``text`` is the innermost message, on one line; ``status`` the innermost HTTP status; ``codes``
    the machine-readable words of all layers from the inside out, in lower case; ``fields`` what
    they name as the culprit (``param``, ``loc``); ``classes`` the exception classes that are
    mentioned; ``frames`` the source files, outermost first; ``layers`` how often something was
    peeled off.
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
        text=" ".join(plain(text, _MESSAGE).split()),
        status=found.status,
        codes=tuple(dict.fromkeys(reversed(found.codes))),
        fields=tuple(dict.fromkeys(reversed(found.fields))),
        classes=tuple(dict.fromkeys(found.classes)),
        frames=tuple(found.frames),
        layers=found.layers,
    )


def plain(text: str, limit: int = _LONGEST) -> str:
    """``text`` as rules can read it: its two ends if it is long, no colours, straight quotes."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}\n…\n{text[-limit // 2 :]}"
    return _COLOUR.sub("", text.translate(_TYPOGRAPHY))


def without_source(text: str) -> str:
    """A pasted traceback without its source lines: they are code, and say nothing of the error."""
    return _FRAME_LINES.sub("", text)


def _peel(value: Any, found: _Found) -> str:
    for _ in range(_DEEPEST):
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            value = plain(value)
            _note_text(value, found)
            value = without_source(value)
            inner = inside(value)
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
                return plain(json.dumps(value, ensure_ascii=False, default=str, skipkeys=True))
            value = inner
        else:
            return "" if value is None else str(value)
        found.layers += 1
    return plain(_bare(value) if isinstance(value, str) else str(value))


def _note_text(text: str, found: _Found) -> None:
    found.classes += _CLASS.findall(text)
    found.frames += [
        f"{match['path']}:{match['function'] or ''}".rstrip(":") for match in _FRAME.finditer(text)
    ]
    statuses = [next(group for group in m.groups() if group) for m in _STATUS.finditer(text[:4000])]
    if statuses:
        found.status = int(statuses[-1])


def _message_of(body: Mapping[Any, Any], found: _Found) -> Any:
    """What the object wraps: a raw upstream answer before its own message."""
    _note_codes(body, found)
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("raw"):
        return metadata["raw"]
    for key in _CARRIERS:
        inner = body.get(key)
        if isinstance(inner, Mapping) and speaks(inner):
            return inner
    for key in ("error", "errors", "base_resp", "detail", "Message", *MESSAGE_KEYS):
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


def _note_codes(body: Mapping[Any, Any], found: _Found) -> None:
    for key in _CODE_KEYS:
        code = body.get(key)
        if isinstance(code, str | int) and not isinstance(code, bool) and str(code).strip():
            found.codes.append(str(code).lower()[:200])
            found.status = _http_status(code) or found.status
    for key in ("http_code", "status_code", "statusCode"):
        found.status = _http_status(body.get(key)) or found.status
    for key in _FIELD_KEYS:
        name = body.get(key)
        if isinstance(name, list | tuple):
            name = ".".join(str(part) for part in name if part != "body")
        if isinstance(name, str) and name:
            found.fields.append(name[:200])


def _http_status(code: Any) -> int | None:
    """``code`` if it is the HTTP status of an error, as a number or as digits."""
    digits = str(code)
    return int(digits) if re.fullmatch(r"[45][0-9]{2}", digits) else None


def _bare(text: str) -> str:
    """``text`` without prefixes of libraries and without a router's notes at its end."""
    notes = [start for note in _ROUTER_NOTES if (start := text.find(note)) >= 0]
    if notes:
        text = text[: min(notes)].rstrip().removesuffix(".")
    start = 0
    while match := _PREFIX.match(text, start):
        if len(text) - match.end() < 4 or match.end() == start:
            break
        start = match.end()
    return text[start:].strip()
