"""The run folder: where things go, who may read them, what survives."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ohllm.evidence import files
from pytest_ohllm.evidence.plain import DEEPEST, as_json, plain
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder, RunFolderError
from pytest_ohllm.evidence.slug import LONGEST, slug
from pytest_ohllm.model import CheckResult, Profile, Remedy, Revision, Stage

SECRET = "canary-7f3a-9b2e-5d41"  # the one that the redactor of `folder` knows
NOW = datetime(2026, 11, 21, 7, 49, 5, tzinfo=UTC)
FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


class TestCreation:
    def test_the_name_is_the_utc_time_and_six_hex_digits(self, tmp_path: Path) -> None:
        path = RunFolder.create(tmp_path, None, NOW, Redactor()).path
        stamp, _, tail = path.name.partition("-")
        assert path.parent == tmp_path / ".ohllm" / "runs"
        assert stamp == "20261121T074905Z"
        assert len(tail) == 6 and int(tail, 16) >= 0

    def test_two_runs_of_the_same_second_have_folders_of_their_own(self, tmp_path: Path) -> None:
        paths = {RunFolder.create(tmp_path, None, NOW, Redactor()).path for _ in range(20)}
        assert len(paths) == 20 and all(path.is_dir() for path in paths)

    def test_git_ignores_what_runs_leave(self, folder: RunFolder, tmp_path: Path) -> None:
        assert (tmp_path / ".ohllm" / ".gitignore").read_text() == "*\n"

    def test_a_gitignore_of_the_user_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / ".ohllm").mkdir()
        RunFolder.create(tmp_path, None, NOW, Redactor())
        assert not (tmp_path / ".ohllm" / ".gitignore").exists()

    def test_an_explicit_folder_is_used_exactly(self, tmp_path: Path) -> None:
        wanted = tmp_path / "a" / "b"
        assert RunFolder.create(tmp_path, wanted, NOW, Redactor()).path == wanted
        assert wanted.is_dir() and not (tmp_path / ".ohllm").exists()

    def test_an_empty_folder_of_the_user_is_accepted(self, tmp_path: Path) -> None:
        assert RunFolder.create(tmp_path, tmp_path, NOW, Redactor()).path == tmp_path
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["run.json", "session.json"])
    def test_a_folder_that_holds_a_run_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("{}")
        with pytest.raises(RunFolderError, match="already holds a run"):
            RunFolder.create(tmp_path, tmp_path, NOW, Redactor())

    @pytest.mark.parametrize("below", ["", "inside"])
    def test_a_file_in_the_way_is_refused_in_one_line(self, tmp_path: Path, below: str) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(RunFolderError, match="cannot be written") as caught:
            RunFolder.create(tmp_path, tmp_path / "file" / below, NOW, Redactor())
        assert "\n" not in str(caught.value)

    def test_a_folder_that_cannot_be_written_is_refused(self) -> None:
        # /proc refuses even root, who may write everywhere else.
        with pytest.raises(RunFolderError, match=r"cannot be written: /proc"):
            RunFolder.create(Path("/"), Path("/proc/ohllm"), NOW, Redactor())
        with pytest.raises(RunFolderError, match=r"cannot be written: /proc"):
            RunFolder.create(Path("/"), Path("/proc"), NOW, Redactor())

    def test_the_second_session_in_a_folder_is_refused(self, tmp_path: Path) -> None:
        first, second = (
            RunFolder.create(tmp_path, tmp_path / "run", NOW, Redactor()) for _ in range(2)
        )
        first.begin(NOW, [])
        with pytest.raises(RunFolderError, match="already holds a run"):
            second.begin(NOW, [])


class TestPermissions:
    def test_only_the_owner_can_read_whatever_the_umask(
        self, umask: None, tmp_path: Path, result: Callable[..., CheckResult]
    ) -> None:
        folder = RunFolder.create(tmp_path, None, NOW, Redactor())
        folder.begin(NOW, [])
        folder.event("started")
        folder.close_gate("gpt", Stage.A, "it is down")
        check = folder.check_folder("gpt", Stage.A, "suite::test")
        check.start()
        check.write_text("log.txt", "log")
        check.append_jsonl("exchanges.jsonl", {})
        check.finish(result())
        found = list((tmp_path / ".ohllm").rglob("*"))
        assert {mode(path) for path in found if path.is_dir()} == {0o700}
        assert {mode(path) for path in found if path.is_file()} == {0o600}
        assert mode(tmp_path / ".ohllm") == 0o700


class TestContent:
    def test_session_names_the_run_its_start_and_its_profiles(self, begun: RunFolder) -> None:
        session = read(begun.path / "session.json")
        assert session["run_id"] == begun.path.name
        assert session["started"] == "2026-11-21T07:49:05+00:00"
        assert session["profiles"][0]["settings"]["model"] == "openai/gpt"
        assert session["stages"] == ["A", "B", "C", "D"]

    def test_an_explicit_folder_gets_a_run_id_of_the_usual_form(self, tmp_path: Path) -> None:
        folder = RunFolder.create(tmp_path, tmp_path / "out", NOW, Redactor())
        assert folder.begin(NOW, []).run_id.startswith("20261121T074905Z-")

    def test_the_first_process_that_knows_the_sdk_records_it(self, folder: RunFolder) -> None:
        folder.record_sdk(Revision(version="1.28.0", path=None), {"litellm": "1.80"})
        folder.record_sdk(Revision(version="other", path=None))
        assert read(folder.path / "sdk.json")["revision"]["version"] == "1.28.0"

    def test_started_says_which_check_it_is(self, folder: RunFolder) -> None:
        check = folder.check_folder("gpt", Stage.B, "suite::test", attempt=3)
        check.start({"node": "suite.py::test"})
        started = read(check.path / "started.json")
        assert (started["id"], started["profile"], started["stage"]) == ("suite::test", "gpt", "B")
        assert (started["attempt"], started["node"]) == (3, "suite.py::test")
        assert check.path.name.endswith("~try3")

    def test_the_folder_of_a_check_is_known_relative_to_the_run(self, folder: RunFolder) -> None:
        check = folder.check_folder("gpt", Stage.A, "hello")
        assert folder.relative(check) == "profiles/gpt/A/hello"

    def test_a_file_name_cannot_leave_the_folder(self, folder: RunFolder) -> None:
        check = folder.check_folder("gpt", Stage.A, "hello")
        for name in ("../x", "a/b", "", ".."):
            with pytest.raises(ValueError):
                check.write_text(name, "")

    def test_no_temporary_file_stays(self, begun: RunFolder) -> None:
        begun.record_remedy("gpt", Remedy(settings={"temperature": None}, summary="s"))
        begun.close_gate("gpt", Stage.A, "one")
        begun.close_gate("gpt", Stage.A, "two")
        assert not list(begun.path.rglob("*.tmp"))


class TestRedaction:
    def test_no_write_lets_a_secret_through(
        self, folder: RunFolder, result: Callable[..., CheckResult]
    ) -> None:
        folder.begin(
            NOW,
            [Profile(name="gpt", settings={"extra_headers": {"x": SECRET}, SECRET: 1})],
            host={"name": SECRET},
        )
        folder.event(SECRET, detail=[SECRET.encode()])
        folder.close_gate(SECRET, Stage.A, SECRET)
        folder.record_sdk(Revision(version=SECRET, path=SECRET))
        folder.record_remedy("gpt", Remedy(settings={"k": SECRET}, summary=SECRET))
        check = folder.check_folder(f"p-{SECRET}", Stage.A, f"test[{SECRET}]")
        check.start({"node": SECRET})
        check.write_text("log.txt", f"key={SECRET}")
        check.write_json("transcript.json", {"deep": [{"er": SECRET}]})
        check.append_jsonl("exchanges.jsonl", {SECRET: Path(SECRET)})
        check.finish(result(reason=SECRET, node=SECRET))
        for path in folder.path.rglob("*"):
            assert SECRET not in str(path)
            assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path

    def test_names_that_differ_in_a_secret_only_keep_folders_of_their_own(
        self, folder: RunFolder
    ) -> None:
        shown = folder.check_folder("gpt", Stage.A, "test[[REDACTED:api_key]]")
        hidden = folder.check_folder("gpt", Stage.A, f"test[{SECRET}]")
        assert shown.path != hidden.path


class TestGates:
    def test_a_gate_is_open_until_somebody_closes_it(self, folder: RunFolder) -> None:
        assert folder.gate("gpt") is None
        assert folder.close_gate("gpt", Stage.A, "the endpoint is down")
        assert folder.gate("gpt") == (Stage.A, "the endpoint is down")
        assert folder.gate("other") is None

    def test_the_first_reason_stands(self, folder: RunFolder) -> None:
        folder.close_gate("gpt", Stage.A, "first")
        assert not folder.close_gate("gpt", Stage.C, "second")
        assert folder.gate("gpt") == (Stage.A, "first")

    def test_of_many_processes_exactly_one_closes_the_gate(self, folder: RunFolder) -> None:
        with FORK.Pool(8) as pool:
            won = pool.starmap(_close, [(folder.path, str(n)) for n in range(200)])
        winners = [reason for reason, first in won if first]
        assert len(winners) == 1
        assert folder.gate("gpt") == (Stage.B, winners[0])

    def test_without_hard_links_the_first_one_still_wins(
        self, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr(files.os, "link", refuse)
        assert folder.close_gate("gpt", Stage.A, "first")
        assert not folder.close_gate("gpt", Stage.B, "second")
        assert folder.gate("gpt") == (Stage.A, "first")

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"stage": "Z", "reason": ""}'])
    def test_a_damaged_gate_stays_closed(self, folder: RunFolder, content: str) -> None:
        folder.close_gate("gpt", Stage.B, "reason")
        (folder.path / "profiles" / "gpt" / "gate.json").write_text(content)
        gate = folder.gate("gpt")
        assert gate is not None and "cannot be read" in gate[1]


def _close(path: Path, reason: str) -> tuple[str, bool]:
    return reason, RunFolder(path, Redactor()).close_gate("gpt", Stage.B, reason)


class TestAppending:
    def test_lines_of_many_processes_do_not_mix(self, folder: RunFolder) -> None:
        with FORK.Pool(8) as pool:
            pool.starmap(_append, [(folder.path, n) for n in range(64)])
        lines = (folder.path / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        assert sorted(event["number"] for event in events) == list(range(64))
        assert {len(event["filler"]) for event in events} == {100_000}


def _append(path: Path, number: int) -> None:
    RunFolder(path, Redactor()).event("step", number=number, filler="x" * 100_000)


class TestHostileContent:
    @given(st.text(st.characters(codec=None)))
    def test_any_text_can_be_written_and_read(
        self, tmp_path_factory: pytest.TempPathFactory, text: str
    ) -> None:
        folder = RunFolder(tmp_path_factory.getbasetemp() / "any", Redactor())
        check = folder.check_folder("gpt", Stage.A, "hello")
        check.write_text("log.txt", text)
        check.write_json("transcript.json", {text: [text]})
        check.append_jsonl("exchanges.jsonl", text)
        read(check.path / "transcript.json")
        (check.path / "log.txt").read_text("utf-8")

    def test_surrogates_and_nul_are_kept_visible(self, folder: RunFolder) -> None:
        check = folder.check_folder("gpt", Stage.A, "hello")
        check.write_json("transcript.json", "a\udc80b\0c")
        check.write_text("log.txt", "a\udc80b\0c")
        assert read(check.path / "transcript.json") == "a\\udc80b\0c"
        assert (check.path / "log.txt").read_bytes() == b"a\\udc80b\0c"

    def test_values_without_a_json_form_are_named(self) -> None:
        class Silent:
            def __str__(self) -> str:
                raise RuntimeError

        cycle: list[Any] = []
        cycle.append(cycle)
        deep: Any = 0
        for _ in range(100_000):
            deep = [deep]
        assert plain(Silent()) == "<Silent that cannot be printed>"
        assert plain(cycle) == ["<refers to itself>"]
        assert plain([math.nan, math.inf]) == ["nan", "inf"]
        assert plain({Stage.A: {Stage.B}, 1: b"\xff"}) == {"A": ["B"], "1": "\\xff"}
        assert f"deeper than {DEEPEST}" in as_json(plain(deep))
        assert as_json(plain(1 << 20_000)).startswith('"0x1')

    def test_plain_values_have_exact_types(self) -> None:
        assert type(plain(Stage.A)) is str
        assert type(plain({Stage.A: True})[Stage.A.value]) is bool


class TestSlugs:
    @pytest.mark.parametrize("name", ["gpt-4o", "a.b_c=d", "x" * LONGEST, "test_hello"])
    def test_a_safe_name_stays(self, name: str) -> None:
        assert slug(name) == name

    @pytest.mark.parametrize(
        "name",
        ["sim:parrot", "GPT", "a/b", "..", ".", "", ".x", "x.", "con", "é", "x" * 101, "a~b"],
    )
    def test_anything_else_gets_a_digest(self, name: str) -> None:
        assert "~" in slug(name)
        assert slug(name) == slug(name).strip(".")

    def test_case_is_not_what_tells_two_slugs_apart(self) -> None:
        assert slug("sim").lower() != slug("Sim").lower()

    @given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
    def test_slugs_are_short_safe_and_distinct(self, one: str, other: str) -> None:
        name = slug(one)
        assert len(name.encode()) <= LONGEST
        assert set(name) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=-~"
        )
        assert name not in ("", ".", "..")
        assert one == other or name != slug(other)
        assert slug(name) == name or slug(name) != name  # a slug of a slug is a name like any other

    def test_a_name_cannot_imitate_the_slug_of_another(self) -> None:
        assert slug(slug("sim:parrot")) != slug("sim:parrot")
