"""Send a request that was recorded once more, as it was or with one thing changed.

What went over the wire is kept in memory as it was, key and all, for as long as its scenario may
have to be examined: signed and vendor-specific headers cannot be rebuilt from a redacted record.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pytest_ohllm.model import Exchange
from pytest_ohllm.wire.tape import Tape

_NOT_REPEATED = ("content-length", "transfer-encoding", "connection", "host")


@dataclass(frozen=True)
class Variant:
    """What differs from the original; ``None`` is what the original has."""

    method: str | None = None
    url: str | None = None
    body: Mapping[str, Any] | None = None


class Replay:
    """Sends variants of ``original``, each recorded as an Exchange, redacted.

    No redirect is followed, and no key is taken from anywhere but the original. ``deadline`` is a
    ``time.monotonic`` time after which nothing waits any longer.
    """

    def __init__(
        self, original: httpx.Request, redact: Callable[[Any], Any], deadline: float
    ) -> None:
        self._original = original
        self._redact = redact
        self._deadline = deadline

    @property
    def body(self) -> Any:
        """The original's JSON body as it was sent; ``None`` if it is something else."""
        try:
            return json.loads(self._original.content)
        except (ValueError, httpx.RequestNotRead):
            return None

    @property
    def seconds_left(self) -> float:
        """Until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def send(self, variant: Variant) -> Exchange:
        """The exchange that the variant led to; a failed connection is one without a status."""
        tape = Tape(redact=self._redact, deadline=self._deadline)
        request = self._request(variant)
        # Whatever goes wrong stands in the exchange.
        with tape.recording(), contextlib.suppress(httpx.HTTPError), self._client() as client:
            # An explicit auth: a .netrc for the host must not replace the key.
            client.send(request, auth=lambda sent: sent, follow_redirects=False)
        return tape.exchanges[-1]

    def _client(self) -> httpx.Client:
        return httpx.Client(timeout=self.seconds_left or 0.01)

    def _request(self, variant: Variant) -> httpx.Request:
        headers = [
            (name, value)
            for name, value in self._original.headers.raw
            if name.decode().lower() not in _NOT_REPEATED
        ]
        method = variant.method or self._original.method
        url = variant.url or self._original.url
        if method == "GET":
            return httpx.Request(method, url, headers=headers)
        if variant.body is None:
            return httpx.Request(method, url, headers=headers, content=self._original.content)
        content = json.dumps(variant.body).encode()
        return httpx.Request(method, url, headers=headers, content=content)
