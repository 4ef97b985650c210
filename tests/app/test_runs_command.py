"""``ohllm runs``: past runs are found, shown and compared, for people and for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.evidence.liveness import Hold
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.model import ProfileReport, Run
from tests.run_folders import bare_runs, leave_run

RUNS = Path(".ohllm") / "runs"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Runs of ``sim``, of ``vllm-a`` and of both, the newest last, in the current project."""
    monkeypatch.chdir(tmp_path)
    return [
        leave_run(tmp_path / RUNS, {"sim": "A+ B+ C+"}),
        leave_run(tmp_path / RUNS, {"vllm-a": "Ax"}, hours=1),
        leave_run(tmp_path / RUNS, {"sim": "A+ B+ Cx", "vllm-a": "A+"}, hours=2),
    ]


def told(done: Any) -> dict[str, Any]:
    """The one object that a command has printed."""
    assert (done.code, done.err) == (0, ""), done
    found: dict[str, Any] = json.loads(done.out)
    assert found.pop("schema_version") == 1
    return found


def test_the_list_shows_the_newest_first_with_all_verdicts(ohllm: Any, runs: list[Path]) -> None:
    done = ohllm("runs", "list")

    assert (done.code, done.err) == (0, "")
    lines = [line.rstrip() for line in done.out.splitlines()[2:]]
    assert [line.partition(" ")[0] for line in lines if line[0] == "2"] == [
        path.name for path in runs[::-1]
    ]
    assert re.search(r"sim  DOES NOT WORK *\n.*vllm-a  INCONCLUSIVE", done.out)
    assert "2026-11-21 14:00:00" in lines[0] and "1.58.0" in lines[0]


def test_the_list_can_be_shorter_and_of_one_profile(ohllm: Any, runs: list[Path]) -> None:
    one = ohllm("runs", "list", "--limit", "1")
    assert runs[2].name in one.out and runs[1].name not in one.out
    assert one.err == "older ones are not shown: --limit 5\n"

    of = ohllm("runs", "list", "--profile", "vllm-*")
    assert [path.name in of.out for path in runs] == [False, True, True]
    assert ohllm("runs", "list", "--profile", "nope").out.startswith("no runs of nope in ")


def test_the_list_for_a_program(ohllm: Any, runs: list[Path]) -> None:
    found = told(ohllm("runs", "list", "--json"))

    assert found.keys() == {"folder", "runs", "more"}
    assert (found["folder"], found["more"]) == (str(runs[0].parent), False)
    for run in found["runs"]:
        assert run.keys() == {
            "run_id",
            "path",
            "started",
            "state",
            "seconds",
            "sdk_version",
            "profiles",
        }
    assert found["runs"][2]["profiles"] == [
        {
            "name": "sim",
            "model": "openai/gpt",
            "verdict": "WORKS",
            "reason": "stages A, B, C passed",
            "tool_mode": None,
            "stages": {"A": [1, 1], "B": [1, 1], "C": [1, 1], "D": [0, 0]},
            "settings": {},
            "calls": 3,
            "tokens": 45,
            "cost": 0.75,
            "seconds": 4.5,
        }
    ]


def test_a_run_without_an_end_is_listed_as_what_it_is(ohllm: Any, runs: list[Path]) -> None:
    crashed = leave_run(runs[0].parent, {"sim": "A+"}, hours=3, end=False)
    assert "interrupted: sim" in ohllm("runs", "list").out

    hold = Hold(crashed)
    assert "running: sim" in ohllm("runs", "list").out
    hold.release()
    (run, *_) = told(ohllm("runs", "list", "--json"))["runs"]
    assert (run["state"], run["seconds"], run["profiles"]) == (
        "interrupted",
        None,
        [{"name": "sim"}],
    )


def test_a_run_of_many_profiles_takes_few_lines(ohllm: Any, runs: list[Path]) -> None:
    leave_run(runs[0].parent, {f"p{n:02}": "A+ B+ C+" for n in range(20)}, hours=9)

    out = ohllm("runs", "list", "--limit", "1").out

    assert "and 14 more, of which 14 work" in out
    assert len(out.splitlines()) == 9


def test_no_runs_is_an_answer(ohllm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = ohllm("runs", "list")

    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("make one with pytest --llm-profile=sim\n")
    assert told(ohllm("runs", "list", "--json"))["runs"] == []


def test_a_thousand_runs_are_listed_from_a_thousand_small_files(
    ohllm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_runs(tmp_path / "runs", 1000)
    opened: list[str] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: opened.append(p.name) or read(p))  # type: ignore[func-returns-value]

    found = told(ohllm("runs", "list", "--json", "--runs", str(tmp_path / "runs"), "--limit=1000"))

    assert len(found["runs"]) == 1000
    assert opened == ["summary.json"] * 1000, "nothing else is read"


def test_a_run_is_shown_as_pytest_has_shown_it(ohllm: Any, runs: list[Path]) -> None:
    done = ohllm("runs", "show", "sim@last~1")

    assert (done.code, done.err) == (0, "")
    assert "sim WORKS" in done.out and str(runs[0]) in done.out
    assert "✓ 1/1" in done.out

    assert "1 of 2" not in done.out
    last = ohllm("runs", "show")
    assert "0 of 2 profiles work" in last.out and "no tool was called" in last.out


def test_a_run_for_a_program(ohllm: Any, runs: list[Path]) -> None:
    found = told(ohllm("runs", "show", runs[2].name[-6:], "--json"))

    assert found.keys() == {"path", "state", "run"}
    assert (found["path"], found["state"]) == (str(runs[2]), "finished")
    assert found["run"].keys() == Run.model_fields.keys()
    assert found["run"]["profiles"][0].keys() == ProfileReport.model_fields.keys()
    assert Run.model_validate(found["run"]) == read_run(runs[2])


def test_a_run_as_markdown(ohllm: Any, runs: list[Path]) -> None:
    done = ohllm("runs", "show", "--markdown")

    assert (done.code, done.err) == (0, "")
    assert "DOES NOT WORK" in done.out and "|" in done.out


@pytest.mark.parametrize(("name", "code"), [("sim@last~1", 0), ("last", 1), ("vllm-a@last~1", 1)])
def test_the_exit_code_can_be_that_of_the_run(
    name: str, code: int, ohllm: Any, runs: list[Path]
) -> None:
    assert ohllm("runs", "show", name, "--exit-code").code == code
    assert ohllm("runs", "show", name).code == 0


def test_a_run_that_is_not_whole_is_shown_with_a_note(ohllm: Any, runs: list[Path]) -> None:
    leave_run(runs[0].parent, {"sim": "A+"}, hours=3, end=False)

    done = ohllm("runs", "show")

    assert "INCONCLUSIVE" in done.out and done.err == "note: the run is interrupted\n"


def test_two_runs_are_compared(ohllm: Any, runs: list[Path]) -> None:
    done = ohllm("runs", "diff", "sim@last~1")

    assert (done.code, done.err) == (0, "")
    assert f"{runs[0].name} -> {runs[2].name}" in done.out
    assert "sim  WORKS -> DOES NOT WORK" in done.out
    assert re.search(r"broken +C 1 +passed -> failed", done.out)
    assert ohllm("runs", "diff", "sim@last~1", "--exit-code").code == 1
    assert ohllm("runs", "diff", "last", "sim@last~1", "--exit-code").code == 0


def test_two_profiles_of_a_run_are_compared(ohllm: Any, runs: list[Path]) -> None:
    done = ohllm("runs", "diff", "last", "--profiles", "sim", "vllm-a")

    assert done.code == 0 and "sim -> vllm-a" in done.out


def test_a_comparison_for_a_program(ohllm: Any, runs: list[Path]) -> None:
    found = told(ohllm("runs", "diff", "sim@last~1", "last", "--json"))

    assert found.keys() == {
        "before",
        "after",
        "sdk_before",
        "sdk_after",
        "broken",
        "profiles",
        "only_before",
        "only_after",
    }
    assert (found["broken"], found["only_after"]) == (1, ["vllm-a"])
    (profile,) = found["profiles"]
    assert profile.keys() == {"before", "after", "broken", "fixed", "chance", "checks"}
    assert profile["before"].keys() == {
        "profile",
        "model",
        "verdict",
        "reason",
        "usage",
        "seconds",
    }
    broken = profile["checks"][2]
    assert broken.keys() == {"id", "stage", "change", "before", "after", "chance"}
    assert broken["after"] == {
        "outcome": "failed",
        "fails": True,
        "summary": "no tool was called",
        "kind": "model_limitation",
        "rate": {"passed": 0, "judged": 1},
        "seconds": 1.5,
        "llm_calls": 1,
    }


def test_the_page_is_made_and_opened(
    ohllm: Any, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: not opened.append(url))

    found = told(ohllm("runs", "open", "--json"))

    assert found.keys() == {"page", "opened"} and found["opened"] is True
    assert opened == [Path(found["page"]).as_uri()]
    assert runs[2] in Path(found["page"]).parents
    assert ohllm("runs", "open", "--no-browser").out == found["page"] + "\n"
    assert len(opened) == 1


MISTAKES = [
    (("show", "nope"), "there is no run 'nope'"),
    (("show", "2026"), "may be any of 3 runs: 2026"),
    (("show", "simm@last"), "did you mean sim@last?"),
    (("show", "last~7"), "there is no last run and 7 before it"),
    (("show", "nowhere/run"), "there is no run folder 'nowhere/run'"),
    (("list", "--limit", "0"), "--limit"),
    (("diff",), "Missing argument"),
    (("diff", "last"), "both names mean the run"),
    (("diff", "last", "last~1", "--profiles", "a", "b"), "compares within one run"),
    (("diff", "last", "--profiles", "sim", "vllm"), "has no profile 'vllm' (did you mean 'vllm-a'"),
    (("merge",), "name the runs to merge"),
    (("merge", "last", "last"), "is named twice"),
    (("merge", ".ohllm/runs", "--output", "."), "exists: name another folder"),
    (("merge", "empty"), "there is no run in empty"),
    (("export", "--output", "nowhere/x.zip"), "nowhere/x.zip cannot be written"),
    (("export", "--output", "file"), "file exists: name another file"),
    (("import", "nowhere.zip"), "there is no file nowhere.zip"),
    (("import", "file"), "is not an archive of `ohllm runs export`"),
    (("import", "."), ". is not a file"),
    (("prune",), "say which runs may go: --older-than 30d"),
    (("prune", "--older-than", "soon"), "expected a time such as 12h, 30d or 8w, got 'soon'"),
    (("prune", "--max-size", "3"), "expected a size such as 500MB or 2GB, got '3'"),
    (("prune", "--keep", "-1"), "--keep"),
    (("prune", "--keep", "0"), "say so with --yes"),
    (("watch",), "no run goes on in "),
    (("badge", "--profile", "vllm"), "has no profile 'vllm' (did you mean 'vllm-a'"),
    (("badge", "--output", "file"), "file/sim.svg cannot be written"),
    (("index", "--runs", "empty"), "there is no run that has ended in empty"),
    (("index", "--output", "file/x"), "file/x cannot be written"),
    (("lst",), "Did you mean 'list'?"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES]
)
def test_a_mistake_is_one_line_and_changes_nothing(
    arguments: tuple[str, ...], message: str, ohllm: Any, runs: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    done = ohllm("runs", *arguments)

    lines = [line for line in done.err.splitlines() if not line.startswith("note: ")]
    assert (done.code, len(lines)) == (4, 1), done
    assert lines[0].startswith("ohllm: error: ") and message in lines[0]
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_a_shell_can_complete_the_names_of_runs(runs: list[Path]) -> None:
    from pytest_ohllm.app.run_names import _named

    assert _named("") == ["last", *(path.name for path in runs[::-1])]
    assert _named(runs[0].name) == [runs[0].name]


def test_help_names_every_command(ohllm: Any) -> None:
    done = ohllm("runs")
    for command in (
        *("list", "show", "diff", "merge", "export", "import", "prune"),
        *("watch", "open", "badge", "index"),
    ):
        assert re.search(rf"^\W*{command} ", done.out, re.MULTILINE), done.out
