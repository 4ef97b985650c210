"""The SDK's condenser: its request for a summary is answered, and a summary in the history is read.

The condenser shows at most some hundred characters of an event, of its own earlier summaries as
well. What must survive therefore stands first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from pytest_ohllm.simulator.turn import Turn

_START = "USER_CONTEXT: "
_REQUEST = "context-aware state summary"
_EVENT = re.compile(r"<EVENT>\n(.*?)\n</EVENT>", re.DOTALL)
_USER = re.compile(r"MessageEvent \(user\)\s+user: (.*)", re.DOTALL)
_AGENT = re.compile(r"MessageEvent \(agent\)\s+assistant: (.*)", re.DOTALL)
_RESULT = re.compile(r"ObservationEvent \(\w+\)\s+Tool: (\S+)\s+Result: (.*)", re.DOTALL)
_FINISHED = re.compile(r"Action: FinishAction|Tool: finish\b")
_REMEMBERED = re.compile(r"Remember this word: (\S+?)[.,;!]?(?=\s|$)")
_DONE = re.compile(r"^- \S+ answered (\".*\")$", re.MULTILINE)
_WHOLE = re.compile(
    r"^USER_CONTEXT: .*\nPENDING: .*\nCOMPLETED:(?: nothing else)?(?:\n- \S+ answered \".*\"$)*\n?",
    re.MULTILINE,
)
_PENDING = re.compile(r"^PENDING: (?!nothing$)(\".*\")$", re.MULTILINE)


@dataclass(frozen=True)
class Summary:
    """What a summary in the history tells: tool results, and the request that is still open."""

    results: tuple[str, ...]
    pending: str | None


def wanted(turn: Turn) -> bool:
    """Whether the request is the condenser's."""
    # SDK 1.12 to 1.40 ask as a user.
    return any(m.role in ("system", "user") and _REQUEST in m.text for m in turn.messages)


def write(turn: Turn) -> str:
    """The summary of the events in the request: remembered words, results, the open request."""
    text = "\n".join(m.text for m in turn.messages if m.role == "user")
    words = list(dict.fromkeys(_REMEMBERED.findall(text)))
    results: list[tuple[str, str]] = []
    requests: list[str] = []
    pending: str | None = None
    for event in _EVENT.findall(text):
        if user := _USER.match(event):
            pending = user.group(1).strip()
            requests.append(pending)
            results = []  # those of requests that are answered need not be kept
        elif result := _RESULT.match(event):
            results.append((result.group(1), result.group(2).strip()))
        elif _AGENT.match(event) or _FINISHED.search(event):
            pending = None
    remembered = " ".join(f"Remember this word: {word}." for word in words)
    lines = [f"{_START}{remembered or f'The user made {len(requests)} requests.'}"]
    lines.append(f"PENDING: {json.dumps(pending) if pending else 'nothing'}")
    lines.append("COMPLETED:" if results else "COMPLETED: nothing else")
    lines += [f"- {tool} answered {json.dumps(said)}" for tool, said in results]
    return "\n".join(lines)


def segments(text: str) -> list[str | Summary]:
    """A user's message in its parts: clients put a summary and other messages into one."""
    found: list[str | Summary] = []
    end = 0
    for whole in _WHOLE.finditer(text):
        found += [text[end : whole.start()].strip("\n"), _read(whole.group())]
        end = whole.end()
    found.append(text[end:].strip("\n") if end else text)
    return [part for part in found if part != ""]


def _read(text: str) -> Summary:
    pending = _PENDING.search(text)
    results = tuple(_decoded(quoted) for quoted in _DONE.findall(text))
    return Summary(results, _decoded(pending.group(1)) if pending else None)


def _decoded(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted
