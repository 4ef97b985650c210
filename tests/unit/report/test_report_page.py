"""The page of a run: one file that needs nothing else, says what was found, and obeys nobody."""

from __future__ import annotations

import base64
import hashlib
import re
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_ohllm.evidence.allowances import Allowances
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.model import Waiver
from pytest_ohllm.report.page import PAGE, content, room, write_page
from pytest_ohllm.report.page.words import Words
from pytest_ohllm.report.page.writing import page_html
from tests.run_folders import leave_run as leave_pictures
from tests.unit.report.hostile import ATTACKS, INVISIBLE, TEXTS, Outline, leave_run

LINKED = {"href", "src", "srcset", "action", "data", "poster", "formaction", "xlink:href"}
SCHEMES = re.compile(r"(?:#[\w-]+|data:,)\Z")


def made(path: Path) -> str:
    return write_page(path).read_text(encoding="utf-8")


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A run in which one field makes one check fail."""
    return leave_run(tmp_path, "a temperature is not supported")


class TestOneFile:
    def test_it_is_written_into_the_folder_for_its_owner_only(self, failed: Path) -> None:
        page = write_page(failed)

        assert page == failed / PAGE
        assert stat.S_IMODE(page.stat().st_mode) == 0o600

    def test_nothing_is_loaded_from_anywhere(self, failed: Path) -> None:
        outline = Outline(made(failed))

        targets = [
            value or ""
            for _, attributes in outline.elements
            for name, value in attributes.items()
            if name in LINKED
        ]
        assert targets and all(map(SCHEMES.match, targets)), targets
        assert "@import" not in outline.raw["style"] and "url(" not in outline.raw["style"]

    def test_only_its_own_style_and_script_are_allowed(self, failed: Path) -> None:
        outline = Outline(made(failed))

        (policy,) = [one["content"] or "" for one in outline.all("meta") if "http-equiv" in one]
        assert policy.startswith("default-src 'none';")
        for tag in ("style", "script"):
            digest = base64.b64encode(hashlib.sha256(outline.raw[tag].encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
        names = {name for _, attributes in outline.elements for name in attributes}
        assert not {name for name in names if name == "style" or name.startswith("on")}

    def test_it_can_be_made_again(self, failed: Path) -> None:
        assert made(failed) == made(failed)

    def test_what_is_no_run_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RunFolderError, match="not a run folder"):
            write_page(tmp_path)


class TestWhatItSays:
    def test_the_field_at_fault_stands_in_the_first_table_and_beside_the_one_that_works(
        self, failed: Path
    ) -> None:
        text = Outline(made(failed)).text

        assert "temperature = 0.5" in text[: text.index("What was found", text.index("In words"))]
        compared = text[text.index("The smallest request that fails") :]
        assert "one field differs" in compared
        assert re.search(r"temperature\s*0\.5\s*\(not sent\)", compared)

    @pytest.mark.parametrize(
        "part",
        [
            "DOES NOT WORK",
            "it works",
            "C calls tools · failed · SDK gap, blame: SDK",
            "judged by words",
            "Why this diagnosis",
            "1 experiment",
            "Conversation, 5 steps",
            "Exchange 1 of 1: POST",
            "HTTP 400 in 500 ms",
            "Traceback within the SDK",
            "Output and log",
            "pytest a temperature",
            "ohllm-autofix",
            "profiles/hostile/C/suite.test_c-test_it_works",
            "250",
            "10 in, 5 out",
            "$0.0100",
            "1.5 s",
            "litellm",
        ],
    )
    def test_it_has(self, failed: Path, part: str) -> None:
        assert part in Outline(made(failed)).text

    def test_every_check_of_every_profile_has_its_outcome(self, tmp_path: Path) -> None:
        path = leave_pictures(tmp_path, {"one": "A++ B+ C~ Du", "two": "Ax? B- C-"})

        outline = Outline(made(path))

        rows = [one for one in outline.elements if one[1].get("scope") == "row"]
        assert len([one for one in rows if "suite" in (one[1].get("title") or "")]) == 5
        for word in ("passed · 1.5 s", "flaky", "unsupported", "failed · 1.5 s", "not run"):
            assert word in outline.text, word

    def test_how_often_it_passed_is_told_of_checks_that_ran_more_than_once(
        self, tmp_path: Path
    ) -> None:
        path = leave_pictures(tmp_path, {"one": ["A+ B+ C+", "A+ B+ Cx", "A+ B+ C+"]})

        assert "flaky · 2/3" in Outline(made(path)).text

    def test_of_many_profiles_a_cell_says_all_of_it_to_who_cannot_see_it(
        self, tmp_path: Path
    ) -> None:
        path = leave_pictures(tmp_path, {f"p{n}": "A+ B+ Cx" for n in range(8)})

        outline = Outline(made(path))

        titles = [one.get("title") or "" for one in outline.all("td")]
        assert titles.count("failed · 1.5 s") == 8
        assert outline.text.count("failed · 1.5 s") == 8

    def test_of_a_profile_that_works_there_is_nothing_to_explain(self, tmp_path: Path) -> None:
        text = Outline(made(leave_pictures(tmp_path, {"one": "A+ B+ C+"}))).text

        assert "one WORKS" in text
        assert "What was found" not in text

    def test_a_waiver_is_shown(self, tmp_path: Path) -> None:
        waiver = Waiver(profile="*", check="*", reason="ticket 123", expires="2026-01-01")
        allowed = Allowances(waivers=(waiver,), today="2026-11-21")

        text = Outline(made(leave_pictures(tmp_path, {"one": "Ax"}, allowances=allowed))).text

        assert "EXPIRED on 2026-01-01" in text

    def test_a_run_that_was_interrupted_has_a_page(self, tmp_path: Path) -> None:
        path = leave_pictures(tmp_path, {"one": "A+ B+ C+", "two": ""}, end=False)

        assert "1 of 2 profiles work" in Outline(made(path)).text


class TestSinceTheLastRun:
    def test_what_changed_is_told_for_each_profile(self, tmp_path: Path) -> None:
        leave_pictures(tmp_path, {"one": "A+ B+ Cx+", "two": "A+ B+ C+"}, hours=-2, sdk="1.57.0")
        leave_pictures(tmp_path, {"two": "A+ B+ C+"}, hours=-1)
        path = leave_pictures(tmp_path, {"one": "A+ B+ C+x", "two": "A+ B+ C+", "new": "A+ B+ C+"})

        text = " ".join(Outline(made(path)).text.split())
        since = text[text.index("Since the last run", text.index("Time and cost")) :]

        assert "openhands-sdk 1.57.0 → 1.58.0" in since
        assert "fixed: 1, failed → passed" in since
        assert "broken: 2, passed → failed" in since
        assert "Every check ended as it did then" in since
        assert since.count("compared with") == 2, "the new profile has no last run"

    def test_a_verdict_that_changed_is_told_at_once(self, tmp_path: Path) -> None:
        leave_pictures(tmp_path, {"one": "A+ B+ C+"}, hours=-1)
        text = Outline(made(leave_pictures(tmp_path, {"one": "A+ B+ Cx"}))).text

        start = text.index("In words")
        assert "last run: WORKS" in text[start : text.index("What was found", start)]

    def test_later_runs_and_other_profiles_are_not_the_last_run(self, tmp_path: Path) -> None:
        leave_pictures(tmp_path, {"one": "A+ B+ C+"}, hours=1)
        leave_pictures(tmp_path, {"other": "A+ B+ C+"}, hours=-1)

        assert "compared with" not in made(leave_pictures(tmp_path, {"one": "A+ B+ Cx"}))


class TestSize:
    def test_what_does_not_fit_is_counted_where_it_is_missing(
        self, failed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = made(failed)
        monkeypatch.setattr(room, "LARGEST_SHARE", 1_500)

        text = Outline(made(failed)).text

        assert len(made(failed)) < len(whole)
        assert re.search(r"Not on this page: .*\d exchange", text)
        assert "are only in the run folder" in text

    def test_every_profile_keeps_its_first_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(content, "MOST_FAILURES", 3)
        path = leave_pictures(tmp_path, {f"p{n}": "Ax?" for n in range(3)})

        page = content.page_content(path, read_run(path), Words())

        assert [len(part.failures) for part in page.profiles] == [1, 1, 1]
        assert page.failures_left_out == 3

    def test_megabytes_are_cut_and_the_cut_is_counted(self, tmp_path: Path) -> None:
        started = time.perf_counter()
        page = made(leave_run(tmp_path, "<&" * 500_000))

        assert len(page.encode()) < 1_000_000
        assert "more characters" in page
        assert time.perf_counter() - started < 60

    def test_deep_and_wide_json_is_cut(self, tmp_path: Path) -> None:
        path = leave_run(tmp_path, "x")
        (exchanges,) = path.glob("profiles/*/C/*/transcript.json")
        deep = '{"a": ' * 90 + "1" + "}" * 90
        wide = "[" + ",".join(f'{{"n{n}": {deep}}}' for n in range(2000)) + "]"
        exchanges.write_text(exchanges.read_text().replace('"x": [\n      "x"', f'"x": [{wide}', 1))

        page = made(path)

        assert len(page) < 1_000_000


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe\x00", b'{"a":' * 5000])
    def test_a_damaged_file_costs_only_what_it_held(self, tmp_path: Path, content: bytes) -> None:
        path = leave_run(tmp_path, "said")
        run = read_run(path)
        for file in path.glob("profiles/*/*/*/*"):
            file.write_bytes(content)

        page = page_html(path, run, Words())

        assert "DOES NOT WORK" in page

    def test_a_folder_without_its_evidence_has_a_page(self, tmp_path: Path) -> None:
        path = leave_run(tmp_path, "said")
        run = read_run(path)
        for file in path.glob("profiles/*/*/*/*"):
            file.unlink()

        assert "DOES NOT WORK" in page_html(path, run, Words())


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Outline:
    """The page when nobody says anything strange."""
    return Outline(made(leave_run(tmp_path_factory.mktemp("runs"), "said")))


class TestHostileText:
    @settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
    @given(TEXTS, st.booleans())
    @example("".join(ATTACKS), True)
    def test_nothing_that_is_said_becomes_markup(
        self, tmp_path_factory: pytest.TempPathFactory, quiet: Outline, said: str, named: bool
    ) -> None:
        name = {"name": said} if named and said else {}

        page = made(leave_run(tmp_path_factory.mktemp("runs"), said, **name))

        loud = Outline(page)
        assert {tag for tag, _ in loud.elements} <= {tag for tag, _ in quiet.elements}
        assert {n for _, found in loud.elements for n in found} <= {
            n for _, found in quiet.elements for n in found
        } | {"open"}
        assert loud.raw == quiet.raw, "style and script are the page's own"
        assert not INVISIBLE.search(page)

    def test_a_key_that_was_taken_apart_is_redacted_where_it_is_whole_again(
        self, tmp_path: Path
    ) -> None:
        key = "zebra-quokka-walrus-otter-narwhal"
        path = leave_run(tmp_path, "my key: " + "\u2060".join(key))

        page = write_page(path, redact=Redactor({"key": key}).text).read_text()

        assert key not in page
        assert "[REDACTED:key]" in page
