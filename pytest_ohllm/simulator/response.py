"""What goes back over the wire, as a plan that can be inspected and changed before it is played."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Wait:
    """A pause in a response, in seconds; infinity is allowed."""

    seconds: float


Step = bytes | Wait


@dataclass(frozen=True)
class Response:
    """Status, headers, and the steps of the body: every ``bytes`` is written on its own.

    The head goes out with the first bytes. ``status=None`` means that nothing is ever sent;
    ``complete=False`` means that the connection is dropped after the last step.
    """

    status: int | None
    steps: Iterable[Step] = ()
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True)
class Refusal:
    """An error that the provider reports. ``body`` replaces the protocol's own error document."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | int | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


class Refused(Exception):
    """Raised while a request is read, with what the client is to be told."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True)
class Call:
    """One HTTP request as it arrived; header names are in lower case.

    ``mount`` is the part of the path that was replaced, on a server with paths of its own.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: str = ""
    mount: str = ""


def json_bytes(document: Any) -> bytes:
    """``document`` as compact JSON; lone surrogates survive as escapes."""
    return json.dumps(document, separators=(",", ":")).encode()
