"""The workflows for GitHub Actions: what they say, and what their scripts do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.autofix.releases import git
from tests.examples.actions import GitHub, load, scripts, triggers
from tests.examples.runner import EXAMPLES, WHOLE, checkout, commit, installed, tools

FOLDER = EXAMPLES / "github-actions"
COMPAT = FOLDER / "llm-compat.yml"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
KEY = "sk-canary-of-the-environment-0123456789abcdefghij"

pytestmark = pytest.mark.timeout(1200 if WHOLE else 240)  # of which installing is the most


@pytest.fixture
def github(tmp_path: Path, built: Path) -> GitHub:
    """A fork with the workflows, and runners that have the wheel."""
    clone = checkout(tmp_path / "checkout")
    shutil.copytree(FOLDER / "llm-compat", clone / ".github" / "llm-compat")
    if not WHOLE:  # it takes the SDK to read them
        (clone / ".github/llm-compat/profiles.json").unlink()
    commit(clone)
    return GitHub(tmp_path / "github", clone, [tools(tmp_path / "bin")], installed(built))


def matrix(github: GitHub, *rows: dict[str, str]) -> None:
    """Let these be the repository's profiles."""
    (github.checkout / ".github/llm-compat/matrix.json").write_text(json.dumps(rows))
    commit(github.checkout)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_that_others_write_becomes_a_part_of_a_script(workflow: Path) -> None:
    assert not [script for _, script in scripts(load(workflow)) if "${{" in script]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_has_a_key_as_input_or_runs_for_strangers(workflow: Path) -> None:
    on = triggers(load(workflow))
    inputs = [
        n for about in on.values() if isinstance(about, dict) for n in about.get("inputs", ())
    ]

    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(on)
    assert not [name for name in inputs if re.search("key|secret|token|password", name)]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_who_may_write_runs_nothing_of_others_and_has_no_key(workflow: Path) -> None:
    content = load(workflow)
    assert "permissions" in content, "the default of the repository may be to write"
    for name, job in content["jobs"].items():
        permissions = job.get("permissions", content["permissions"])
        if "write" not in permissions.values():
            continue
        assert "secrets." not in json.dumps(job), name
        for step in job["steps"]:
            run = step.get("run", "")
            assert not re.search(r"(?m)^\s*(pip|uv|pytest|python3?|ohllm|bash|sh)\b", run), name


@pytest.mark.slow
def test_one_job_for_each_profile_and_one_matrix_of_all(github: GitHub) -> None:
    """Two that work, and one whose job leaves nothing."""
    works = {"profile": "sim:rejects-stop", "environment": "llm"}
    matrix(github, {"profile": "sim"}, works, {"profile": "nobody", "environment": "other"})
    github.environments = {"llm": {"LLM_API_KEY": KEY}}

    jobs = github.run(COMPAT, gates="none")

    (plan,), (merge,) = jobs["plan"], jobs["merge"]
    sim, other, nobody = jobs["test"]
    results = [job.result for job in jobs["test"]]
    assert results == ["success", "success", "failure"], sim.output
    assert merge.step("Merge the runs").code == 0, merge.output
    merged = github.artifacts["llm-compat-merged"]
    assert merge.summary == (merged / "summary.md").read_text(encoding="utf-8")
    for told in ("| sim |", "**✓ WORKS WITH SETTINGS**", "disable_stop_word=True"):
        assert told in merge.summary
    assert "sim:rejects-stop" in (merged / "report.html").read_text(encoding="utf-8")
    assert "1 of 3 jobs have left no run" in merge.summary
    assert merge.result == "failure"
    assert "::error::1 jobs have left no run" in merge.step("Verdict").output
    for job in (sim, other):
        assert "WORKS" in job.summary
        files = github.artifacts[f"llm-compat-run-{job.name[-1]}"].iterdir()
        assert {file.name.partition("-")[0] for file in files} == {"junit", "report", "run"}
    if WHOLE:
        assert "saved profile 'our-vllm'" in sim.step("Take over the profiles").output
        assert git(github.checkout, "rev-parse", "HEAD")[:8] in merge.summary
    # Only those that need it see the key, and no file holds it.
    for job in (plan, sim, nobody, merge):
        assert not any(KEY in step.environment.values() for step in job.steps)
    seeing = [step.name for step in other.steps if KEY in step.environment.values()]
    assert seeing == ["Test", "Collect the evidence"]
    for file in github.folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert KEY.encode() not in file.read_bytes(), file


@pytest.mark.skipif(not WHOLE, reason="takes half a minute")
def test_what_is_inconclusive_is_a_warning_if_wanted(github: GitHub) -> None:
    matrix(github, {"profile": "sim:bad-key"})

    jobs = github.run(COMPAT, gates="none", inconclusive_fails=False)

    (job,), (merge,) = jobs["test"], jobs["merge"]
    assert job.result == "success", job.output
    assert "::warning::inconclusive: sim:bad-key" in job.output
    assert merge.result == "success", merge.output


@pytest.mark.skipif(not WHOLE, reason="takes a minute")
def test_a_model_that_fails_is_red_and_its_evidence_is_there(github: GitHub) -> None:
    matrix(github, {"profile": "sim"}, {"profile": "sim:parrot"}, {"profile": "sim:bad-key"})

    jobs = github.run(COMPAT, gates="none", per_job=3)

    (job,) = jobs["test"]
    assert job.result == "failure"
    assert job.step("Test").code == 1
    (merge,) = jobs["merge"]
    assert merge.step("Verdict").code == 1
    assert "sim:parrot" in merge.summary


def test_events_that_strangers_cause_are_refused_before_any_job(github: GitHub) -> None:
    for name, fork in (
        ("pull_request_target", "someone/software-agent-sdk"),
        ("workflow_run", ""),
        ("pull_request", "stranger/software-agent-sdk"),
    ):
        github.event_name = name
        github.event = {"pull_request": {"head": {"repo": {"full_name": fork}}}}
        github.folder = github.folder.with_name(f"github-{name}")

        jobs = github.run(COMPAT)

        assert [job.result for job in jobs["plan"]] == ["failure"], name
        assert "::error::" in jobs["plan"][0].output
        assert [jobs[job][0].result for job in ("test", "merge")] == ["skipped", "skipped"]


def planned(github: GitHub, **inputs: object) -> tuple[list[dict[str, str]], str]:
    """What the plan makes of the repository's profiles; empty if it refuses, and what it says."""
    github.folder = github.folder.with_name(f"{github.folder.name}-")
    content = load(COMPAT)
    content["jobs"] = {"plan": content["jobs"]["plan"]}
    alone = github.folder.with_suffix(".yml")
    import yaml

    alone.write_text(yaml.safe_dump(content))
    (job,) = github.run(alone, **inputs)["plan"]
    return json.loads(job.outputs["matrix"] or '{"include": []}')["include"], job.output


def test_the_plan_of_the_example(github: GitHub) -> None:
    jobs, _ = planned(github)

    assert {"profiles": "sim", "environment": "", "runner": "ubuntu-latest"} in jobs
    private = [job for job in jobs if job["profiles"] == "our-vllm"]
    assert private == [{"profiles": "our-vllm", "environment": "llm-private", "runner": "gpu-box"}]
    assert len(jobs) == 5


def test_hundreds_of_profiles_share_jobs_but_never_accounts(github: GitHub) -> None:
    rows = [{"profile": f"m{n}", "environment": f"llm-{n % 3}"} for n in range(600)]
    matrix(github, *rows)

    refused, said = planned(github)
    jobs, _ = planned(github, per_job=5)

    assert refused == [] and "::error::600 jobs: GitHub takes 1 to 256, raise per-job" in said
    assert len(jobs) == 120
    assert sorted(name for job in jobs for name in job["profiles"].split()) == sorted(
        row["profile"] for row in rows
    )
    for job in jobs:
        accounts = {f"llm-{int(name[1:]) % 3}" for name in job["profiles"].split()}
        assert accounts == {job["environment"]}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("sim nope", "::error::not in .github/llm-compat/matrix.json: nope"),
        ("$(touch-owned)", "::error::not in"),
    ],
)
def test_what_the_plan_refuses(github: GitHub, wanted: str, said: str) -> None:
    jobs, output = planned(github, profiles=wanted)

    assert jobs == []
    assert said in output


def test_a_name_that_is_no_name_is_refused(github: GitHub) -> None:
    matrix(github, {"profile": "a\nb=c"})

    jobs, output = planned(github)

    assert jobs == [] and "::error::no names of profiles" in output


def test_the_profiles_of_the_example_are_those_of_its_matrix() -> None:
    rows = json.loads((FOLDER / "llm-compat/matrix.json").read_text())
    saved = json.loads((FOLDER / "llm-compat/profiles.json").read_text())["profiles"]

    assert [row["profile"] for row in rows] == ["sim", *(one["name"] for one in saved)]
    assert all(one["secrets"] == {"api_key": "env:LLM_API_KEY"} for one in saved)
    assert all(row["environment"] for row in rows[1:])
