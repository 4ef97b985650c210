"""The fragments for pytest-html: well-formed, accessible, and deaf to what models say."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ohllm.evidence import junit
from pytest_ohllm.model import (
    CheckResult,
    Diagnosis,
    Exchange,
    Outcome,
    ProfileReport,
    Remedy,
    Run,
    Stage,
    Transcript,
)
from pytest_ohllm.report.html import (
    COLUMNS,
    LONGEST_EVIDENCE,
    capsule_html,
    cells,
    header_cells,
    summary_html,
)

type Make[T] = Callable[..., T]

VOID = {"br"}
OURS = {
    "section", "style", "table", "caption", "small", "thead", "tbody", "tr", "th", "td", "ul",
    "li", "strong", "bdi", "span", "br", "code", "details", "summary", "dl", "dt", "dd", "pre",
}  # fmt: skip
HOSTILE = st.lists(
    st.sampled_from(
        ["</td>", "</script>", "<script>x()</script>", '"onload="x()', "']]>", "<!--", "&lt;", "\0"]
    )
    | st.text(st.characters(codec=None), max_size=40),
    max_size=5,
).map("".join)


class Outline(HTMLParser):
    """Collects elements and text, and insists that what is opened is closed in order."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(fragment)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def only_ours(self) -> bool:
        """Whether no element and no attribute came from outside."""
        allowed = {"class", "scope", "title", "aria-label", "aria-hidden", "data-column-type"}
        return all(tag in OURS and set(found) <= allowed for tag, found in self.elements)


@pytest.fixture
def failed(diagnosis: Make[Diagnosis]) -> CheckResult:
    return CheckResult(
        id="suite::test",
        node="n",
        profile="gpt",
        stage=Stage.C,
        outcome=Outcome.FAILED,
        diagnosis=diagnosis(evidence=("HTTP 200", "no tool_calls")),
    )


class TestSummary:
    def test_the_table_has_a_caption_and_scopes(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        outline = Outline(summary_html(run(profile("sim"), profile("two", "A? B- C-"))))
        assert [tag for tag, _ in outline.elements].count("caption") == 1
        scopes = [found.get("scope") for tag, found in outline.elements if tag == "th"]
        assert scopes == ["col"] * 11 + ["row"] * 2
        assert outline.only_ours()

    def test_it_says_what_the_terminal_says(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        remedy = Remedy(settings={"native_tool_calling": False}, summary="")
        text = Outline(
            summary_html(
                run(
                    profile("sim", remedy=remedy),
                    profile("bad", "A+ B+ Cxx"),
                    profile("part", "C+", selected=(Stage.C,)),
                )
            )
        ).text
        for part in (
            "1 of 3 profiles work",
            "WORKS WITH SETTINGS",
            "LLM(..., native_tool_calling=False)",
            "DOES NOT WORK",
            "0/2",
            "C calls tools · 2 checks · model limitation, blame: model",
            "no tool was called",
            "choose another model",
            "stages A, B were not selected",
            "$0.0123",
        ):
            assert part in text, part

    def test_outcomes_do_not_rest_on_colour_alone(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        outline = Outline(summary_html(run(profile("p", "A+ B~ C- Du"))))
        titles = [
            found["title"] for tag, found in outline.elements if tag == "td" and "title" in found
        ]
        assert titles == ["passed", "flaky", "not run", "unsupported"]


class TestCells:
    def test_head_and_cells_belong_together(self, failed: CheckResult) -> None:
        found = cells(junit.properties(failed, folder="f"))
        types = re.findall(r'data-column-type="(\w+)"', "".join(header_cells()))
        assert types == list(COLUMNS) == re.findall(r'class="col-(\w+)"', "".join(found))
        assert Outline(f"<tr>{''.join(found)}</tr>").text == (
            "Cgptmodel limitation: no tool was called"
        )

    def test_a_test_that_is_not_ours_gets_empty_cells(self) -> None:
        assert [Outline(cell).text for cell in cells([("other", 1)])] == ["", "", ""]

    def test_what_did_not_run_says_why(self) -> None:
        properties = [(junit.OUTCOME, "not_run"), (junit.SUMMARY, "stage A failed")]
        assert "stage A failed" in cells(properties)[2]


class TestCapsule:
    def test_it_holds_diagnosis_and_evidence(self, failed: CheckResult) -> None:
        evidence = {
            "transcript": Transcript(scenario="echo", final_text="TOOL_OK"),
            "exchanges": [Exchange(method="POST", url="http://x", response={"a": "<b>"})],
            "traceback": "E   assert 1\nE   == 2",
            "log": "",
        }
        outline = Outline(capsule_html(failed, folder="profiles/gpt", evidence=evidence))
        for part in ("no tool was called", "HTTP 200", "TOOL_OK", '"a": "<b>"', "profiles/gpt"):
            assert part in outline.text, part
        assert "E   assert 1\nE   == 2" in outline.text
        assert [tag for tag, _ in outline.elements].count("details") == 4  # none for the empty log
        assert outline.only_ours()

    def test_a_result_without_diagnosis_gives_its_reason(self, failed: CheckResult) -> None:
        bare = failed.model_copy(update={"diagnosis": None, "reason": "stage A failed"})
        assert "stage A failed" in capsule_html(bare, folder="f")

    def test_megabytes_are_cut(self, failed: CheckResult) -> None:
        fragment = capsule_html(failed, folder="f", evidence={"log": "<" * 1_000_000})
        assert len(fragment) < 5 * LONGEST_EVIDENCE
        assert f"{1_000_000 - LONGEST_EVIDENCE:,} more characters" in fragment


class TestHostileText:
    @settings(deadline=None)
    @given(HOSTILE, HOSTILE, HOSTILE)
    def test_nothing_a_model_says_becomes_markup(
        self,
        run: Make[Run],
        profile: Make[ProfileReport],
        diagnosis: Make[Diagnosis],
        name: str,
        message: str,
        other: str,
    ) -> None:
        why = diagnosis(message, next_step=other, evidence=(other,))
        remedy = Remedy(settings={name: other}, summary=other)
        summary = summary_html(
            run(
                profile(name, "Ax", why=why, remedy=remedy, model=other),
                profile("x", "A?", why=why),
            )
        )
        result = CheckResult(
            id=other, node="", profile=name, stage=Stage.A, outcome=Outcome.FAILED, diagnosis=why
        )
        evidence: dict[str, Any] = {name: message, "raw": {message: [other]}}
        capsule = capsule_html(result, folder=other, evidence=evidence)
        found = "".join(cells(junit.properties(result, folder=other)))
        for fragment in (summary, capsule, found):
            assert Outline(fragment).only_ours()
            assert fragment.encode("utf-8")
            assert not re.search(
                "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", fragment
            )
