"""A run that is given away holds its evidence, no secret, and always the same bytes."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from pytest_ohllm.evidence.archive import export
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.liveness import Hold
from pytest_ohllm.evidence.members import is_member, members
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.unpacking import unpack
from tests.run_folders import leave_run

KEY = "canary-4be1-77aa-0c9d-e2f3"
HOME = Path("/home/somebody")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return leave_run(tmp_path / "runs", {"gpt": "A+ B+ Cx", "sim:parrot": "A+ B?"})


def exported(run: Path, target: Path, censor: Redactor | None = None) -> dict[str, bytes]:
    """The content of the run's archive by name."""
    export(run, target, censor or Redactor({"gpt": KEY}), home=HOME, overwrite=True)
    with zipfile.ZipFile(target) as content:
        return {name: content.read(name) for name in content.namelist()}


def test_everything_that_is_evidence_is_in_it_and_nothing_else(run: Path, tmp_path: Path) -> None:
    worktree = run / "autofix" / "worktree"
    for path in (
        worktree / "result.json",
        run / "page.html",
        run / "id_rsa",
        run / "profiles" / "gpt" / "notes.txt",
        run / "profiles" / "gpt" / "C" / ".env",
        run / ".hidden" / "run.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("private")
    (run / "profiles" / "gpt" / "C" / "linked").symlink_to(worktree)
    (run / "hosts").symlink_to(worktree)
    (run / "allowances.json").symlink_to(run / "id_rsa")

    found = exported(run, tmp_path / "a.zip")

    assert not [name for name, data in found.items() if b"private" in data]
    names = {name.partition("/")[2] for name in found}
    assert {"run.json", "summary.json", "session.json", "sdk.json", "events.jsonl"} <= names
    assert names == {name for name, _ in members(run)}
    assert all(name.startswith(f"{run.name}/") for name in found)


def test_it_comes_back_as_the_same_run(run: Path, tmp_path: Path) -> None:
    exported(run, tmp_path / "a.zip")

    path = unpack(tmp_path / "a.zip", tmp_path / "elsewhere")

    assert path == tmp_path / "elsewhere" / run.name
    assert read_run(path) == read_run(run)
    assert {name for name, _ in members(path)} == {name for name, _ in members(run)}
    assert path.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in path.rglob("*.json")} == {0o600}


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    exported(run, tmp_path / "a.zip")
    for path in run.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    copy = tmp_path / "copy" / run.name
    for name, path in sorted(members(run), reverse=True):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(path.read_bytes())
    exported(copy, tmp_path / "b.zip")

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as content:
        infos = content.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {stat.S_IFREG | 0o600}
    assert not any(info.extra for info in infos)
    assert stat.S_IMODE((tmp_path / "a.zip").stat().st_mode) == 0o600


def test_a_key_that_had_come_in_does_not_come_out(run: Path, tmp_path: Path) -> None:
    folder = next(run.glob("profiles/gpt/C/*/"))
    (folder / "traceback.txt").write_text(f"key={KEY}, and in pieces {KEY[:13]}…")
    (folder / "exchanges.jsonl").write_text(
        json.dumps({"request": {"messages": [KEY]}, "deep": {KEY: 1}}) + "\n{broken " + KEY
    )
    (folder / "result.json").write_text(
        (folder / "result.json").read_text().replace("no tool was called", f"said {KEY}")
    )

    found = exported(run, tmp_path / "a.zip")

    assert not [name for name, data in found.items() if KEY.encode() in data]
    assert KEY.encode() not in (tmp_path / "a.zip").read_bytes()
    result = next(data for name, data in found.items() if name.endswith("result.json"))
    json.loads(result)
    changed = export(run, tmp_path / "b.zip", Redactor({"gpt": KEY}), home=HOME).changed
    assert {Path(name).name for name in changed} == {
        "traceback.txt",
        "exchanges.jsonl",
        "result.json",
    }
    assert read_run(unpack(tmp_path / "a.zip", tmp_path / "in")).profiles


def test_a_key_of_a_known_shape_goes_without_being_known(run: Path, tmp_path: Path) -> None:
    key = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT" * 2
    (next(run.glob("profiles/gpt/C/*/")) / "log.txt").write_text(f"using {key}")

    found = exported(run, tmp_path / "a.zip", Redactor())

    assert not [name for name, data in found.items() if key[:20].encode() in data]


class Forgetful(Redactor):
    """A redactor that finds what it does not take out."""

    def text(self, text: str) -> str:
        return text

    def value(self, value: object) -> object:
        return value


def test_nothing_is_written_where_a_secret_is_left(run: Path, tmp_path: Path) -> None:
    (next(run.glob("profiles/gpt/C/*/")) / "log.txt").write_text(KEY)

    with pytest.raises(RunError, match=r"nothing was written: a secret is left in 1 files: .*log"):
        export(run, tmp_path / "a.zip", Forgetful({"gpt": KEY}))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_the_users_own_folder_is_not_told(run: Path, tmp_path: Path) -> None:
    (next(run.glob("profiles/gpt/C/*/")) / "traceback.txt").write_text(
        "/home/somebody/code/a.py:1 /home/somebody-else/b /x/home/somebody/c '/home/somebody'"
    )

    found = exported(run, tmp_path / "a.zip")

    (text,) = [data.decode() for name, data in found.items() if name.endswith("traceback.txt")]
    assert text == "~/code/a.py:1 /home/somebody-else/b /x/home/somebody/c '~'"


def test_a_run_that_goes_on_is_not_exported(run: Path, tmp_path: Path) -> None:
    (run / "end.json").unlink()
    hold = Hold(run)
    with pytest.raises(RunError, match="is still being written"):
        exported(run, tmp_path / "a.zip")
    hold.release()

    assert exported(run, tmp_path / "a.zip"), "one that crashed is"


def test_a_file_that_is_there_is_not_replaced_by_chance(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("mine")

    with pytest.raises(RunError, match="exists: name another file, or replace it"):
        export(run, tmp_path / "a.zip", Redactor())

    assert (tmp_path / "a.zip").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written: No such file"):
        export(run, tmp_path / "nowhere" / "a.zip", Redactor())


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        export(tmp_path, tmp_path / "a.zip", Redactor())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "hosts/localhost-80~0123456789.json",
        "profiles/sim/gate.json",
        "profiles/sim-parrot~d298a6dccf/C/x~0123456789~try2/result.json",
        "profiles/sim/C/x/trial-1/exchanges.jsonl",
        "profiles/sim/C/x/trial-2-test_x[a b]/log.txt",
        "profiles/sim/C/x/control/transcript.json",
    ],
)
def test_names_of_evidence(name: str) -> None:
    assert is_member(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/run.json",
        "../run.json",
        "./run.json",
        "run.json/",
        "run.json\n",
        "RUN.JSON",
        "profiles/../run.json",
        "profiles/../C/x/result.json",
        "profiles/sim/../x/result.json",
        "profiles/sim/C/../result.json",
        "profiles/sim/C/./result.json",
        "profiles/sim/C/x/../result.json",
        "profiles/sim/C/x/trial-1-../../../result.json",
        "profiles/sim/C/x/trial-1-a\\b/result.json",
        "profiles/sim/C/x/other/result.json",
        "profiles/sim/C/x/control/control/result.json",
        "profiles/sim/E/x/result.json",
        "profiles//C/x/result.json",
        "profiles/.git/C/x/result.json",
        "profiles/sim/C/x/result.json\x00.txt",
        "profiles/sim/C/" + "x" * 300 + "/result.json",
        "hosts/../session.json",
        "C:/run.json",
    ],
)
def test_names_of_nothing(name: str) -> None:
    assert not is_member(name)
