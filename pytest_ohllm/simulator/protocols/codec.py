"""What every protocol offers: bytes to a ``Turn``, an ``Answer`` to bytes, and a way to say no."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from pytest_ohllm.simulator.response import Call, Refusal
from pytest_ohllm.simulator.turn import Answer, Turn


class Codec(Protocol):
    """One wire format. Everything a protocol knows stays behind these members."""

    name: str
    path: str
    """Starlette path pattern that conversations are posted to."""

    catalogues: Mapping[str, Callable[[str], dict[str, Any]]]
    """Path to a function from the simulator's model name to the document listed there."""

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


def pieces(text: str) -> list[str]:
    """``text`` cut into the small parts in which a model would stream it."""
    return re.findall(r"\s*\S+|\s+$", text)
