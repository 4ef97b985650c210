"""Finds the run's own secret values in text, however they are escaped, encoded, wrapped or cut.

The guarantee is about fragments: no 12 consecutive characters of a known value stay. It is kept in
linear time by sampling: of any 12 characters, a 6-gram that starts at a multiple of 7 lies inside,
so one set lookup per 7 characters finds every place that is worth a closer look.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress

from pytest_ohllm.evidence.encodings import encoded_forms, escaped_forms
from pytest_ohllm.evidence.key_shapes import PLACEHOLDERS, public_prefix
from pytest_ohllm.evidence.spans import Span

WINDOW = 12
"""Of a known value, this many consecutive characters are a leak."""
SHORTEST = 6
"""A shorter value is redacted where a credential stands, not wherever its letters occur."""

_GRAM = 6
_STRIDE = WINDOW - _GRAM + 1
_CUT = 8
"""Length of a fragment that gives a value away when it stands beside an ellipsis."""
_CUT_REACH = 64
"""How far such a fragment is followed; what is longer is found for its length."""
_LEAST_SHOWN = 4
_SHOWN = range(24, _LEAST_SHOWN - 1, -1)
"""How much of each end of a value is looked for on both sides of an ellipsis, most first."""
_BLIND_MINIMUM = 16
_BLIND_GAP = 80
"""Characters of punctuation, space and escapes that may lie between two letters of a value."""

_ALNUM = bytes(range(48, 58)) + bytes(range(65, 91)) + bytes(range(97, 123))
_NOISE = bytes(set(range(256)) - set(_ALNUM))
_LOWER = bytes(range(256)).lower()
_IS_ALNUM = bytes(1 if byte in _ALNUM else 0 for byte in range(256))
_ESCAPE = re.compile(
    rb"\n(?:\x1b\[[0-9;]{0,20}m){0,4}[E>] "  # the margin of pytest's tracebacks
    rb"|\\{1,8}n(?:\\{1,8}(?:u001b|x1b)\[[0-9;]{0,20}m){0,4}[E>] "  # the same in JSON or a repr
    rb"|(?:\x1b|#x1[Bb]|\\{1,8}(?:u001b|x1b))\[[0-9;]{0,20}[A-Za-z]"  # colours, also in JUnit
    rb"|\\{1,8}(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[abfnrtv])"
    rb"|%(?:25){0,4}[0-9A-Fa-f]{2}"
    rb"|&(?:amp;){0,4}(?:#x?[0-9A-Fa-f]{1,6}|[a-z]{2,6});"
)
_ELLIPSIS = re.compile(r"\.{3,}|…+|\*{3,}")
# Replaced only where no letter or digit adjoins: "hunter" goes, "hunters" stays.
_PLAIN = re.compile(r"[a-z]+(?:[-_ ][a-z]+)*|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


class KnownSecrets:
    """The secret values of a run by the name under which each may be shown."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """`known` maps a name to a value; empty values are ignored."""
        self._windows: dict[str, str] = {}
        self._blind: dict[str, str] = {}
        self._fragments: dict[str, str] = {}
        self._ends: dict[str, list[tuple[str, str]]] = {}
        self._whole: list[tuple[str, str, bool]] = []
        self.short: dict[str, str] = {}
        """Form to name, of values that count as secrets only where a credential stands."""
        for name, value in sorted(known.items(), key=lambda item: -len(item[1])):
            if value:
                self._learn(name, value)
        self._grams = _grams(self._windows)
        self._blind_grams = _grams(self._blind)

    def _learn(self, name: str, value: str) -> None:
        escaped = escaped_forms(value)
        forms = escaped | encoded_forms(value)
        if len(value) < WINDOW:
            self._learn_short(name, value, escaped, forms)
            return
        for form in forms:
            _add_windows(self._windows, form, WINDOW, name)
        public = len(public_prefix(value))
        for form in escaped:
            shared = public if form.startswith(value[:public]) else 0
            _add_windows(self._fragments, form[max(0, shared - _CUT + 1) :], _CUT, name)
        for at in range(min(len(value), _SHOWN[0]) - _LEAST_SHOWN + 1):
            self._ends.setdefault(value[at : at + _LEAST_SHOWN], []).append((value, name))
        if len(_skeleton(value)) >= _BLIND_MINIMUM and len(set(_skeleton(value))) >= 6:
            for form in {value} | encoded_forms(value):
                _add_windows(self._blind, _skeleton(form), WINDOW, name)

    def _learn_short(self, name: str, value: str, escaped: set[str], forms: set[str]) -> None:
        for form in escaped:
            self.short.setdefault(form, name)
        if len(value) >= SHORTEST and value.lower() not in PLACEHOLDERS:
            for form in forms:
                if len(form) >= SHORTEST:
                    self._whole.append((form, name, _PLAIN.fullmatch(form) is not None))

    def spans(self, text: str) -> list[Span]:
        """Where values stand in `text`, unsorted, perhaps overlapping."""
        found: list[Span] = []
        if self._windows and len(text) >= _CUT:
            found += _matches(text, self._windows, self._grams)
            found += self._cut_spans(text)
            if self._blind:
                found += self._blind_spans(text)
        for form, name, alone in self._whole:
            found += _occurrences(text, form, name, alone)
        return found

    def _blind_spans(self, text: str) -> Iterator[Span]:
        """Values broken by line ends, margins, colours, boxes, spaces or unforeseen escapes.

        Seen without anything but letters and digits, such a value is whole again.
        """
        # One byte per character, so that positions are the same in both.
        data = text.encode("ascii", "replace")
        data = _ESCAPE.sub(lambda escape: b" " * len(escape[0]), data)
        letters = data.translate(_LOWER, _NOISE).decode("ascii")
        runs = list(_matches(letters, self._blind, self._blind_grams))
        if not runs:
            return
        origin = array("I", compress(range(len(data)), data.translate(_IS_ALNUM)))
        for start, end, name in runs:
            begin = start
            for at in range(start + 1, end + 1):
                if at == end or origin[at] - origin[at - 1] > _BLIND_GAP:
                    if at - begin >= WINDOW:
                        yield origin[begin], origin[at - 1] + 1, name
                    begin = at

    def _cut_spans(self, text: str) -> Iterator[Span]:
        """Fragments beside `...`, `…` or `***`: what truncation and masking leave of a value."""
        fragments = self._fragments
        for gap in _ELLIPSIS.finditer(text):
            start, end = gap.span()
            yield from self._masked_spans(text, start, end)
            if name := fragments.get(text[max(0, start - _CUT) : start]):
                left, least = start - _CUT, max(0, start - _CUT_REACH)
                while left > least and text[left - 1 : left - 1 + _CUT] in fragments:
                    left -= 1
                yield left, start, name
            if name := fragments.get(text[end : end + _CUT]):
                right, most = end + _CUT, min(len(text), end + _CUT_REACH)
                while right < most and text[right + 1 - _CUT : right + 1] in fragments:
                    right += 1
                yield end, right, name

    def _masked_spans(self, text: str, start: int, end: int) -> Iterator[Span]:
        """`sk-AbCd****wxyz`: the way vendors echo a key, with both its ends in the clear."""
        for value, name in self._ends.get(text[max(0, start - _LEAST_SHOWN) : start], ()):
            head = next((n for n in _SHOWN if text.endswith(value[:n], 0, start)), 0)
            tail = head and next((n for n in _SHOWN if text.startswith(value[-n:], end)), 0)
            if tail:
                yield start - head, end + tail, name


def _matches(text: str, windows: Mapping[str, str], grams: frozenset[str]) -> Iterator[Span]:
    """Runs of characters that consist of `windows`, each run under the name of its first."""
    sampled = [
        at for at in range(0, len(text) - _GRAM + 1, _STRIDE) if text[at : at + _GRAM] in grams
    ]
    first, last, label = 0, 0, ""
    for at in sampled:
        for start in range(max(0, at - _STRIDE + 1), at + 1):
            if name := windows.get(text[start : start + WINDOW]):
                if start >= last:
                    if last:
                        yield first, last, label
                    first, label = start, name
                last = start + WINDOW
    if last:
        yield first, last, label


def _occurrences(text: str, form: str, name: str, alone: bool) -> Iterator[Span]:
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        if not alone or not (
            text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum()
        ):
            yield start, end, name
        start = text.find(form, end)


def _add_windows(windows: dict[str, str], form: str, size: int, name: str) -> None:
    for start in range(len(form) - size + 1):
        windows.setdefault(form[start : start + size], name)


def _grams(windows: Iterable[str]) -> frozenset[str]:
    return frozenset(
        window[start : start + _GRAM] for window in windows for start in range(_STRIDE)
    )


def _skeleton(form: str) -> str:
    data = _ESCAPE.sub(lambda escape: b" " * len(escape[0]), form.encode("ascii", "replace"))
    return data.translate(_LOWER, _NOISE).decode("ascii")
