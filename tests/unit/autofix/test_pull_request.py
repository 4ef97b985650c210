"""What a pull request says: complete, as the template asks, harmless whatever models wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_ohllm.autofix.errors import Refused
from pytest_ohllm.autofix.pull_request import (
    LONGEST_BODY,
    Row,
    Story,
    body,
    human_part,
    renewed,
    title,
)
from pytest_ohllm.report import safe_markdown as markdown

TEMPLATE = """\
<!-- Stay a draft until this is ready. Example:
## Why
-->

HUMAN:

- [ ] A human has tested these changes.

AGENT:

---

## Why

<!-- The problem. -->

## Summary

<!-- One to three bullets. -->
-

## Issue Number

<!-- Which one? -->

## How to Test

<!-- The steps. -->

## Video/Screenshots

## Type

- [ ] Bug fix
- [ ] Feature

## Notes

<!-- Anything else. -->

### Landing checklist
- [ ] Documentation
"""

STORY = Story(
    model="openai/new-model",
    profile="new",
    sdk_version="1.43.1",
    sdk_sha="611629e69",
    summary="The SDK sends `temperature`, which this model refuses.",
    evidence=("400 with temperature, 200 without it, twice",),
    repro="Run it:\n\n```console\n$ python repro.py\n```",
    log_excerpt="BadRequestError: Unsupported parameter: 'temperature'",
    rationale="- The model is not in the list.\n- So I added it.",
    table=(Row("repro", "fails", "passes", 1.25), Row("sdk tests", "12 passed", "13 passed", 8.0)),
    models_tested=("openai/new-model",),
    remedy='LLM(model="openai/new-model", temperature=None)',
    template=TEMPLATE,
    script="import openhands.sdk\n",
)

HOSTILE = (
    "@OpenHands/maintainers please merge",
    "Fixes #1, closes OpenHands/software-agent-sdk#2, resolves GH-3",
    "fixes https://github.com/OpenHands/software-agent-sdk/issues/4",
    "<script>alert(1)</script><img src=x onerror=y><!-- hidden",
    "![x](https://evil.example/x.png) [click](javascript:alert(1)) <https://evil.example>",
    "www.evil.example and mail@evil.example",
    "```\nout of the fence @me Fixes #5\n```\n@you\n~~~\n@us",
    "````\n```\n````\n# Heading\n\nSetext\n===\n\n---\n> quote\n| a | b |\n|---|---|\n",
    "`code` ``a ` b`` `open\n@one` `x` @two",
    "[ref]: https://evil.example\n\n[ref]\n\n&#64;user &commat;user \\@user \\\\@user",
    "$\\href{javascript:alert(1)}{x}$ :ship_it: \x1b[31mred\x1b[0m \u202eright to left",
    "`a | b` c | d \\| `e \\| f`",
    "```mermaid\ngraph TD; A-->B\n```",
    "1. one\n   - two\n* three\n\n        @indented",
    "AGENT:\nHUMAN:\n## Summary\n<!-- /ohllm:why -->\n<!-- ohllm:notes -->",
    "\uff20wide \u200b@zero #\u200b1",
)


class _Rendered(HTMLParser):
    """The tags of a page, its text outside of code, and the text of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.prose, self.code = "", ""
        self._within = 0
        self.comments: list[str] = []
        self.feed(MarkdownIt("commonmark").enable("table").render(text))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "code":
            self._within += 1
            self.prose += "\N{OBJECT REPLACEMENT CHARACTER}"

    def handle_endtag(self, tag: str) -> None:
        self._within -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.code += data
        else:
            self.prose += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


_ACTS = re.compile(
    r"(?<![\w])@[a-z0-9]"  # rings somebody
    r"|(?:fix|clos|resolv)\w*:?\s+(?:\S+/\S+)?(?:#|GH-)\d"  # closes an issue
    r"|#\d|GH-\d|\w://|www\.\w|\w@\w",  # refers, links
    re.IGNORECASE,
)
_CLOSES = re.compile(r"(?:fix|clos|resolv)\w*:?\s+(?:[\w./-]*#\d|GH-\d|https?://)", re.IGNORECASE)
_PLAIN = {"p", "ul", "ol", "li", "code", "pre", "br"}


def _harmless(text: str) -> _Rendered:
    shown = _Rendered(text)
    assert shown.tags <= _PLAIN, (shown.tags, text)
    assert not shown.comments
    assert not _ACTS.search(shown.prose), (shown.prose, text)
    assert not _CLOSES.search(text), text  # when it becomes a commit message
    return shown


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_model_wrote_is_shown_and_does_nothing(text: str) -> None:
    _harmless(markdown.prose(text, 10_000))
    _harmless(markdown.line(text))
    assert _harmless(markdown.span(text)).tags == {"p", "code"}
    assert _harmless(markdown.code(text, "mermaid", limit=10_000)).tags == {"pre", "code"}


_words = ["```", "````", "~~~", "@user", "://", "www.", "GH-", "<!--", "-->", "&#64;", "http://x.y"]
_spaced = ["Fixes #1", "- ", "1. ", "    ", "\r", "\r\n", "\x0b"]
_pieces = st.lists(
    st.sampled_from([*"`~@#<>&$|[]()!*_-=+\\:/. \n\ta1", *_words, *_spaced]), max_size=40
).map("".join)


@given(_pieces)
@example("- - - ")
@example("-- -")
@example("1. - - -")
@example("- 1. - - -")
@example("_www.http://x.y")
@example("http://x.yFixes #1")
@example("`a``@b`")
@example("~~~`\n@user\n~~~")
@example("- ```\n@user\n```")
@example("1. \n    @user")
def test_no_text_at_all_gets_out_of_it(text: str) -> None:
    _harmless(markdown.prose(text, 10_000))
    _harmless(markdown.line(text))
    if shown := markdown.span(text):
        assert _harmless(shown).tags == {"p", "code"}
    if shown := markdown.code(text, limit=10_000):
        assert _harmless(shown).tags == {"pre", "code"}


def test_lists_and_code_of_a_model_stay_readable() -> None:
    text = "I did:\n\n- change `model_features.py`, a **lot**\n- run it\n\n```python\nx = 1\n```"
    shown = _Rendered(markdown.prose(text, 1000))
    assert {"ul", "li", "code", "pre"} <= shown.tags
    assert shown.code == "model_features.pyx = 1\n"
    assert "a **lot**" in shown.prose


def test_code_is_never_drawn() -> None:
    for text in (markdown.prose("```mermaid\nx\n```", 99), markdown.code("x", "geojson", limit=9)):
        assert text == "```\nx\n```"


def test_the_body_tells_everything() -> None:
    text = body(STORY)
    for part in (
        *("openai/new-model", "1.43.1", "611629e69", "sends `temperature`", "200 without it"),
        *("python repro.py", "Unsupported parameter", "So I added it", "| repro | fails | passes"),
        *(
            "12 passed | 13 passed | 8.0",
            "temperature=None",
            "import openhands.sdk",
            "(profile `new`)",
        ),
    ):
        assert part in text
    assert {"table", "details"} <= _Rendered(text).tags


def test_it_follows_the_template_and_leaves_the_humans_part_alone() -> None:
    text = body(STORY)
    start = TEMPLATE[: TEMPLATE.index("## Why\n\n")]
    assert text.startswith(start.strip("\n"))
    assert _headings(text) == _headings(TEMPLATE)
    sections = dict(_sections(text))
    assert "sends `temperature`" in sections["Why"]
    assert "So I added it" in sections["Summary"] and "\n-\n" not in sections["Summary"]
    assert "python repro.py" in sections["How to Test"]
    assert "- [x] Bug fix\n- [ ] Feature" in sections["Type"]
    assert "- [ ] Documentation" in sections["Notes"]
    assert sections["Issue Number"].strip() == "<!-- Which one? -->"
    assert "- [ ] A human has tested these changes." in text


def test_the_user_is_told_what_only_a_human_may_write() -> None:
    assert "HUMAN:" in human_part(TEMPLATE)
    assert human_part(None) == human_part("## Summary\n") == ""


def test_without_a_template_there_are_headings_all_the_same() -> None:
    text = body(replace(STORY, template=None))
    assert _headings(text) == ["Why", "Summary", "How to Test", "Notes"]


def test_what_a_template_does_not_ask_for_is_told_at_its_end() -> None:
    template = "## Summary\n\n[fill in a summary of this PR]\n\n## Checklist\n\n- [ ] Tests?\n"
    text = body(replace(STORY, template=template))
    assert _headings(text) == ["Summary", "Checklist", "Why", "How to Test", "Notes"]
    assert "fill in" not in text and "- [ ] Tests?" in text


def _headings(text: str) -> list[str]:
    return [name for name, _ in _sections(text)]


def _sections(text: str) -> list[tuple[str, str]]:
    """As the repository's own check reads it: it knows of comments, and of no fences."""
    _, *found = re.split(r"(?m)^##\s+(.+?)\s*$", text.replace("Example:\n## Why", ""))
    return list(zip(found[::2], found[1::2], strict=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_of_a_story_gets_out_of_its_place(text: str) -> None:
    story = replace(
        STORY,
        **dict.fromkeys(("model", "profile", "sdk_version", "sdk_sha", "summary"), text),
        **dict.fromkeys(("repro", "log_excerpt", "rationale", "remedy", "script"), text),
        evidence=(text, text),
        models_tested=(text,),
        table=(Row(text, text, text, 1.0),),
    )
    made = body(story)
    assert _headings(made) == _headings(TEMPLATE)
    shown = _Rendered(made)
    allowed = _PLAIN | {"h2", "h3", "hr", "details", "summary"}
    assert shown.tags - {"table", "thead", "tbody", "tr", "th", "td"} <= allowed
    assert not _ACTS.search(shown.prose)
    assert not _CLOSES.search(made)
    [row] = re.findall(r"(?m)^\|.*\| 1\.0 \|$", made)
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    marks = re.findall(r"<!-- /?ohllm:[a-z]+ -->", made)
    assert len(marks) == 8

    assert not re.search(r"\n|@\w|#\d|GH-\d|://", title(story))


def test_a_body_that_is_too_long_is_cut_and_stays_whole() -> None:
    long = "`<&>|" * 40_000
    story = replace(STORY, log_excerpt=long, rationale=long, script=long, repro=long, summary=long)
    text = body(story)
    assert 10_000 < len(text.encode()) <= LONGEST_BODY
    assert "more characters" in text
    assert _headings(text) == _headings(TEMPLATE)
    assert text.count("<details>") == text.count("</details>") == 2


@pytest.mark.parametrize("field", ["summary", "script", "log_excerpt", "evidence", "table"])
def test_a_secret_that_was_not_redacted_stops_the_body(field: str) -> None:
    key = "sk_live_abcdefghij0123456789"
    value: object = {"evidence": (key,), "table": (Row("x", key, "", 0),)}.get(field, key)
    with pytest.raises(Refused, match="holds a secret: stripe-key") as caught:
        body(replace(STORY, **{field: value}))
    assert key not in str(caught.value)


def test_the_title_is_short_and_names_the_model() -> None:
    assert title(STORY) == (
        "fix(llm): The SDK sends `temperature`, which this model refuses (openai/new-model)"
    )
    long = title(replace(STORY, summary="a long story " * 50, model="vendor/" + "m" * 90))
    assert len(long) <= 100 and "vendor/mmm" in long


def test_renewing_keeps_what_people_and_bots_wrote() -> None:
    old = body(STORY).replace("HUMAN:\n", "HUMAN:\nI tried it on two models.\n")
    old = old.replace("<!-- Which one? -->", "Fixes #12") + "<!-- IMAGES -->\nimage\n"
    new = body(replace(STORY, rationale="A better reason.", summary="Something else broke."))
    text = renewed(old, new)
    for kept in ("I tried it on two models.", "Fixes #12", "<!-- IMAGES -->\nimage"):
        assert kept in text
    assert "A better reason." in text and "So I added it" not in text
    assert "Something else broke." in text and "sends `temperature`" not in text


def test_renewing_with_the_same_text_changes_nothing() -> None:
    old = body(STORY)
    assert renewed(old, old) == old
    from_a_browser = old.replace("\n", "\r\n")
    assert renewed(from_a_browser, old) == from_a_browser
    assert renewed("All of it is a human's now.", old) == "All of it is a human's now."


def test_a_log_cannot_imitate_the_marks() -> None:
    old = body(replace(STORY, log_excerpt="<!-- /ohllm:notes -->\nrest <!-- ohllm:why -->"))
    new = body(replace(STORY, log_excerpt="another"))
    assert renewed(old, new) == new
