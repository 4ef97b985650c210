"""The one place where secrets are taken out of what a run shows, writes or sends.

A `Redactor` knows the secret values of its run in all their encodings and, for secrets nobody told
it about, the vendors' key shapes and the places where credentials stand. Redact values before they
are serialised; a scan of the finished run folder proves that nothing was forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.credential_positions import CredentialPositions
from pytest_ohllm.evidence.known_secrets import KnownSecrets
from pytest_ohllm.evidence.redaction_stream import RedactionStream
from pytest_ohllm.evidence.spans import Span, masked, merged, replaced
from pytest_ohllm.evidence.unknown_keys import find_shapes

_LONGEST_NAME = 32
_MARKER = re.compile(rf"\[REDACTED(?::[\w.-]{{1,{_LONGEST_NAME}}})?\]")
_UNFIT = re.compile(r"[^\w.-]+")
_ROUNDS = 4
"""What was part of a secret may make its neighbour one: found now, it is not found next time."""
SUSPICIONS = {"credential", "cookie"}
"""Labels of what is no secret for certain: it merely stands where one would."""


class Redactor:
    """Takes secrets out of text and values. Immutable; the same input gives the same output.

    What is taken out leaves a marker with the name of the secret: `[REDACTED:api_key]`. Redacting
    twice changes nothing. The time is linear in the length of the text.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        """`known` maps a name, which is shown, to a secret value; an empty value is no secret."""
        self._values = {name: value for name, value in (known or {}).items() if value}
        shown = _safe_names(self._values)
        self._names = sorted(shown)
        self._known = KnownSecrets(shown)
        self._positions = CredentialPositions(self._known.short)

    def __repr__(self) -> str:
        return f"Redactor({self._names})"

    def with_known(self, extra: Mapping[str, str]) -> Redactor:
        """A redactor that knows the values of this one and `extra`, which wins on equal names."""
        return Redactor({**self._values, **extra})

    def text(self, text: str) -> str:
        """`text` without secrets."""
        return replaced(text, self.spans(text))

    def stream(self) -> RedactionStream:
        """A redactor for text that arrives in pieces: no secret escapes between two of them."""
        return RedactionStream(self.spans)

    def value(self, value: Any) -> Any:
        """A copy of nested dicts, lists, tuples, strings and bytes without secrets, keys included.

        A string that is the value of a field such as `api_key` is judged as standing there. What
        holds no secret, and what is of any other type, is returned as it is.
        """
        match value:
            case str():
                redacted = self.text(value)
                return value if redacted == value else redacted
            case bytes() | bytearray():
                return _as_bytes(value, self.text(_as_text(value)))
            case dict():
                return self._mapping(value)
            case list():
                return self._items(value)
            case tuple():
                make = getattr(type(value), "_make", tuple)  # a named tuple stays one
                return make(self._items(value))
        return value

    def contains(self, data: str | bytes) -> list[str]:
        """What is left in `data` for certain: names of known values and of vendors' key shapes.

        What merely stands in a credential's place is left out: no run fails for a suspicion.
        """
        text = data if isinstance(data, str) else _as_text(data)
        return sorted({label for _, _, label in self.spans(text)} - SUSPICIONS)

    def scan_folder(self, path: Path) -> list[tuple[str, str]]:
        """What is left in files and file names under `path`: pairs of relative path and name.

        Files are read as bytes. Symbolic links are not followed. A file that cannot be read is
        listed as `unreadable`.
        """
        left: list[tuple[str, str]] = []
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(path).as_posix()
            found = set(self.contains(relative))
            if file.is_file() and not file.is_symlink():
                try:
                    found.update(self.contains(file.read_bytes()))
                except OSError:
                    found.add("unreadable")
            left += [(self.text(relative), what) for what in sorted(found)]
        return left

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand in `text`, and the name of each: in order, apart from each other."""
        found = merged(self._known.spans(text))
        markers: list[Span] = []
        if "[REDACTED" in text:
            markers = [(*marker.span(), "") for marker in _MARKER.finditer(text)]
        for _ in range(_ROUNDS):
            rest = masked(text, merged([*found, *markers]))
            more = [*find_shapes(rest), *self._positions.spans(rest)]
            if not more:
                break
            found = merged([*found, *more])
        return found

    def _mapping(self, value: dict[Any, Any]) -> dict[Any, Any]:
        redacted: dict[Any, Any] = {}
        for key, item in value.items():
            shown = self.value(key)
            while shown != key and shown in redacted:  # two secret keys stay two keys
                shown = f"{shown}'"
            redacted[shown] = self._field(key, item)
        name = value.get("name", value.get("key"))  # {"name": "Authorization", "value": …}
        if "value" in value:
            redacted["value"] = self._field(name, value["value"])
        return redacted

    def _items(self, items: list[Any] | tuple[Any, ...]) -> list[Any]:
        redacted = [self.value(item) for item in items]
        if len(items) == 2:  # ("Authorization", …)
            redacted[1] = self._field(items[0], items[1])
        return redacted

    def _field(self, name: Any, value: Any) -> Any:
        if not isinstance(name, str | bytes) or not isinstance(value, str | bytes):
            return self.value(value)
        text = _as_text(value)
        if _MARKER.search(text) or not (span := self._positions.named(_as_text(name), text)):
            return self.value(value)
        shown = replaced(text, merged([span, *self.spans(text)]))
        return shown if isinstance(value, str) else _as_bytes(value, shown)


def _as_text(value: str | bytes | bytearray) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _as_bytes(value: bytes | bytearray, text: str) -> bytes | bytearray:
    return type(value)(text.encode("utf-8", "surrogateescape"))


def _safe_names(values: Mapping[str, str]) -> dict[str, str]:
    """The same values under names that a marker can show: short, one word, and no secret."""
    finder = KnownSecrets(values)
    safe: dict[str, str] = {}
    for name, value in values.items():
        shown = _UNFIT.sub("_", name)[:_LONGEST_NAME]
        if not shown or finder.spans(f"[REDACTED:{shown}]"):
            shown = "secret"
        number = 2
        unique = shown
        while unique in safe:
            unique = f"{shown[: _LONGEST_NAME - 5]}_{number}"
            number += 1
        safe[unique] = value
    return safe
