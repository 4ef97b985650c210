"""What a hostile model or server says, and run folders in which it says it everywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    ErrorFacts,
    ErrorLink,
    Event,
    Exchange,
    Kind,
    Outcome,
    Probe,
    Profile,
    Remedy,
    Revision,
    Stage,
    ToolMode,
    Transcript,
    Usage,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

ATTACKS = (
    "</script>",
    "<script>alert(1)</script>",
    "</style></title></textarea></pre></details></td></table>",
    '"onload="x()',
    "' onfocus='x()' autofocus='",
    "]]>",
    "<!--",
    "&lt;b&gt;",
    "{{ 7 * 7 }}{% raw %}",
    "\0\x07\x1b[2J\x1b]0;title\x07",
    "\x1b]8;;http://evil.invalid\x1b\\click",
    "\u202eevil\u2066",
    "\u200b\ufeff\U000e0041",
    "\ud800",
    "\r\noverwritten",
    "::error file=a::b\n::stop-commands::x",
    "##[error]x",
    "javascript:alert(1)",
    "| a | b |\n|---|---|",
    "```\n# heading\n```",
    "@everyone fixes #1 https://evil.invalid ![i](http://evil.invalid/x.png)",
    "$e^x$ <img src=x onerror=x()>",
    "%0A,::%25",
)

TEXTS = st.lists(
    st.sampled_from(ATTACKS) | st.text(st.characters(codec=None), max_size=60), max_size=5
).map("".join)

INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\U000e0041]"
)
"""What must not reach a reader: it hides or reorders what stands there."""


class NoRedactor:
    """Leaves everything as it is, as if nobody knew what is secret."""

    def text(self, text: str, /) -> str:
        return text

    def value(self, value: Any, /) -> Any:
        return value


def leave_run(runs: Path, said: str, *, name: str = "hostile", folder: str = "run") -> Path:
    """A run of one profile that fails one check; whatever can say something says ``said``."""
    path = runs / folder
    found = RunFolder.create(runs, path, NOON, NoRedactor())
    settings = {"model": f"openai/{said}", "base_url": f"http://host.invalid/{said}"}
    found.begin(NOON, [Profile(name=name, settings=settings)], host={"system": said})
    found.record_sdk(Revision(version=said, path=said, git_sha=said), {"litellm": said})
    check = found.check_folder(name, Stage.C, "suite.test_c::test_it_works")
    check.start({"node": "tests/test_own.py::test_it_works", "rerun": f"pytest {said}"})
    failing = exchange(said, status=400, temperature=0.5)
    check.append_jsonl("exchanges.jsonl", failing)
    probe = Probe(change=said, status=200, result="works", seconds=0.1)
    working = exchange(said, status=200)
    check.append_jsonl("probes.jsonl", {"probe": probe, "exchange": working})
    check.write_json("transcript.json", [transcript(said, failing)])
    for name_of_file in ("traceback.txt", "provider_traceback.txt", "log.txt"):
        check.write_text(name_of_file, f"{said}\nE   AssertionError")
    check.finish(
        CheckResult(
            id="suite.test_c::test_it_works",
            node="tests/test_own.py::test_it_works",
            profile=name,
            stage=Stage.C,
            outcome=Outcome.FAILED,
            seconds=1.5,
            usage=Usage(llm_calls=2, prompt_tokens=10, completion_tokens=5, cost=0.01),
            tool_mode=ToolMode.NATIVE,
            diagnosis=diagnosis(said, probe),
        )
    )
    found.record_remedy(name, Remedy(settings={said or "x": said}, summary=said, note=said))
    found.end(2.0)
    return path


def diagnosis(said: str, *probes: Probe) -> Diagnosis:
    """One whose every text is ``said``."""
    return Diagnosis(
        kind=Kind.SDK_GAP,
        blame=Blame.SDK,
        summary=said,
        next_step=said,
        evidence=(said, said),
        fields=(said, "temperature"),
        probes=probes,
        remedy=Remedy(settings={said or "x": said}, summary=said, note=said),
        autofix="offered",
    )


def exchange(said: str, *, status: int, temperature: float | None = None) -> Exchange:
    """A request and an answer full of ``said``."""
    request: dict[str, Any] = {"messages": [{"role": "user", "content": said}], said: [said]}
    if temperature is not None:
        request["temperature"] = temperature
    return Exchange(
        method="POST",
        url=f"http://host.invalid/{said}",
        request_headers={"x": said},
        request=request,
        status=status,
        response_headers={said: said},
        response={"error": {"message": said}},
        started=1.0,
        seconds=0.5,
        first_byte=0.25,
    )


def transcript(said: str, *exchanges: Exchange) -> Transcript:
    """A conversation in which everybody says ``said``."""
    return Transcript(
        scenario="converse",
        events=(
            Event(kind="message", source=said, text=said),
            Event(kind="tool_call", source="agent", tool=said, command=said, text=said),
            Event(kind="observation", source="environment", tool=said, text=said, exit_code=1),
            Event(kind="rejection", source="agent", tool=said, arguments={said: said}),
            Event(kind="error", source="agent", text=said),
        ),
        exchanges=exchanges,
        end="error",
        error=ErrorFacts(links=(ErrorLink(type=f"a.{said}", message=said, status=400),)),
    )


VOID = {"meta", "link", "input", "br", "rect"}


class Outline(HTMLParser):
    """Elements and visible text of a document, which must be closed in order."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self.feed(document)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each ``tag``."""
        return [attributes for name, attributes in self.elements if name == tag]
