"""What a prompt asks for: commands to run, a tool to call, or words to say. Read generically."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from pytest_ohllm.simulator.turn import ToolCall

_SPAN = re.compile(r"```[a-z]*\n(.+?)\n?```|(`+)(.+?)\2", re.DOTALL)
_QUOTED = re.compile(r"(?<!\w)(?:'([^'\n]+)'|\"([^\"\n]+)\"|“([^”\n]+)”)(?!\w)")
_RUN = re.compile(r"\b(?:run|execut\w+|terminal|shell|bash|command)\b", re.IGNORECASE)
_VERB = re.compile(r"\b(?:run|execute|call|use|try|command|terminal)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|never|don't|without)\b", re.IGNORECASE)
_JOINED = re.compile(
    r"\s*(?:,|;|and|then|and then|, then|, and then|followed by)\s*", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?:]\s[^.!?:]*$")
_UNQUOTED_RUN = re.compile(
    r"\b(?i:run|execute)\b(?:\s+(?:the|this|following|shell|bash|terminal|command|exactly|once))*\s*:?\s+"
    r"(?P<command>[a-z./][^\n]*?)(?=\s+(?:in|with|using|via|through|on)\s+(?:the|a|your)\b|[.!?]?\s*$|\n)",
    re.MULTILINE,
)
_UNQUOTED_ECHO = re.compile(r"\becho\s+('[^'\n]*'|\"[^\"\n]*\"|\S+)")
_SAY = re.compile(
    r"\b(?:echo|say|repeat|(?:reply|respond|answer)(?: only| exactly)? with|write|print)\b"
    r"(?:\s+(?:the|exact|exactly|only|word|words|text|phrase))*[:\s]+(?P<rest>[^\n]+)",
    re.IGNORECASE,
)
_SAY_TAIL = re.compile(
    r"\s+(?:in (?:one|a single|\w+) words?|to me|and nothing else|please)\b.*$|[.!?]$",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\s*generate a (?:\w+ )?title\b(?:.*?(\d+) characters)?", re.IGNORECASE)
_NUDGE = re.compile(
    r"\s*(?:your last response did not include|please continue|"
    r"you've called `\S+` with the same arguments)",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(r"\bin parallel\b|\bat once\b|\bin one response\b", re.IGNORECASE)
_FALL_BACK = re.compile(r"\bif (?:that|it|this|the first)\b[^.`\n]*\bfails\b", re.IGNORECASE)
_ENDS = re.compile(r"\bfirst and (?:the )?last line", re.IGNORECASE)
_NAMED_CALL = re.compile(
    r"\bcall the tool `([^`\n]+)`.*?```json\n(.+?)\n```", re.IGNORECASE | re.DOTALL
)

Way = Literal["one after the other", "at once", "until one succeeds"]


@dataclass(frozen=True)
class Task:
    """A prompt, read: the commands it wants run, in which way, and the words it wants said.

    ``call`` is a tool that it wants called with given arguments; ``ends`` tells that of an output
    only the first and the last line are asked for.
    """

    text: str
    commands: tuple[str, ...]
    words: str
    way: Way = "one after the other"
    ends: bool = False
    call: ToolCall | None = None


def read(text: str, tool_names: Collection[str] = ()) -> Task:
    """Read one prompt. Words in backticks that name a tool are not commands."""
    if title := _TITLE.match(text):
        return Task(text, (), _title(text, int(title.group(1) or 50)))
    if call := _named_call(text):
        return Task(text, (), _words(text), call=call)
    spans = [m for m in _SPAN.finditer(text) if _content(m) not in tool_names]
    commands = _commands(text, spans) if _RUN.search(_SPAN.sub(" ", text)) else ()
    return Task(text, commands, _words(text), _way(text), _ENDS.search(text) is not None)


def is_nudge(text: str) -> bool:
    """Whether a user's message only tells the agent to go on with the task that it already has."""
    return _NUDGE.match(text) is not None


def _way(text: str) -> Way:
    if _FALL_BACK.search(text):
        return "until one succeeds"
    return "at once" if _AT_ONCE.search(text) else "one after the other"


def _named_call(text: str) -> ToolCall | None:
    """The call of a tool whose arguments the prompt gives as a JSON object."""
    found = _NAMED_CALL.search(text)
    if found is None:
        return None
    try:
        arguments: Any = json.loads(found.group(2))
    except ValueError:
        return None
    return ToolCall(found.group(1), arguments) if isinstance(arguments, dict) else None


def _content(span: re.Match[str]) -> str:
    return str(span.group(1) or span.group(3)).strip()


def _inner(quoted: re.Match[str]) -> str:
    return str(next(filter(None, quoted.groups())))


def _commands(text: str, spans: list[re.Match[str]]) -> tuple[str, ...]:
    """Commands between backticks that a verb introduces; else the likeliest other wording."""
    commands: list[str] = []
    wanted = False
    end = 0
    for span in spans:
        lead = _lead(text[end : span.start()])
        wanted = bool(_VERB.search(lead)) or (wanted and bool(_JOINED.fullmatch(lead)))
        if wanted and not _NOT.search(lead):
            commands.append(_content(span))
        end = span.end()
    if not commands and spans and not _NOT.search(_lead(text[: spans[0].start()])):
        commands.append(_content(spans[0]))
    return tuple(commands) if spans else _without_backticks(text)


def _lead(gap: str) -> str:
    """The part of ``gap`` that belongs to the sentence of what follows it."""
    end = _SENTENCE_END.search(gap)
    return gap[end.start() + 1 :] if end and gap[end.start()] != ":" else gap


def _without_backticks(text: str) -> tuple[str, ...]:
    for quoted in _QUOTED.finditer(text):
        if re.search(
            r"\b(?:run|execute|command)\b[\s:\w]{0,40}$", text[: quoted.start()], re.I
        ) and (not re.search(r"\becho\s*$", text[: quoted.start()])):
            return (_inner(quoted),)
    if found := _UNQUOTED_RUN.search(text):
        return (found.group("command").strip(),)
    if echo := _UNQUOTED_ECHO.search(text):
        return (f"echo {echo.group(1).rstrip('.,')}",)
    return ()


def _words(text: str) -> str:
    """What to say when nothing is to be run: quoted words first, else the words after the verb."""
    said = _SAY.search(text)
    if said is None:
        return f"Understood: {' '.join(text.split())[:200]}" if text.strip() else "Hello!"
    if quoted := _QUOTED.search(said.group("rest")):
        return _inner(quoted)
    if span := _SPAN.search(said.group("rest")):
        return _content(span)
    return _SAY_TAIL.sub("", said.group("rest").strip())


def _title(text: str, limit: int) -> str:
    """A short title from the message that a title is asked for."""
    message = text.partition("\n\n")[2] or text
    words = re.findall(r"\w[\w'-]*", message)[:5]
    return " ".join(words).capitalize()[:limit] or "Conversation"
