"""What the simulator was asked, in order, with every credential masked before it is kept."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload
from urllib.parse import quote, unquote

from pytest_ohllm.simulator.response import Call

MASK = "[redacted]"
MAX_ENTRIES = 1000
MAX_BYTES = 64 * 1024 * 1024
"""Bodies kept in all; the oldest entries are dropped first."""

_SECRET_WORDS = ("authorization", "api-key", "api_key", "apikey", "cookie", "token", "secret")
_SECRET_PARAMETERS = ("key", "api_key", "api-key", "access_token")
_SHORTEST_KEY = 8  # a shorter presented key is probably a word that also stands in harmless places


@dataclass(frozen=True)
class Entry:
    """One request. ``body`` is parsed JSON, or text; ``status`` is ``None`` if nobody answered."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    personality: str
    status: int | None


class Journal(Sequence[Entry]):
    """The last requests, oldest first. Safe to read while requests arrive."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        self._entries: deque[tuple[Entry, int]] = deque()
        self._bytes = 0
        self._count = 0
        self._lock = threading.Lock()

    def record(self, call: Call, personality: str, status: int | None) -> None:
        """Keep ``call`` and how it was answered."""
        secrets = [self._api_key, *_presented(call)]
        entry = Entry(
            number=0,
            method=call.method,
            path=_mask_text(_path(call), secrets),
            headers=_mask_headers(call.headers, secrets),
            body=_mask(_body(call.body), secrets),
            personality=personality,
            status=status,
        )
        with self._lock:
            self._count += 1
            entry = Entry(**{**vars(entry), "number": self._count})
            self._entries.append((entry, len(call.body)))
            self._bytes += len(call.body)
            while len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
                self._bytes -= self._entries.popleft()[1]

    def clear(self) -> None:
        """Forget every entry; numbering goes on."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _snapshot(self) -> list[Entry]:
        with self._lock:
            return [entry for entry, _ in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._snapshot())

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        return self._snapshot()[index]

    def __repr__(self) -> str:
        return f"Journal({self._snapshot()!r})"


def _presented(call: Call) -> list[str]:
    """Whatever this request shows as a key: one that is wrong here may be right elsewhere."""
    values = [v for name, v in call.headers.items() if _is_secret(name)]
    for pair in call.query.split("&"):
        name, _, value = pair.partition("=")
        if name.lower() in _SECRET_PARAMETERS:
            values += [value, unquote(value)]
    parts = [part for value in values for part in (value, value.partition(" ")[2])]
    return [part for part in parts if len(part) >= _SHORTEST_KEY]


def _path(call: Call) -> str:
    if not call.query:
        return call.path
    pairs = [pair.partition("=") for pair in call.query.split("&")]
    query = "&".join(
        f"{name}={MASK}" if name.lower() in _SECRET_PARAMETERS else f"{name}{sep}{value}"
        for name, sep, value in pairs
    )
    return f"{call.path}?{query}"


def _body(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)


def _mask_headers(headers: Mapping[str, str], secrets: list[str]) -> dict[str, str]:
    return {
        name: MASK if _is_secret(name) else _mask_text(value, secrets)
        for name, value in headers.items()
    }


def _mask(value: Any, secrets: list[str]) -> Any:
    match value:
        case str():
            return _mask_text(value, secrets)
        case list():
            return [_mask(item, secrets) for item in value]
        case dict():
            return {
                _mask_text(name, secrets): MASK
                if isinstance(item, str) and name.lower() in (*_SECRET_PARAMETERS, "authorization")
                else _mask(item, secrets)
                for name, item in value.items()
            }
    return value


def _mask_text(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        for form in (secret, quote(secret, safe="")):
            text = text.replace(form, MASK)
    return text
