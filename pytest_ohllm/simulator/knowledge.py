"""What the model knows without a tool: to count, to add, to look at pictures, to remember."""

from __future__ import annotations

import re

from pytest_ohllm.simulator import observation, picture
from pytest_ohllm.simulator.turn import Message, Turn

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = _UNITS.split()
_NUMBERS = [
    *_SMALL,
    *(f"{ten}-{unit}".removesuffix("-zero") for ten in _TENS.split() for unit in _SMALL[:10]),
]
_COUNT = re.compile(r"\bcount (?:up )?from ([\w-]+) to ([\w-]+)", re.IGNORECASE)
_SUM = re.compile(r"\bwhat is (-?\d+) ?(plus|minus|times|[-+*\u00d7]) ?(-?\d+)", re.IGNORECASE)
_COLOURS = re.compile(
    r"\bcolou?rs?\b.*\b(?:picture|image)|\b(?:picture|image)\b.*\bcolou?rs?\b", re.I
)
_QUADRANTS = re.compile(r"\bquadrants?\b", re.IGNORECASE)
_REMEMBER = re.compile(r"\bremember (?:this|the) word:? (\S+?)[.,;!]?(?=\s|$)", re.IGNORECASE)
_RECALL = re.compile(r"\bwhich word did i ask you to remember\b", re.IGNORECASE)

_PRINTED = re.compile(r"\bwhich word did the (?:last )?command print\b", re.IGNORECASE)


def answer(text: str, turn: Turn) -> str | None:
    """The answer to ``text``, the user's last message in ``turn``; ``None`` if it is no question
    of this sort."""
    remember, recall = _last(_REMEMBER, text), _last(_RECALL, text)
    if recall > remember:
        return _recalled(turn.messages)
    if remember >= 0:
        return "OK"
    if _PRINTED.search(text):
        return _printed(turn.messages)
    if found := _COUNT.search(text):
        return _counted(found.group(1), found.group(2))
    if found := _SUM.search(text):
        return _computed(int(found.group(1)), found.group(2), int(found.group(3)))
    if _QUADRANTS.search(text) or _COLOURS.search(text):
        return _seen(turn.messages)
    return None


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Where ``pattern`` is found last: summaries and merged messages hold older requests too."""
    return max((match.start() for match in pattern.finditer(text)), default=-1)


def _recalled(messages: tuple[Message, ...]) -> str:
    words = [w for m in messages if m.role == "user" for w in _REMEMBER.findall(m.text)]
    return words[-1] if words else "I do not know: I was not given any word to remember."


def _printed(messages: tuple[Message, ...]) -> str:
    """The last word of what the last tool said, which stands in the history only."""
    for message in reversed(messages):
        if message.role == "tool" and (words := observation.read(message.text).output.split()):
            return words[-1]
    return "I do not know: no command has printed anything."


def _counted(first: str, last: str) -> str | None:
    start, end = _number(first), _number(last)
    if start is None or end is None:
        return None
    step = 1 if end >= start else -1
    return "\n".join(_NUMBERS[n] for n in range(start, end + step, step))


def _number(word: str) -> int | None:
    if word.isdecimal() and int(word) < len(_NUMBERS):
        return int(word)
    return _NUMBERS.index(word.lower()) if word.lower() in _NUMBERS else None


def _computed(left: int, sign: str, right: int) -> str:
    match sign:
        case "+" | "plus":
            return str(left + right)
        case "-" | "minus":
            return str(left - right)
    return str(left * right)


def _seen(messages: tuple[Message, ...]) -> str:
    pictures = [picture for m in messages if m.role in ("user", "tool") for picture in m.pictures]
    if not pictures:
        return "I see no picture in our conversation."
    if not pictures[-1].data:
        return "I see no picture: I cannot open the address that it stands at."
    try:
        return ", ".join(picture.quadrants(pictures[-1].data))
    except picture.Unreadable as error:
        return f"I cannot make out the picture: {error}."
