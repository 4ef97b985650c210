"""GitHub Actions on this machine, as far as the examples need it: jobs, matrix, steps, artifacts.

The scripts of the steps are run as they are, by bash, with the environment that a runner gives
them and nothing else. Of actions that are used, only those that move files do something.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.examples.expressions import as_text, condition, filled

REPOSITORY = "someone/software-agent-sdk"
RUN_ID = "4711"


@dataclass
class Step:
    """How one step ended; ``code`` is that of its script."""

    name: str
    code: int = 0
    output: str = ""
    skipped: bool = False
    seconds: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """How one job ended, of a matrix one of its jobs."""

    name: str
    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    folder: Path = Path()
    matrix: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """What all its steps printed."""
        return "\n".join(
            f"### {step.name}: {step.code} ({step.seconds:.1f} s)\n{step.output}"
            for step in self.steps
        )

    @property
    def summary(self) -> str:
        """What was written to the step summary."""
        return (self.folder / "summary").read_text(encoding="utf-8")

    def step(self, name: str) -> Step:
        """The step of this name."""
        (found,) = [step for step in self.steps if step.name == name]
        return found


@dataclass
class GitHub:
    """A repository, and what its runners find.

    ``checkout`` is what actions/checkout gives, ``path`` begins the PATH, ``variables`` are added
    to every step and win, ``environments`` are the repository's with their secrets.
    """

    folder: Path
    checkout: Path
    path: list[Path]
    variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)
    event_name: str = "workflow_dispatch"
    artifacts: dict[str, Path] = field(default_factory=dict)
    ref_name: str = "main"
    token: str = "no-token"

    def run(
        self, workflow: Path, before: Mapping[str, list[Job]] | None = None, **inputs: Any
    ) -> dict[str, list[Job]]:
        """Run a workflow; its jobs by their ids, each with one entry, or those of its matrix.

        ``before`` are jobs that have been run, such as those that call another workflow.
        """
        content = load(workflow)
        on = triggers(content)
        trigger = on.get(self.event_name) or on.get("workflow_call")
        declared = (trigger or {}).get("inputs") or {}
        given = {name: inputs.pop(name.replace("-", "_"), about.get("default"))
                 for name, about in declared.items()}  # fmt: skip
        assert not inputs, f"the workflow has no inputs {sorted(inputs)}"
        done = dict(before or {})
        for name, job in content["jobs"].items():
            if name not in done and "uses" not in job:
                done[name] = self._job(content, name, job, given, done)
        return done

    def _job(
        self,
        workflow: Mapping[str, Any],
        name: str,
        job: Mapping[str, Any],
        inputs: Mapping[str, Any],
        done: Mapping[str, list[Job]],
    ) -> list[Job]:
        needs = job.get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        needed = {one: _as_need(done[one]) for one in needs}
        context: dict[str, Any] = {
            "github": self._github(),
            "inputs": inputs,
            "needs": needed,
            "always": lambda: True,
            "cancelled": lambda: False,
            "success": lambda: all(one["result"] == "success" for one in needed.values()),
            "failure": lambda: any(one["result"] == "failure" for one in needed.values()),
        }
        if not condition(job.get("if", "success()"), context):
            return [Job(name, result="skipped")]
        matrix = filled((job.get("strategy") or {}).get("matrix"), context)
        rows = matrix["include"] if matrix else [{}]

        def one(index: int) -> Job:
            here = {"matrix": rows[index], "strategy": {"job-index": float(index)}}
            return self._one(workflow, f"{name}-{index}", job, {**context, **here})

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(one, range(len(rows))))

    def _one(
        self,
        workflow: Mapping[str, Any],
        name: str,
        job: Mapping[str, Any],
        context: dict[str, Any],
    ) -> Job:
        folder = self.folder / name
        made = Job(name, folder=folder, matrix=dict(context["matrix"]))
        for place in ("home", "temp", "workspace"):
            (folder / place).mkdir(parents=True)
        for file in ("summary", "env", "path", "output"):
            (folder / file).touch()
        environment = filled(job.get("environment", ""), context) or ""
        outputs: dict[str, Any] = {}
        context = {
            **context,
            "runner": {"temp": str(folder / "temp")},
            "secrets": self.environments.get(environment, {}),
            "steps": outputs,
            "success": lambda: made.result == "success",
            "failure": lambda: made.result == "failure",
        }
        shell = (workflow.get("defaults") or {}).get("run", {}).get("shell")
        above = {**(workflow.get("env") or {}), **(job.get("env") or {})}
        for step in job["steps"]:
            label = step.get("name") or step.get("uses", "?")
            if not condition(step.get("if", "success()"), context):
                made.steps.append(Step(label, skipped=True))
                continue
            if "uses" in step:
                ended = self._use(step, made, context)
            else:
                # What GitHub runs without `shell: bash` goes on after a failure in a pipe.
                assert step.get("shell", shell) == "bash", f"{label}: say shell: bash"
                variables = filled({**above, **step.get("env", {})}, context)
                ended = self._script(label, step["run"], made, variables)
            made.steps.append(ended)
            if ended.code and not step.get("continue-on-error"):
                made.result = "failure"
            if "id" in step:
                outputs[step["id"]] = {"outputs": _pairs(folder / "output")}
            (folder / "output").write_text("")
        made.outputs = filled(job.get("outputs") or {}, context)
        return made

    def _use(self, step: Mapping[str, Any], job: Job, context: Mapping[str, Any]) -> Step:
        action, _, version = step["uses"].partition("@")
        assert re.fullmatch(r"v\d+", version), f"{step['uses']} is not pinned to a version"
        given = filled(step.get("with", {}), context)
        ended = Step(step["uses"])
        match action:
            case "actions/checkout":
                assert given["persist-credentials"] is False, "the token would stay in the checkout"
                shutil.copytree(
                    self.checkout, job.folder / "workspace", dirs_exist_ok=True, symlinks=True
                )
            case "actions/upload-artifact":
                source = Path(given["path"])
                if source.is_dir() and any(source.iterdir()):
                    target = self.folder / "artifacts" / given["name"]
                    assert not target.exists(), f"the artifact {given['name']} exists"
                    assert not set('":<>|*?\r\n\\/') & set(given["name"]), given["name"]
                    shutil.copytree(source, target)
                    self.artifacts[given["name"]] = target
            case "actions/download-artifact":
                ended = self._download(given, ended)
            case "actions/setup-python":
                pass
            case _:
                raise AssertionError(f"what does {action} do?")
        return ended

    def _download(self, given: Mapping[str, Any], ended: Step) -> Step:
        target = Path(given["path"])
        target.mkdir(parents=True, exist_ok=True)
        if "name" in given:
            if given["name"] not in self.artifacts:
                ended.code, ended.output = 1, f"no artifact {given['name']}"
                return ended
            shutil.copytree(self.artifacts[given["name"]], target, dirs_exist_ok=True)
            return ended
        for name in fnmatch.filter(self.artifacts, given["pattern"]):
            inside = target if given.get("merge-multiple") else target / name
            for file in self.artifacts[name].iterdir():
                assert not (inside / file.name).exists(), f"two artifacts hold {file.name}"
            shutil.copytree(self.artifacts[name], inside, dirs_exist_ok=True)
        return ended

    def _script(self, label: str, script: str, job: Job, variables: Mapping[str, Any]) -> Step:
        folder = job.folder
        added = (folder / "path").read_text().split("\n")[:-1]
        path = [*reversed(added), *map(str, self.path), "/usr/local/bin", "/usr/bin", "/bin"]
        environment = {
            "PATH": os.pathsep.join(path),
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": self._github()["server_url"],
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": RUN_ID,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_REF_NAME": self.ref_name,
            "GITHUB_WORKSPACE": str(folder / "workspace"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_ENV": str(folder / "env"),
            "GITHUB_PATH": str(folder / "path"),
            "RUNNER_TEMP": str(folder / "temp"),
            **_pairs(folder / "env"),
            **{name: as_text(value) for name, value in variables.items()},
            **self.variables,
        }
        file = folder / "script.sh"
        file.write_text(script)
        # As `shell: bash` does, and variables that nobody has set are mistakes.
        started = time.monotonic()
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", str(file)],
            cwd=folder / "workspace",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        seconds = time.monotonic() - started
        return Step(label, done.returncode, done.stdout, False, seconds, environment)

    def _github(self) -> dict[str, Any]:
        host = self.variables.get("GH_HOST", "github.com")
        return {
            "event": self.event,
            "event_name": self.event_name,
            "repository": REPOSITORY,
            "run_id": RUN_ID,
            "server_url": f"https://{host}",
            "token": self.token,
        }


def load(workflow: Path) -> dict[str, Any]:
    """The content of a workflow."""
    content = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def triggers(workflow: Mapping[Any, Any]) -> dict[str, Any]:
    """What is below ``on``, which YAML 1.1 takes for a truth value."""
    found = workflow.get("on", workflow.get(True))
    return found if isinstance(found, dict) else dict.fromkeys(found or [])


def scripts(workflow: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All (job, script) of a workflow."""
    return [
        (name, step["run"])
        for name, job in workflow["jobs"].items()
        for step in job.get("steps", [])
        if "run" in step
    ]


def _as_need(jobs: list[Job]) -> dict[str, Any]:
    results = {job.result for job in jobs}
    worst = next((one for one in ("failure", "skipped") if one in results), "success")
    return {"result": worst, "outputs": jobs[-1].outputs}


def _pairs(file: Path) -> dict[str, str]:
    """The lines ``name=value`` of a file such as $GITHUB_ENV."""
    pairs = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert all(isinstance(json.dumps(value), str) for value in pairs.values())
    return pairs
