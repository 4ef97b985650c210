"""Old runs go; what is still being written, or is no run, stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.liveness import Hold
from pytest_ohllm.evidence.pruning import Limits, delete, doomed, size_of
from pytest_ohllm.evidence.run_store import RunStore
from tests.run_folders import NOON, leave_run

NOW = (NOON + timedelta(hours=48)).timestamp()


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """Four runs: 48, 36, 24 and 12 hours old."""
    for number in range(4):
        leave_run(tmp_path, {"gpt": "A+"}, hours=12 * number)
    return RunStore(tmp_path)


def going(store: RunStore, **limits: float) -> list[int]:
    """How old the runs are that are to go, in hours."""
    found = doomed(list(store.entries()), Limits(**limits), NOW)  # type: ignore[arg-type]
    ages = {path: 12 * number for number, path in enumerate(store.folders(), 1)}
    return [ages[one.entry.path] for one in found]


def test_runs_go_by_age_number_and_size(store: RunStore) -> None:
    one = size_of(store.folders()[0])

    assert going(store, age=30 * 3600) == [36, 48]
    assert going(store, number=1) == [24, 36, 48]
    assert going(store, number=0) == [12, 24, 36, 48]
    assert going(store, size=int(2.5 * one)) == [36, 48]
    assert going(store, age=40 * 3600, number=3, size=100 * one) == [48]
    assert going(store, age=100 * 3600, number=9, size=100 * one) == []


def test_each_says_why(store: RunStore) -> None:
    found = doomed(list(store.entries()), Limits(age=30 * 3600, number=1), NOW)

    assert [one.why for one in found] == [
        "1 newer ones stay",
        "it is 2 days old",
        "it is 2 days old",
    ]
    assert all(one.size > 1000 for one in found)


def test_a_run_that_is_being_written_stays(store: RunStore) -> None:
    path = store.folders()[3]
    (path / "end.json").unlink()
    hold = Hold(path)
    assert going(store, number=0) == [12, 24, 36]
    with pytest.raises(RunError, match="has begun to be written again, and stays"):
        delete(path)
    hold.release()

    assert path.exists()


def test_links_and_what_is_no_run_stay(store: RunStore, tmp_path: Path) -> None:
    elsewhere = leave_run(tmp_path / "elsewhere", {"gpt": "A+"})
    (tmp_path / "20200101T000000Z-linked").symlink_to(elsewhere)
    (tmp_path / "notes").mkdir()

    for one in doomed(list(store.entries()), Limits(number=0), NOW):
        delete(one.entry.path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20200101T000000Z-linked",
        "elsewhere",
        "notes",
    ]
    assert (elsewhere / "run.json").exists()


def test_a_link_in_a_run_is_not_followed(store: RunStore, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    path = store.folders()[0]
    (path / "profiles" / "link").symlink_to(precious)

    delete(path)

    assert not path.exists()
    assert (precious / "file").exists()
