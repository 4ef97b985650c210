"""What was done about a cause is not done again, and not by two at once."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.autofix.job import Cause, Row
from pytest_ohllm.autofix.state import PLACE, Folder, State
from tests.unit.autofix.records import failure, source

DONE = State(
    base="a" * 40,
    tree="b" * 40,
    rounds=2,
    rationale="because",
    rows=(Row(step="repro", before="red", after="green", seconds=1.5),),
    proved=True,
    commit="c" * 40,
    url="https://example.com/1",
    cost=0.25,
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv(PLACE, str(folder))
    return folder


def folder(name: str = "test_it") -> Folder:
    return Folder(Cause(failures=(failure(name),), source=source()))


class TestGoingOn:
    def test_nothing_was_done(self, place: Path) -> None:
        assert folder().read() == State()
        assert not place.exists()

    def test_what_was_kept_is_read_by_the_next_one(self, place: Path) -> None:
        kept = folder().keep(DONE)

        assert kept == folder().read() == DONE

    def test_each_cause_has_its_own(self, place: Path) -> None:
        folder("test_a").keep(DONE)

        assert folder("test_b").read() == State()
        assert [one.name for one in place.iterdir()] == [folder("test_a").path.name]
        assert folder("test_a").path.name.startswith(source().run_id)

    def test_the_last_one_counts(self, place: Path) -> None:
        folder().keep(DONE)
        folder().keep(State(base="d" * 40))

        assert folder().read().commit == ""
        assert sorted(one.name for one in folder().path.iterdir()) == ["state.json"]

    def test_it_is_for_its_owner_only(self, place: Path) -> None:
        folder().keep(DONE)

        for path in (folder().path, folder().path / "state.json"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


class TestABrokenFile:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b'{"base": 1}',
            b'{"base": "x", "from": "the future"}',
            b"[" * 100_000,
        ],
    )
    def test_it_begins_again(self, place: Path, content: bytes) -> None:
        folder().keep(DONE)
        (folder().path / "state.json").write_bytes(content)

        assert folder().read() == State()
        assert folder().keep(DONE) == folder().read()

    def test_a_folder_in_its_place(self, place: Path) -> None:
        (folder().path / "state.json").mkdir(parents=True)

        assert folder().read() == State()


class TestTheLock:
    def test_another_process_is_waited_for_by_the_user(self, place: Path) -> None:
        program = (
            "import sys\n"
            "from filelock import FileLock\n"
            "with FileLock(sys.argv[1]):\n"
            "    print('locked', flush=True)\n"
            "    sys.stdin.read()\n"
        )
        mine = folder()
        mine.keep(State())
        other = subprocess.Popen(
            [sys.executable, "-c", program, str(mine.path / "lock")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert other.stdin is not None
        with other:
            assert other.stdout.readline() == "locked\n"

            with (
                pytest.raises(AutofixError, match="another ohllm-autofix") as raised,
                mine.locked(),
            ):
                raise AssertionError
            assert raised.value.exit_code == 10
            assert str(mine.path) in raised.value.problem

            # Nothing is left of a process that was killed.
            other.kill()
            other.wait()
            with mine.locked():
                pass

    def test_two_of_one_process_exclude_each_other(self, place: Path) -> None:
        with folder().locked(), pytest.raises(AutofixError), folder().locked():
            raise AssertionError

    def test_other_causes_are_free(self, place: Path) -> None:
        one, other = folder("test_a"), folder("test_b")
        with one.locked(), other.locked():
            assert one.path != other.path
            assert other.keep(State(rounds=1)) == other.read()
            assert one.read() == State()

    def test_it_is_free_after_an_exception(self, place: Path) -> None:
        with pytest.raises(KeyboardInterrupt), folder().locked():
            raise KeyboardInterrupt
        with folder().locked():
            pass


class TestThePlace:
    def test_the_variable_says_it(self, place: Path) -> None:
        assert folder().path.parent == place

    def test_a_home_in_the_variable(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv(PLACE, "~/mine")

        assert folder().path.parent == tmp_path / "mine"

    def test_a_relative_one_is_from_where_it_was_started(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(PLACE, "mine")

        assert folder().path.parent == tmp_path / "mine"

    @pytest.mark.parametrize("state", ["", "{home}/xdg"])
    def test_the_usual_one(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str
    ) -> None:
        monkeypatch.delenv(PLACE, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("XDG_STATE_HOME", state.format(home=tmp_path))
        usual = tmp_path / ("xdg" if state else ".local/state")

        assert folder().path.parent == usual / "ohllm" / "autofix"

    def test_folders_above_keep_their_modes(self, place: Path) -> None:
        place.mkdir(mode=0o755)
        folder().keep(DONE)

        assert stat.S_IMODE(place.stat().st_mode) == 0o755
