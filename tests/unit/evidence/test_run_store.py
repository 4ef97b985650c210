"""Runs are found by whatever a person types, and listed without being read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.run_store import FOLDER, RunStore
from pytest_ohllm.evidence.run_summary import read_summary
from tests.run_folders import leave_run


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def three(store: RunStore) -> list[Path]:
    """Runs of ``sim``, ``vllm-a`` and both, the newest last."""
    return [
        leave_run(store.path, {"sim": "A+ B+ C+"}),
        leave_run(store.path, {"vllm-a": "Ax"}, hours=1),
        leave_run(store.path, {"sim": "A+ B+ Cx", "vllm-a": "A+"}, hours=2),
    ]


def test_the_newest_come_first_with_a_verdict_for_each_profile(
    store: RunStore, three: list[Path]
) -> None:
    entries = list(store.entries())

    assert [entry.path for entry in entries] == three[::-1]
    assert entries[0].summary is not None
    verdicts = [(p.name, p.verdict) for p in entries[0].summary.profiles]
    assert verdicts == [("sim", "DOES NOT WORK"), ("vllm-a", "INCONCLUSIVE")]
    assert entries[2].summary is not None
    assert entries[2].summary.profiles[0].stages == {
        "A": (1, 1),
        "B": (1, 1),
        "C": (1, 1),
        "D": (0, 0),
    }


def test_the_list_can_be_of_one_profile_or_of_some(store: RunStore, three: list[Path]) -> None:
    assert [entry.path for entry in store.entries("sim")] == [three[2], three[0]]
    assert [entry.path for entry in store.entries("vllm-*")] == [three[2], three[1]]
    assert list(store.entries("nobody")) == []


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("last", 2),
        ("last~1", 1),
        ("last~2", 0),
        ("sim@last", 2),
        ("sim@last~1", 0),
        ("vllm-*@last", 2),
        ("vllm-a@last~1", 1),
    ],
)
def test_a_run_is_named_by_how_old_it_is(
    name: str, which: int, store: RunStore, three: list[Path]
) -> None:
    assert store.find(name) == three[which]


def test_a_run_is_named_by_its_id_or_the_beginning_of_it_or_of_its_end(
    store: RunStore, three: list[Path]
) -> None:
    for path in three:
        tail = path.name.rpartition("-")[2]
        assert {store.find(n) for n in (path.name, path.name[:13], tail, tail[:6])} == {path}


def test_a_run_is_named_by_its_folder_from_where_the_user_is(
    store: RunStore, three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert store.find(f"runs/{three[0].name}").samefile(three[0])
    assert store.find(str(three[1])) == three[1]
    assert store.find(three[2].name, store.path) == three[2]


def test_a_folder_with_another_name_is_known_by_that_and_by_its_id(store: RunStore) -> None:
    path = leave_run(store.path, {"sim": "A+"}, name="nightly")
    run_id = json.loads((path / "session.json").read_text())["run_id"]

    assert run_id != "nightly"
    assert store.find("nightly") == store.find(run_id) == store.find(run_id[-6:]) == path


def test_ambiguous_names_list_the_candidates(store: RunStore, three: list[Path]) -> None:
    with pytest.raises(RunError) as error:
        store.find("2026")

    assert str(error.value).startswith("'2026' may be any of 3 runs: ")
    for path in three:
        assert path.name in str(error.value)
    assert "(sim, vllm-a)" in str(error.value)


def test_many_candidates_are_counted(store: RunStore) -> None:
    for hour in range(12):
        leave_run(store.path, {"sim": "A+"}, hours=hour)

    with pytest.raises(RunError, match=r"may be any of 12 runs: .* and 4 more$"):
        store.find("2026")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "there is no run 'nope' in .*: `ohllm runs list` shows the runs"),
        ("simm@last", r"there is no run of profile 'simm' in .* \(did you mean sim@last\?\)"),
        ("sim@last~5", "there is no run of profile 'sim' and 5 before it"),
        ("last~9", "there is no last run and 9 before it"),
        ("", "there is no run folder ''|is not a run folder"),
        ("a/b", "there is no run folder 'a/b'"),
        ("x.zip", "x.zip is a file, not a run folder: .*import"),
        ("../..", "is not a run folder: it has no session.json"),
    ],
)
def test_what_names_no_run_is_told_in_one_line(
    name: str,
    message: str,
    store: RunStore,
    three: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.zip").touch()

    with pytest.raises(RunError, match=message) as error:
        store.find(name)
    assert "\n" not in str(error.value)


def test_an_empty_store_says_how_to_make_a_run(store: RunStore) -> None:
    assert store.folders() == []
    with pytest.raises(RunError, match=r"there is no last run in .*: make one with pytest"):
        store.find("last")


def test_the_nearest_project_counts(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    runs = tmp_path / "project" / FOLDER
    runs.mkdir(parents=True)

    assert RunStore.near(inner).path == runs
    assert RunStore.near(tmp_path).path == tmp_path / FOLDER


def test_a_store_that_is_made_is_not_seen_by_git(tmp_path: Path) -> None:
    RunStore(tmp_path / FOLDER).make()
    RunStore(tmp_path / FOLDER).make()

    assert (tmp_path / ".ohllm" / ".gitignore").read_text() == "*\n"
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"profiles": 3}', '{"run_id": 1}', "null", '{"profiles": [{"name": 1}]}'],
)
def test_a_damaged_file_is_not_in_the_way_of_the_others(
    content: str, store: RunStore, three: list[Path]
) -> None:
    (three[0] / "summary.json").write_text(content)
    (three[1] / "session.json").write_text(content)
    (store.path / "no-run").mkdir()
    (store.path / "file").touch()

    entries = list(store.entries())

    assert {entry.path for entry in entries} == set(three)
    assert next(e for e in entries if e.path == three[0]).state == "finished"


def test_a_run_of_an_older_version_has_no_summary_and_is_listed_by_its_report(
    store: RunStore, three: list[Path]
) -> None:
    with_summary = read_summary(three[0])
    (three[0] / "summary.json").unlink()

    assert read_summary(three[0]) == with_summary


def test_a_run_that_crashed_is_listed_by_what_it_wanted(store: RunStore) -> None:
    leave_run(store.path, {"sim": "A+"}, end=False)

    (entry,) = store.entries()

    assert (entry.state, entry.profiles, entry.summary) == ("interrupted", ("sim",), None)


def test_what_is_hidden_is_no_run(store: RunStore, three: list[Path]) -> None:
    three[0].rename(store.path / ".pruned-abc")

    assert store.folders() == [three[2], three[1]]
