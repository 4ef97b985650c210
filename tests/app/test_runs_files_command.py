"""``ohllm runs merge``, ``export``, ``import``, ``prune``, ``badge``, ``index``: runs as files."""

from __future__ import annotations

import json
import re
import stat
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.autofix.reading import read
from pytest_ohllm.evidence.reader import read_run
from tests.app.terminal import dialogue
from tests.app.test_runs_command import RUNS, told
from tests.run_folders import leave_run

CANARY = "canary-92f1-0aa4-77c2-51de"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current project, with two runs."""
    monkeypatch.chdir(tmp_path)
    leave_run(tmp_path / RUNS, {"gpt": "A+ B+ C+"})
    leave_run(tmp_path / RUNS, {"gpt": "A+ B+ Cg", "sim:parrot": "A+ B+ Cx"}, hours=1)
    return tmp_path


def test_a_run_goes_out_and_comes_in_and_autofix_reads_it(
    ohllm: Any, project: Path, tmp_path: Path
) -> None:
    out = told(ohllm("runs", "export", "--output", "a.zip", "--json"))
    assert out.keys() == {"path", "files", "bytes", "changed"}
    assert out["bytes"] == (project / "a.zip").stat().st_size
    assert stat.S_IMODE((project / "a.zip").stat().st_mode) == 0o600

    done = told(ohllm("runs", "import", "a.zip", "--runs", "other", "--json"))
    assert done.keys() == {"path", "run_id"}
    path = Path(done["path"])
    assert read_run(path) == read_run(next((project / RUNS).glob("*abc001")))

    source, failures = read(path, ())
    assert source.run_id == done["run_id"]
    assert [failure.diagnosis.kind for failure in failures] == ["sdk_gap", "model_limitation"]
    (project / "here" / ".ohllm" / "runs").mkdir(parents=True)
    path.rename(project / "here" / ".ohllm" / "runs" / path.name)
    junit = project / "here" / "junit.xml"
    junit.write_text(
        '<testsuites><testsuite><properties><property name="ohllm.run_id" '
        f'value="{path.name}"/><property name="ohllm.run_dir" value="/gone"/></properties>'
        "</testsuite></testsuites>"
    )
    assert read(junit, ())[0].run_dir == project / "here" / ".ohllm" / "runs" / path.name


def test_what_is_said_of_an_archive(ohllm: Any, project: Path) -> None:
    name = next((project / RUNS).glob("*abc001")).name

    done = ohllm("runs", "export")
    assert re.fullmatch(rf"wrote \d+ files to ohllm-run-{name}.zip \(\d+\.\d kB\)\n", done.out)
    again = ohllm("runs", "export")
    assert again.code == 4 and "exists" in again.err
    assert ohllm("runs", "export", "--overwrite").code == 0

    done = ohllm("runs", "import", f"ohllm-run-{name}.zip", "--runs", "other")
    assert done.out == f"imported {name}: `ohllm runs show {name}`\n"
    assert ohllm("runs", "show", "last", "--runs", "other").code == 0


def test_a_new_project_takes_an_imported_run(
    ohllm: Any, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ohllm("runs", "export", "--output", "a.zip")
    new = project / "elsewhere"
    (new / ".git").mkdir(parents=True)
    monkeypatch.chdir(new)

    assert ohllm("runs", "import", str(project / "a.zip")).code == 4, "the project above has it"
    monkeypatch.chdir("/")
    done = ohllm("runs", "import", str(project / "a.zip"), "--runs", str(new / RUNS))

    assert done.code == 0
    assert (new / ".ohllm" / ".gitignore").read_text() == "*\n"


def test_the_key_of_a_profile_does_not_go_out(
    ohllm: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    path = next((project / RUNS).glob("*abc001"))
    session = json.loads((path / "session.json").read_text())
    session["profiles"][0]["secrets"] = {"api_key": "env:CANARY_KEY"}
    (path / "session.json").write_text(json.dumps(session))
    (next(path.glob("profiles/gpt/C/*/")) / "traceback.txt").write_text(f"sent {CANARY}")

    out = told(ohllm("runs", "export", "--output", "a.zip", "--json"))

    assert any(name.endswith("traceback.txt") for name in out["changed"])
    with zipfile.ZipFile("a.zip") as content:
        assert not [n for n in content.namelist() if CANARY.encode() in content.read(n)]
    assert ohllm("runs", "badge", "--output", "badges").code == 0
    assert ohllm("runs", "index").code == 0
    for file in (*Path("badges").iterdir(), Path("index.html"), Path("a.zip")):
        assert CANARY.encode() not in file.read_bytes()


def test_a_key_that_is_not_here_is_told(
    ohllm: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CANARY_KEY", raising=False)
    path = next((project / RUNS).glob("*abc001"))
    session = json.loads((path / "session.json").read_text())
    session["profiles"][0]["secrets"] = {"api_key": "env:CANARY_KEY"}
    (path / "session.json").write_text(json.dumps(session))

    done = ohllm("runs", "export", "--output", "a.zip")

    assert done.code == 0
    assert done.err.startswith("note: the key of profile 'gpt' is not known here")


def test_a_key_in_a_name_is_on_no_badge(ohllm: Any, project: Path) -> None:
    key = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT" * 2
    leave_run(project / RUNS, {key: "A+ B+ C+"}, hours=5)

    assert ohllm("runs", "badge", "--output", "badges").code == 0
    assert ohllm("runs", "index").code == 0
    for file in (*Path("badges").iterdir(), Path("index.html")):
        assert key[8:] not in file.name and key[8:] not in file.read_text()


def test_the_runs_of_jobs_are_merged_wherever_they_lie(ohllm: Any, project: Path) -> None:
    for number in range(3):
        runs = project / f"artifacts/job-{number}" / RUNS
        leave_run(runs, {f"p{number}": "A+ B+ C+"}, hours=number)

    done = ohllm("runs", "merge", "artifacts", "--output", "merged")
    assert (done.code, done.out, done.err) == (0, "merged 3 runs into merged\n", "")
    assert "3 of 3 profiles work" in ohllm("runs", "show", "merged").out
    assert ohllm("runs", "show", "./merged", "--exit-code").code == 0


def test_a_profile_of_two_jobs_is_told(ohllm: Any, project: Path) -> None:
    done = ohllm("runs", "merge", "last", "last~1")

    assert done.code == 0
    name = next((project / RUNS).glob("*abc001")).name
    assert (
        done.err == f"note: gpt was tested by several runs: that of {name} is called gpt@abc001\n"
    )
    path = Path(done.out.rpartition(" ")[2].strip())
    assert path.parent == project / RUNS
    assert "gpt@abc001" in ohllm("runs", "show").out, "it is the newest"


def test_a_merge_for_a_program(ohllm: Any, project: Path) -> None:
    done = ohllm("runs", "merge", str(project / RUNS), "--output", "merged", "--json")
    found = told(done)

    assert found.keys() == {"path", "run_id", "parts"}
    assert [part.keys() for part in found["parts"]] == [
        {"run_id", "started", "seconds", "profiles", "host", "renamed"}
    ] * 2
    assert found["parts"][1]["renamed"] == {"gpt": "gpt@abc001"}


def test_old_runs_are_removed_when_that_is_agreed_to(ohllm: Any, project: Path) -> None:
    dry = ohllm("runs", "prune", "--keep", "1", "--dry-run")
    assert dry.code == 0 and dry.out.startswith("would remove 20261121T120000Z-abc000 (gpt): ")
    assert re.search(r"\n1 run of 2, \d+\.\d kB\n", dry.out)
    assert len(list((project / RUNS).iterdir())) == 2

    done = ohllm("runs", "prune", "--keep", "1", "--yes")
    assert done.code == 0 and done.out.startswith("remove 20261121T120000Z-abc000")
    assert [path.name for path in (project / RUNS).iterdir()] == ["20261121T130000Z-abc001"]
    assert ohllm("runs", "prune", "--keep", "1").out == "0 runs of 1, 0 B\n", "nobody is asked"


def test_pruning_for_a_program(ohllm: Any, project: Path) -> None:
    found = told(ohllm("runs", "prune", "--keep", "1", "--yes", "--json"))

    assert found.keys() == {"folder", "dry_run", "removed", "kept"}
    assert (found["dry_run"], found["kept"]) == (False, 1)
    (removed,) = found["removed"]
    assert removed.keys() == {"run_id", "path", "size", "why"}
    assert not Path(removed["path"]).exists()


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("n", 2)])
def test_on_a_terminal_it_is_asked(project: Path, answer: str, left: int) -> None:
    said = dialogue(["runs", "prune", "--keep", "1"], [("Remove 1 run for good?", answer)])

    assert said.code == (0 if answer == "y" else 130)
    assert len(list((project / RUNS).iterdir())) == left


@pytest.mark.parametrize(
    ("age", "gone"), [("1m", 2), ("90m", 2), ("12h", 2), ("30d", 0), ("9999w", 0)]
)
def test_ages_are_understood(
    ohllm: Any, project: Path, monkeypatch: pytest.MonkeyPatch, age: str, gone: int
) -> None:
    from tests.run_folders import NOON

    monkeypatch.setattr(time, "time", lambda: NOON.timestamp() + 20 * 3600)

    found = told(ohllm("runs", "prune", "--older-than", age, "--dry-run", "--json"))

    assert len(found["removed"]) == gone


@pytest.mark.parametrize(("size", "gone"), [("1kB", 2), ("1gb", 0), ("500MB", 0)])
def test_sizes_are_understood(ohllm: Any, project: Path, size: str, gone: int) -> None:
    found = told(ohllm("runs", "prune", "--max-size", size, "--dry-run", "--json"))

    assert len(found["removed"]) == gone


def test_badges_are_written_for_each_profile(ohllm: Any, project: Path) -> None:
    found = told(ohllm("runs", "badge", "--output", "badges", "--json"))

    assert found.keys() == {"files"}
    assert [Path(file).suffix for file in found["files"]] == [".svg", ".json"] * 2
    about = json.loads(Path("badges/gpt.json").read_text())
    assert about == {
        "schemaVersion": 1,
        "label": "OpenHands SDK 1.58.0",
        "message": "gpt: does not work",
        "color": "red",
    }
    assert "gpt: does not work" in Path("badges/gpt.svg").read_text()
    assert stat.S_IMODE(Path("badges/gpt.svg").stat().st_mode) == 0o644

    one = ohllm("runs", "badge", "gpt@last~1", "--profile", "gpt")
    assert one.out == "gpt.svg\ngpt.json\n"
    assert json.loads(Path("gpt.json").read_text())["message"] == "works", "it is the only one"


def test_the_index_is_made_of_all_runs_or_of_some(ohllm: Any, project: Path) -> None:
    leave_run(project / RUNS, {"gpt": "A+ B+ C+"}, hours=2, sdk="1.60.0")
    leave_run(project / RUNS, {"gpt": "A+"}, hours=3, end=False)

    found = told(ohllm("runs", "index", "--output", "site/index.html", "--json"))
    assert found == {"page": "site/index.html", "runs": 3}
    page = Path("site/index.html").read_text()
    assert "SDK 1.60.0" in page and "SDK 1.58.0" in page
    assert "host.invalid" not in page, "an address is nobody's business"

    done = ohllm("runs", "index", "gpt@last~1", "--title", "Ours", "--output", "one.html")
    assert done.out == "wrote one.html from 1 run\n"
    assert "SDK 1.58.0" not in Path("one.html").read_text()
