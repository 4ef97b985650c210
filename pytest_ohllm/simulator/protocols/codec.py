"""What every protocol offers: bytes to a ``Turn``, an ``Answer`` to bytes, and a way to say no."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from pytest_ohllm.simulator.response import Call, Refusal, json_bytes
from pytest_ohllm.simulator.turn import Answer, Turn


class Codec(Protocol):
    """One wire format. Everything a protocol knows stays behind these members."""

    name: str
    stream_type: str
    """Content type of the answer to a request that streams."""

    key_optional: bool
    """Whether a request without any key is served, as local servers do."""

    def serves(self, path: str) -> bool:
        """Whether conversations of this protocol are posted to ``path``."""

    def catalogue(self, call: Call, model: str) -> dict[str, Any] | None:
        """The document at the path of ``call``, if it describes models, of which there is one."""

    def key(self, call: Call) -> str | None:
        """The key that the request presents in this protocol's way, or ``None``."""

    def read(self, call: Call) -> Turn:
        """Parse a request; raises ``Refused`` with the vendor's words when it is not valid."""

    def document(self, answer: Answer) -> dict[str, Any]:
        """The answer to a request that does not stream."""

    def events(self, answer: Answer) -> Iterator[bytes]:
        """The answer to a request that streams, one frame at a time."""

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """The body of an error response."""

    def unauthorized(self, key: str | None) -> Refusal:
        """The refusal of a wrong key, or of none; it shows at most the key's ends."""

    def unknown_model(self, model: str) -> Refusal:
        """The refusal of a model that is not served here."""


def pieces(text: str) -> list[str]:
    """``text`` cut into the small parts in which a model would stream it: words, long ones cut."""
    return re.findall(r"\s*\S{1,16}|\s+$", text)


def bearer(call: Call) -> str | None:
    """The bearer token of the request, if it has one."""
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def frame(document: dict[str, Any], event: str | None = None) -> bytes:
    """One server-sent event."""
    head = b"" if event is None else f"event: {event}\n".encode()
    return head + b"data: " + json_bytes(document) + b"\n\n"


def arguments(text: Any) -> dict[str, Any]:
    """A call's arguments from the JSON text in a history; what is no object counts as none."""
    try:
        found = json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def token_limit(*limits: Any) -> int | None:
    """The first of ``limits`` that is a limit on tokens, as different fields may name it."""
    return next(
        (n for n in limits if isinstance(n, int) and not isinstance(n, bool) and n > 0), None
    )
