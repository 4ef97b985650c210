"""JSON as nested blocks that fold without JavaScript, bounded in number and length."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from pytest_ohllm.evidence.plain import plain
from pytest_ohllm.report.page.words import Words

MOST_NODES = 250
DEEPEST = 14
LONGEST_TEXT = 3_000
LONGEST_BODY = 6_000
"""Characters of a body that is not JSON, such as a stream's frames."""

_SHORT = 72
"""Characters up to which an object stands on one line, and a string is not folded."""

_LINE = Markup("<div>{}</div>")
_FOLD = Markup("<details{}><summary>{}</summary>{}</details>")
_KEY = Markup('<span class="k">{}</span>: ')
_TEXT = Markup('<span class="s">{}</span>')
_OTHER = Markup('<span class="n">{}</span>')
_FAINT = Markup('<span class="faint">{}</span>')
_PRE = Markup("<pre>{}</pre>")
_TREE = Markup('<div class="json">{}</div>')
_EMPTY = Markup("")
_OPEN = Markup(" open")


def tree(value: Any, words: Words) -> Markup:
    """``value`` as blocks: what is short on a line, what is long folded."""
    if isinstance(value, str):
        return _PRE.format(words.block(value, LONGEST_BODY))
    return _TREE.format(_Tree(words).top(plain(value)))


class _Tree:
    def __init__(self, words: Words) -> None:
        self._words = words
        self._left = MOST_NODES

    def top(self, value: Any) -> Markup:
        """The members of the outermost container, which is not folded itself."""
        if isinstance(value, dict | list) and value:
            return self._members(value, 1)
        return self.node(_EMPTY, value, 1)

    def node(self, key: Markup, value: Any, depth: int) -> Markup:
        self._left -= 1
        if isinstance(value, str):
            return self._text(key, value)
        if not isinstance(value, dict | list) or _room_left(value, _SHORT) >= 0:
            line = json.dumps(value, ensure_ascii=False)
            return _LINE.format(key + _OTHER.format(self._words.line(line)))
        if depth >= DEEPEST:
            return _LINE.format(key + _FAINT.format("… nested deeper"))
        head = key + _FAINT.format(_size(value))
        return _FOLD.format(_OPEN if depth < 3 else _EMPTY, head, self._members(value, depth + 1))

    def _members(self, value: Any, depth: int) -> Markup:
        pairs: Iterable[tuple[Markup, Any]]
        if isinstance(value, Mapping):
            pairs = [(_KEY.format(self._words.line(name, 200)), one) for name, one in value.items()]
        else:
            pairs = [(_KEY.format(index), one) for index, one in enumerate(value)]
        made = []
        for number, (key, one) in enumerate(pairs):
            if self._left <= 0:
                rest = f"… {len(value) - number:,} more {'members' if depth else ''}"
                made.append(_LINE.format(_FAINT.format(rest.strip())))
                break
            made.append(self.node(key, one, depth))
        return _EMPTY.join(made)

    def _text(self, key: Markup, text: str) -> Markup:
        if len(text) <= _SHORT * 2 and "\n" not in text.strip("\n"):
            shown = json.dumps(text, ensure_ascii=False)
            return _LINE.format(key + _TEXT.format(self._words.line(shown)))
        start = self._words.line(text, _SHORT)
        head = key + _TEXT.format(f'"{start}"') + _FAINT.format(f" {len(text):,} characters")
        return _FOLD.format(_EMPTY, head, _PRE.format(self._words.block(text, LONGEST_TEXT)))


def _room_left(value: Any, room: int) -> int:
    """What is left of ``room`` characters after ``value`` as JSON; negative if it does not fit."""
    if not isinstance(value, dict | list):
        return room - (len(value) if isinstance(value, str) else 4) - 2
    members = value.items() if isinstance(value, dict) else ((0, one) for one in value)
    for name, one in members:
        if room < 0:
            break
        room = _room_left(one, room - (len(name) + 4 if isinstance(name, str) else 0))
    return room - 2


def _size(value: Any) -> str:
    kind = "members" if isinstance(value, dict) else "items"
    return f"{{{len(value)} {kind}}}" if isinstance(value, dict) else f"[{len(value)} {kind}]"
