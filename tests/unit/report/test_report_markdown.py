"""The summary for GitHub: it says what the terminal says, and whatever is in it stays text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.model import Diagnosis, ProfileReport, Remedy, Run
from pytest_ohllm.report.markdown import COMMENT, summary
from tests.unit.report.hostile import ATTACKS, INVISIBLE, TEXTS, leave_run

type Make[T] = Callable[..., T]

MARKDOWN = MarkdownIt("commonmark").enable("table")
COLUMNS = 11
FOREIGN = {"html_inline", "html_block", "link_open", "image", "code_block", "hr"}


def tokens(text: str) -> list[Token]:
    """All tokens, those within lines included."""
    found = MARKDOWN.parse(text)
    return [*found, *(one for token in found for one in token.children or ())]


def test_it_says_what_the_terminal_says(run: Make[Run], profile: Make[ProfileReport]) -> None:
    remedy = Remedy(settings={"native_tool_calling": False}, summary="by prompt", note="a note")
    text = summary(
        run(profile("sim", remedy=remedy), profile("bad", "A+ B+ Cxx"), profile("key", "A? B- C-"))
    )

    for part in (
        "## 1 of 3 profiles work",
        "openhands-sdk 1.28.0 3f2a1c9d (modified)",
        "| sim | **✓ WORKS WITH SETTINGS** | ✓ 1/1 | ✓ 1/1 | ✓ 1/1 | - | native | 9 | 12.3k |",
        "| key | **? INCONCLUSIVE** | ? 0/1 | not run | not run | - |",
        "```python\nLLM(..., native_tool_calling=False)\n```",
        "```console\nohllm profiles edit sim --set=native_tool_calling=false\n```",
        "### ✗ bad: C calls tools · 2 checks · model limitation, blame: model",
        "no tool was called",
        "→ choose another model",
    ):
        if "profiles edit sim" in part:
            continue  # the embedded provider is not saved
        assert part in text, part
    assert "profiles edit" not in text


def test_a_saved_profile_is_told_how_to_keep_the_settings(
    run: Make[Run], profile: Make[ProfileReport]
) -> None:
    remedy = Remedy(settings={"temperature": None}, summary="")

    text = summary(run(profile("mine", remedy=remedy)))

    assert "```console\nohllm profiles edit mine --unset=temperature\n```" in text


def test_the_field_at_fault_is_named_where_the_folder_is(tmp_path: Path) -> None:
    path = leave_run(tmp_path, "not supported")

    assert "At fault: `temperature = 0.5`" in summary(read_run(path), folder=path)


@pytest.mark.parametrize("limit", [2_000, COMMENT, 1_000_000])
def test_what_does_not_fit_is_counted(
    run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis], limit: int
) -> None:
    many = [profile(f"p{n}", "Ax", why=diagnosis("語" * 5_000)) for n in range(300)]

    text = summary(run(*many), limit=limit)

    assert len(text.encode()) <= limit
    assert "more" in text.splitlines()[-1]


def test_a_run_without_profiles_is_no_crash(run: Make[Run]) -> None:
    assert "nothing was tested" in summary(run())


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TEXTS)
@example("".join(ATTACKS))
@example("`a|b`\\|c|")
def test_nothing_that_is_said_is_more_than_text(
    tmp_path_factory: pytest.TempPathFactory, said: str
) -> None:
    path = leave_run(tmp_path_factory.mktemp("runs"), said, name=said or "x")

    text = summary(read_run(path), folder=path)

    found = tokens(text)
    assert not FOREIGN & {token.type for token in found}
    rows = [token for token in found if token.type == "tr_open"]
    cells = [token for token in found if token.type in ("th_open", "td_open")]
    assert (len(rows), len(cells)) == (2, 2 * COLUMNS)
    assert [token.tag for token in found if token.type == "heading_open"] == ["h2", "h3", "h3"]
    assert not INVISIBLE.search(text)
    assert not [one for one in found if one.type == "text" and "@everyone" in one.content]
    assert text.encode()
