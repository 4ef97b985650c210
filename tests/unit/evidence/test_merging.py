"""Many runs become one, and nothing that any of them has found is lost."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pytest_ohllm.evidence import verdict
from pytest_ohllm.evidence.allowances import allowances
from pytest_ohllm.evidence.archive import export
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.liveness import Hold, state
from pytest_ohllm.evidence.members import members
from pytest_ohllm.evidence.merging import merge, merged_id
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_store import RunStore
from pytest_ohllm.model import Outcome, Waiver
from tests.run_folders import leave_run

TODAY = date(2026, 11, 21)


def test_the_jobs_of_a_matrix_become_one_matrix(tmp_path: Path) -> None:
    first = leave_run(tmp_path, {"gpt": "A+ B+ C+"})
    second = leave_run(tmp_path, {"sim:parrot": "A+ B+ Cx", "llama": "A?"}, hours=1)

    merged = merge([second, first], tmp_path / "merged")

    run = read_run(tmp_path / "merged")
    assert [(p.name, p.verdict) for p in run.profiles] == [
        ("gpt", "WORKS"),
        ("sim:parrot", "DOES NOT WORK"),
        ("llama", "INCONCLUSIVE"),
    ]
    assert [p.checks for p in run.profiles] == [
        p.checks for path in (first, second) for p in read_run(path).profiles
    ]
    assert verdict.exit_code(run) == 1
    assert run.seconds == 3612.5, "from the start of the first to the end of the last"
    assert [part.run_id for part in merged.parts] == [first.name, second.name]
    assert not any(part.renamed for part in merged.parts)
    assert state(tmp_path / "merged") == "finished"
    assert json.loads((tmp_path / "merged" / "run.json").read_text()) == run.model_dump(mode="json")


def test_a_profile_that_two_jobs_have_tested_is_there_twice(tmp_path: Path) -> None:
    paths = [
        leave_run(tmp_path, {"gpt": picture}, hours=n)
        for n, picture in enumerate(("A+ B+ C+", "A+ B+ Cx D-", "A?"))
    ]

    merged = merge(paths, tmp_path / "merged")

    tails = [path.name.rpartition("-")[2] for path in paths]
    run = read_run(tmp_path / "merged")
    assert [(p.name, p.verdict) for p in run.profiles] == [
        ("gpt", "WORKS"),
        (f"gpt@{tails[1]}", "DOES NOT WORK"),
        (f"gpt@{tails[2]}", "INCONCLUSIVE"),
    ]
    assert [part.renamed for part in merged.parts] == [
        {},
        {"gpt": f"gpt@{tails[1]}"},
        {"gpt": f"gpt@{tails[2]}"},
    ]
    events = (tmp_path / "merged" / "events.jsonl").read_text().splitlines()
    told = {(e["profile"], e["run"]) for e in map(json.loads, events)}
    assert told == {(p.name, path.name) for p, path in zip(run.profiles, paths, strict=True)}


def test_all_evidence_is_taken_over(tmp_path: Path) -> None:
    first = leave_run(tmp_path, {"gpt": "A+ B~"})
    second = leave_run(tmp_path, {"gpt": ["A+ Bx", "A+ B+"]}, hours=1)
    check = next(first.glob("profiles/gpt/B/*"))
    (check / "trial-1-test_x").mkdir()
    (check / "trial-1-test_x" / "result.json").write_text('{"profile": "gpt"}')
    (first / "secret.txt").write_text("private")

    merge([first, second], tmp_path / "merged")

    of_checks = [
        sum(name.startswith("profiles/") for name, _ in members(path))
        for path in (first, second, tmp_path / "merged")
    ]
    assert of_checks[2] == of_checks[0] + of_checks[1]
    assert not list((tmp_path / "merged").rglob("secret.txt"))
    (_, profile) = read_run(tmp_path / "merged").profiles
    assert [check.outcome for check in profile.checks] == [Outcome.PASSED, Outcome.FLAKY]


def test_what_does_not_count_in_a_job_does_not_count_in_the_whole(tmp_path: Path) -> None:
    baseline = read_run(leave_run(tmp_path, {"gpt": "A+ Bx"}, name="before"))
    waived = Waiver(profile="*", check="*test_a*", reason="down", expires="2026-12-31")
    paths = [
        leave_run(tmp_path, {"gpt": "A+ Bx"}, hours=1, allowances=allowances(TODAY, baseline, ())),
        leave_run(tmp_path, {"gpt": "Ax"}, hours=2, allowances=allowances(TODAY, None, [waived])),
    ]

    merge(paths, tmp_path / "merged")

    run = read_run(tmp_path / "merged")
    assert [c.known for p in run.profiles for c in p.checks] == [
        "",
        f"known since {baseline.run_id}",
        "waived until 2026-12-31: down",
    ]
    assert verdict.exit_code(run) == 0


def test_a_job_that_crashed_is_merged_as_what_it_is(tmp_path: Path) -> None:
    whole = leave_run(tmp_path, {"a": "A+ B+ C+"})
    crashed = leave_run(tmp_path, {"b": "A+"}, hours=1, end=False)

    merge([whole, crashed], tmp_path / "merged")

    assert [p.verdict for p in read_run(tmp_path / "merged").profiles] == [
        "WORKS",
        "INCONCLUSIVE",
    ]
    assert state(tmp_path / "merged") == "interrupted"


def test_runs_of_different_sdks_are_no_matrix(tmp_path: Path) -> None:
    paths = [leave_run(tmp_path, {sdk: "A+"}, sdk=sdk) for sdk in ("1.58.0", "1.60.0")]

    with pytest.raises(RunError, match=r"1\.58\.0, .* 1\.60\.0: a matrix has one SDK; .*index"):
        merge(paths, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_what_cannot_be_merged_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    path = leave_run(tmp_path / "runs", {"gpt": "A+"})
    other = leave_run(tmp_path / "runs", {"gpt": "A+"}, hours=1, end=False)
    hold = Hold(other)
    for folders, message in (
        ([], "there is no run to merge"),
        ([path, path], "is named twice"),
        ([path, other], "is still being written"),
        ([tmp_path], "is not a run folder"),
    ):
        with pytest.raises(RunError, match=message):
            merge(folders, tmp_path / "merged")
    hold.release()
    with pytest.raises(RunError, match="exists: name another folder"):
        merge([path], path)
    assert [found.name for found in tmp_path.iterdir()] == ["runs"]


def test_a_merged_run_is_a_run_like_any_other(tmp_path: Path) -> None:
    paths = [leave_run(tmp_path, {"gpt": "A+ B+ C+"}, hours=n) for n in range(2)]
    target = tmp_path / merged_id(paths)

    merge(paths, target)

    assert RunStore(tmp_path).find("last") == target
    export(target, tmp_path / "a.zip", Redactor())
    assert merge([target], tmp_path / "again").parts[0].run_id == target.name
