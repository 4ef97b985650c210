"""Badge, index, difference and progress: small views of runs, safe for everybody to see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ohllm.evidence.attempts import read_rates
from pytest_ohllm.evidence.comparison import compare_runs
from pytest_ohllm.evidence.live import Tally
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.run_summary import ProfileSummary, RunSummary
from pytest_ohllm.model import Verdict
from pytest_ohllm.report.badge import label_of, message_of, shields, svg
from pytest_ohllm.report.difference import render_comparison
from pytest_ohllm.report.index import render_index
from pytest_ohllm.report.progress import progress_line
from tests.run_folders import leave_run

NASTY = st.text() | st.sampled_from(
    ["</script>", "<img src=x onerror=alert(1)>", "]]>", "\x1b[31m", "\u202e", '"&<', "{{ 7 * 7 }}"]
)


@pytest.mark.parametrize(
    ("verdict", "message", "color"),
    [
        (Verdict.WORKS, "works", "brightgreen"),
        (Verdict.WORKS_WITH_SETTINGS, "works with settings", "green"),
        (Verdict.DOES_NOT_WORK, "does not work", "red"),
        (Verdict.INCONCLUSIVE, "inconclusive", "lightgrey"),
    ],
)
def test_a_badge_says_the_verdict_in_words_and_colour(
    verdict: Verdict, message: str, color: str
) -> None:
    label, said = label_of("1.58.0"), message_of("gpt", verdict, named=False)

    assert shields(label, said, verdict) == {
        "schemaVersion": 1,
        "label": "OpenHands SDK 1.58.0",
        "message": message,
        "color": color,
    }
    root = ElementTree.fromstring(svg(label, said, verdict))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["OpenHands SDK 1.58.0", message]
    assert root.get("aria-label") == f"OpenHands SDK 1.58.0: {message}"
    assert message_of("gpt", verdict, named=True) == f"gpt: {message}"


@given(name=NASTY, sdk=NASTY | st.none())
def test_a_badge_is_an_image_whatever_it_is_called(name: str, sdk: str | None) -> None:
    message = message_of(name, Verdict.WORKS, named=True)

    from pytest_ohllm.report.safe_text import one_line

    picture = svg(one_line(label_of(sdk)), message, Verdict.WORKS)
    root = ElementTree.fromstring(picture)
    assert {element.tag.partition("}")[2] for element in root.iter()} <= {
        "svg", "title", "clipPath", "rect", "g", "text"
    }  # fmt: skip
    assert len(picture) < 4000


def summary(
    started: str, sdk: str | None, *profiles: tuple[str, str, str], run_id: str = "r"
) -> RunSummary:
    """A run of profiles, each with name, model and verdict."""
    return RunSummary(
        run_id=run_id,
        started=started,
        seconds=1,
        sdk_version=sdk,
        sdk_sha=None,
        sdk_dirty=None,
        profiles=tuple(
            ProfileSummary(
                name=name,
                model=model,
                verdict=verdict,
                reason="http://secret.invalid/v1 said no",
                tool_mode="native",
                stages={"A": (1, 1), "D": (0, 0)},
                settings={"native_tool_calling": False},
                calls=1,
                tokens=None,
                cost=None,
                seconds=1,
            )
            for name, model, verdict in profiles
        ),
    )


def test_the_index_shows_the_newest_run_of_each_model_and_sdk() -> None:
    runs = [
        summary("2026-11-02", "1.9.0", ("gpt", "openai/gpt", "WORKS"), run_id="old"),
        summary("2026-11-03", "1.10.0", ("gpt", "openai/gpt", "DOES NOT WORK"), run_id="new"),
        summary("2026-11-01", "1.10.0", ("gpt", "openai/gpt", "WORKS"), run_id="hidden"),
        summary("2026-11-04", None, ("llama", "ollama/llama", "INCONCLUSIVE"), run_id="last"),
        summary("2026-11-05", "1.10.0", ("odd", "x/y", "MARVELLOUS"), run_id="odd"),
    ]

    page = render_index(runs, "Models & more")

    heads = re.findall(r'<th scope="col">(.*?)</th>', page)
    assert heads == ["Profile", "SDK 1.10.0", "SDK 1.9.0", "SDK unknown"]
    rows = re.findall(r'<th scope="row">(\w+)<small>(.*?)</small>', page)
    assert rows == [("gpt", "openai/gpt"), ("llama", "ollama/llama")]
    assert [run for run in ("old", "new", "hidden", "last") if f"<code>{run}</code>" in page] == [
        "old", "new", "last"
    ]  # fmt: skip
    assert "Models &amp; more" in page and "from 2026-11-01 to 2026-11-05" in page
    assert "native_tool_calling=False" in page
    assert "secret.invalid" not in page, "what a server said is not published"


def test_the_index_loads_nothing() -> None:
    page = render_index([summary("2026-11-02", "1.0", ("a", "b", "WORKS"))], "t")

    assert not re.search(r"<(script|link|img|iframe|object|base|form)\b|url\(|@import|href=", page)
    assert "default-src 'none'" in page


@given(name=NASTY, model=NASTY, sdk=NASTY, title=NASTY)
def test_the_index_is_one_whatever_stands_in_a_run(
    name: str, model: str, sdk: str, title: str
) -> None:
    page = render_index([summary(title, sdk, (name, model, "WORKS"), run_id=name)], title)

    assert "<script" not in page and "<img" not in page
    assert "\x1b" not in page and "\u202e" not in page
    assert page.count("<td>") == 1 and page.count("<tr>") == 2


def compare(tmp_path: Path, before: object, after: object, width: int = 100) -> str:
    """What is shown of two runs."""
    paths = [leave_run(tmp_path, one, hours=n) for n, one in enumerate((before, after))]  # type: ignore[arg-type]
    found = compare_runs(*(read_run(p) for p in paths), *(read_rates(p) for p in paths))
    return render_comparison(found, width=width, color=False, ascii=False)


def test_a_difference_says_what_broke_and_why(tmp_path: Path) -> None:
    text = compare(tmp_path, {"gpt": "A+ B+ C++", "old": "A+"}, {"gpt": "A+ B+ C+x", "new": "A+"})

    assert "gpt  WORKS -> DOES NOT WORK" in text
    assert re.search(r"broken  C 2  passed -> failed\n +no tool was called\n", text)
    assert "3 checks are the same" in text
    assert "calls 4" in text and "time 6.0 s" in text
    assert "only in 20261121T120000Z-abc000: old" in text and ": new" in text


def test_a_difference_says_how_sure_it_is(tmp_path: Path) -> None:
    text = compare(tmp_path, {"gpt": ["C+"] * 6}, {"gpt": ["Cx"] * 6})
    assert "passed 6/6 -> failed 0/6" in text
    assert "is hardly chance: p = 0.0022 (Fisher's exact test)" in text

    luck = compare(tmp_path / "b", {"gpt": ["C+"] * 2}, {"gpt": ["C+", "Cx"]})
    assert "passed 2/2 -> flaky 1/2" in luck and "may be chance: p = 1" in luck


def test_a_difference_fits_a_narrow_terminal(tmp_path: Path) -> None:
    text = compare(tmp_path, {"gpt": "A+ B+ C++"}, {"gpt": "A? Bx C--"}, width=60)

    assert max(map(len, text.splitlines()[1:-1])) <= 70


def test_progress_tells_the_check_and_what_was_spent() -> None:
    found = Tally()
    where = {"profile": "gpt", "stage": "C", "check": "m::test_tools"}
    usage = {"llm_calls": 3, "prompt_tokens": 1500, "completion_tokens": 100, "cost": 0.02}
    found.add({"event": "started", "time": 100, **where})
    assert progress_line(found, 100.5) == "C tools (gpt) 0.5 s · 0 done · 0.5 s"

    found.add({"event": "finished", "time": 103, "outcome": "failed", "usage": usage, **where})
    found.add({"event": "started", "time": 104, **where, "check": "m::test_more"})
    found.add({"event": "started", "time": 105, **where, "profile": "b"})

    assert progress_line(found, 110) == (
        "C more (gpt) 6.0 s and 1 more · 1 done (1 failed) · 3 calls · 1.6k tokens · $0.0200"
        " · 10.0 s"
    )
    assert progress_line(found, 110, ascii=True).isascii()


def test_progress_does_not_know_what_nobody_does() -> None:
    found = Tally()
    found.add({"event": "started", "time": 1, "profile": "a", "stage": "A", "check": "b"})
    found.add({"event": "exchange", "time": 2, "profile": "a", "stage": "A", "check": "b"})

    assert "1 call · tokens unknown · cost unknown" in progress_line(found, 3)


def test_notes_stand_in_the_matrix(
    run: Callable[..., object], profile: Callable[..., object]
) -> None:
    from pytest_ohllm.model import Waiver
    from pytest_ohllm.report.terminal import render, render_short

    waivers = tuple(
        Waiver(profile="gpt", check="*", reason="ticket 7", expires="2026-01-01", state=state)  # type: ignore[arg-type]
        for state in ("used", "unused", "expired")
    )
    one = run(profile(picture="A+ B+ Cx"), baseline="20260101T000000Z-aaaaaa", waivers=waivers)
    style = {"width": 200, "color": False, "ascii": True}
    for text in (
        render(one, run_dir="x", **style),  # type: ignore[arg-type]
        render_short(one, **style),  # type: ignore[arg-type]
    ):
        assert "only what 20260101T000000Z-aaaaaa did not fail already decides" in text
        assert "waived until 2026-01-01: * of gpt: ticket 7" in text
        assert "not needed: the waiver for * of gpt" in text
        assert "EXPIRED on 2026-01-01, which fails the run: the waiver for * of gpt" in text


def test_json_of_a_badge_is_what_shields_reads() -> None:
    text = json.dumps(shields("a", "b", Verdict.WORKS))
    assert set(json.loads(text)) == {"schemaVersion", "label", "message", "color"}
