"""From a JUnit file or a run folder to failures, wherever the two have been moved."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from pytest_ohllm.autofix import state
from pytest_ohllm.autofix.errors import UsageError
from pytest_ohllm.autofix.reading import read
from pytest_ohllm.evidence.archive import export
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Kind, Outcome, ToolMode
from tests.unit.autofix.records import SDK, FakeRun, diagnosis, profile


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where archives are unpacked."""
    monkeypatch.setenv(state.PLACE, str(tmp_path / "state"))


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    """A run with an SDK gap, a refused key, and a check that passed."""
    root = tmp_path / "project"
    root.mkdir()
    made = FakeRun(root, profiles=(profile(), profile("mini", "openai/gpt-5-mini")))
    made.leaves("test_gap", diagnosis())
    made.leaves("test_fine", None)
    made.leaves("test_key", diagnosis(Kind.CREDENTIALS, fields=()), of="mini")
    return made


class TestWhatIsRead:
    def test_failures_with_their_evidence(self, run: FakeRun) -> None:
        source, failures = read(run.junit(), [])

        assert (source.run_id, source.run_dir, source.sdk) == (run.path.name, run.path, SDK)
        assert source.packages == {"litellm": "1.2.3"}
        gap, key = failures
        assert gap.check == "compat_suite.test_b::test_gap"
        assert gap.node == "compat_suite/test_b.py::test_gap[gpt]"
        assert gap.rerun == "pytest --llm-profile=gpt compat_suite.test_b::test_gap"
        assert gap.profile == profile()
        assert gap.folder == run.path / run.results[0][1]
        assert gap.diagnosis == diagnosis()
        assert key.diagnosis.kind is Kind.CREDENTIALS

    def test_the_run_folder_alone_is_as_good(self, run: FakeRun) -> None:
        assert read(run.path, []) == read(run.junit(), [])

    def test_a_check_that_passes_thanks_to_a_setting_is_read_as_well(self, run: FakeRun) -> None:
        run.leaves("test_helped", diagnosis(), outcome=Outcome.PASSED)

        _, failures = read(run.junit(), [])

        assert [one.check.rpartition("::")[2] for one in failures] == [
            "test_gap",
            "test_helped",
            "test_key",
        ]

    def test_a_green_run_has_none(self, tmp_path: Path) -> None:
        run = FakeRun(tmp_path)
        run.leaves("test_fine", None)

        assert read(run.junit(), [])[1] == []

    def test_how_tools_were_called_is_a_part_of_the_command(self, run: FakeRun) -> None:
        run.leaves("test_gate", diagnosis(), stage="D", tool_mode=ToolMode.PROMPT)

        *_, gate = (one for one in read(run.path, [])[1] if one.profile.name == "gpt")

        assert gate.rerun == (
            "pytest --llm-tools=prompt --llm-profile=gpt compat_suite.test_b::test_gate"
        )

    @pytest.mark.parametrize("left", ["nothing", "half a file", "a list", "another version"])
    def test_an_interrupted_check_is_told_as_what_it_is(self, run: FakeRun, left: str) -> None:
        folder = run.interrupted("test_cut")
        content = {
            "half a file": b'{"id": "x", "nod',
            "a list": b"[]",
            "another version": b'{"schema_version": 1, "tool_mode": "telepathy"}',
        }
        if left in content:
            (folder / "result.json").write_bytes(content[left])

        found = [one for one in read(run.junit(), [])[1] if "test_cut" in one.node]

        (cut,) = found
        assert cut.node == "compat_suite/test_b.py::test_cut[gpt]"
        assert cut.diagnosis.kind is Kind.ENVIRONMENT
        assert "interrupted" in cut.diagnosis.summary

    def test_a_record_of_the_start_that_is_no_object(self, run: FakeRun) -> None:
        (run.path / run.results[0][1] / "started.json").write_text("[]")

        gap, _ = read(run.path, [])[1]

        assert (gap.rerun, gap.node) == ("", "compat_suite/test_b.py::test_gap[gpt]")


class TestWhereTheRunFolderIs:
    def test_where_it_was_written(self, run: FakeRun, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()

        assert read(run.junit(elsewhere / "junit.xml"), [])[0].run_dir == run.path

    @pytest.mark.parametrize("place", ["{id}", ".ohllm/runs/{id}"])
    def test_beside_the_file_after_both_were_moved(
        self, run: FakeRun, tmp_path: Path, place: str
    ) -> None:
        file = run.junit()
        moved = tmp_path / "download" / place.format(id=run.path.name)
        moved.parent.mkdir(parents=True)
        shutil.move(run.path, moved)
        shutil.move(file, tmp_path / "download" / "results.xml")

        source, failures = read(tmp_path / "download" / "results.xml", [])

        assert source.run_dir == moved
        assert all(one.folder.is_relative_to(moved) for one in failures)
        assert len(failures) == 2

    def test_beside_the_file_under_the_name_that_somebody_chose(self, tmp_path: Path) -> None:
        run = FakeRun(tmp_path, explicit=tmp_path / "ci" / "evidence")
        run.leaves("test_gap", diagnosis())
        file = run.junit(tmp_path / "ci" / "junit.xml")
        shutil.move(tmp_path / "ci", tmp_path / "download")

        source, _ = read(tmp_path / "download" / file.name, [])

        assert source.run_dir == tmp_path / "download" / "evidence"
        assert source.run_id != "evidence"

    def test_in_an_archive_beside_the_file(self, run: FakeRun, tmp_path: Path) -> None:
        run.folder.end(1.0)
        download = tmp_path / "download"
        download.mkdir()
        file = run.junit(download / "junit.xml")
        export(run.path, download / "some-name.zip", Redactor({}))
        (download / "another.zip").write_bytes(b"PK\3\4 and no archive")
        _, before = read(file, [])
        shutil.rmtree(run.path)

        source, failures = read(file, [])
        again, _ = read(download / "some-name.zip", [])

        assert source.run_dir == again.run_dir == state.archived_runs() / source.run_id
        assert [one.diagnosis for one in failures] == [one.diagnosis for one in before]
        assert all((one.folder / "result.json").is_file() for one in failures)

    def test_another_run_at_its_place_is_not_taken_for_it(self, tmp_path: Path) -> None:
        old = FakeRun(tmp_path, explicit=tmp_path / "evidence")
        old.leaves("test_gap", diagnosis())
        file = old.junit()
        shutil.rmtree(old.path)
        new = FakeRun(tmp_path, explicit=tmp_path / "evidence")
        new.leaves("test_other", diagnosis())

        with pytest.raises(UsageError, match="is of the run"):
            read(file, [])

    def test_a_folder_that_was_downloaded_in_part(self, run: FakeRun) -> None:
        file = run.junit()
        shutil.rmtree(run.path / run.results[0][1])

        with pytest.raises(UsageError, match=r"not complete.*test_gap") as raised:
            read(file, [])

        assert "download the whole" in raised.value.advice

    def test_a_folder_of_a_newer_version(self, run: FakeRun) -> None:
        file = run.path / "session.json"
        file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 99'))

        with pytest.raises(UsageError, match="newer pytest-ohllm"):
            read(run.junit(), [])


class TestWhereThereIsOnlyTheFile:
    def test_it_says_what_failed_and_what_is_missing(self, run: FakeRun) -> None:
        file = run.junit()
        shutil.rmtree(run.path)

        with pytest.raises(UsageError) as raised:
            read(file, [])

        problem, advice = raised.value.problem, raised.value.advice
        assert "test_gap[gpt]: sdk_gap, the SDK sends stop" in problem
        assert "test_key[mini]: credentials" in problem
        assert "test_fine" not in problem
        assert str(run.path) in problem
        assert run.path.name in advice

    def test_it_lists_some_of_many(self, tmp_path: Path) -> None:
        run = FakeRun(tmp_path)
        for number in range(25):
            run.leaves(f"test_{number}", diagnosis())
        file = run.junit()
        shutil.rmtree(run.path)

        with pytest.raises(UsageError) as raised:
            read(file, [])

        assert raised.value.problem.count("sdk_gap") == 20
        assert raised.value.problem.endswith("and 5 more")

    def test_nothing_failed_in_it(self, tmp_path: Path) -> None:
        run = FakeRun(tmp_path)
        run.leaves("test_fine", None)
        file = run.junit()
        shutil.rmtree(run.path)

        with pytest.raises(UsageError, match="is not here"):
            read(file, [])


class TestForeignFiles:
    def test_an_archive_that_is_damaged(self, tmp_path: Path) -> None:
        file = tmp_path / "run.zip"
        file.write_bytes(b"PK\3\4 half of it")

        with pytest.raises(UsageError, match="not an archive of `ohllm runs export`"):
            read(file, [])

    def test_an_archive_of_something_else(self, tmp_path: Path) -> None:
        file = tmp_path / "other.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("../evil", "x")

        with pytest.raises(UsageError, match="does not hold one run") as raised:
            read(file, [])

        assert "ohllm runs export" in raised.value.advice

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "not XML",
            "<html><body/></html>",
            "<testsuites>",
            '<!DOCTYPE x [<!ENTITY a "b">]><testsuites/>',
            "\0\1\2",
        ],
    )
    def test_no_junit(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "junit.xml"
        file.write_text(content)

        with pytest.raises(UsageError, match=r"junit\.xml") as raised:
            read(file, [])

        assert "--junitxml" in raised.value.advice

    def test_junit_of_another_run_of_pytest(self, tmp_path: Path) -> None:
        file = tmp_path / "junit.xml"
        file.write_text(
            '<testsuites><testsuite><testcase name="a"><failure/></testcase></testsuite>'
            "</testsuites>"
        )

        with pytest.raises(UsageError, match="--llm-profile") as raised:
            read(file, [])

        assert "pytest --llm-profile" in raised.value.advice

    def test_no_file_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read: No such file"):
            read(tmp_path / "junit.xml", [])

    def test_a_folder_that_is_none_of_a_run(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not a run folder"):
            read(tmp_path, [])

    def test_a_path_in_it_leads_to_no_other_kind_of_folder(self, tmp_path: Path) -> None:
        run = FakeRun(tmp_path)
        file = run.junit()
        file.write_text(file.read_text().replace(str(run.path), "/etc"))
        shutil.rmtree(run.path)

        with pytest.raises(UsageError, match="is not here"):
            read(file, [])


class TestNodes:
    def names(self, run: FakeRun, *nodes: str) -> list[str]:
        return [one.check.rpartition("::")[2] for one in read(run.path, list(nodes))[1]]

    def test_a_whole_node(self, run: FakeRun) -> None:
        assert self.names(run, "compat_suite/test_b.py::test_gap[gpt]") == ["test_gap"]

    def test_a_check(self, run: FakeRun) -> None:
        assert self.names(run, "compat_suite.test_b::test_key") == ["test_key"]

    def test_a_profile(self, run: FakeRun) -> None:
        assert self.names(run, "mini") == ["test_key"]

    def test_a_part(self, run: FakeRun) -> None:
        assert self.names(run, "test_") == ["test_gap", "test_key"]

    def test_a_whole_name_is_meant_rather_than_a_part_of_others(self, run: FakeRun) -> None:
        run.leaves("test_gap_more", diagnosis())

        assert self.names(run, "compat_suite.test_b::test_gap") == ["test_gap"]
        assert self.names(run, "test_gap") == ["test_gap", "test_gap_more"]

    def test_a_whole_name_beside_a_part(self, run: FakeRun) -> None:
        assert self.names(run, "compat_suite.test_b::test_gap", "key[") == ["test_gap", "test_key"]

    def test_twice_the_same(self, run: FakeRun) -> None:
        assert self.names(run, "test_gap", "gap[gpt]") == ["test_gap"]

    def test_each_of_them_must_choose_something(self, run: FakeRun) -> None:
        with pytest.raises(UsageError, match="no failure matches --node nothing") as raised:
            self.names(run, "test_gap", "nothing")

        assert "test_gap[gpt]" in raised.value.problem
        assert "test_key[mini]" in raised.value.problem

    def test_what_passed_cannot_be_chosen(self, run: FakeRun) -> None:
        with pytest.raises(UsageError, match="test_fine"):
            self.names(run, "test_fine")
