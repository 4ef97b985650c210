"""The pipeline for GitLab: its scripts, run as a runner does, and what is carried between jobs."""

from __future__ import annotations

import http.server
import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from tests.examples.runner import EXAMPLES, WHOLE, checkout, installed, tools

PIPELINE = EXAMPLES / "gitlab-ci/.gitlab-ci.yml"
MOST_PARALLEL = 200

pytestmark = pytest.mark.timeout(1200 if WHOLE else 240)  # of which installing is the most


@dataclass
class Ended:
    """One job: its exit code, what it printed, and where it ran."""

    code: int
    output: str
    project: Path


@dataclass
class GitLab:
    """A project and its runners."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, name: str, number: int, row: Mapping[str, str], *evidence: Path) -> Ended:
        """Run one job, with the artifacts of others."""
        pipeline = load()
        job = pipeline[name]
        assert pipeline[job["extends"]]["image"] == "python:3.12"
        project = checkout(self.folder / f"{name}-{number}")
        for artifact in evidence:
            shutil.copytree(artifact, project / artifact.name, dirs_exist_ok=True)
        home = self.folder / f"home-{name}-{number}"
        home.mkdir()
        environment = {
            "PATH": os.pathsep.join([str(self.folder / "bin"), "/usr/local/bin:/usr/bin:/bin"]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "CI": "true",
            "CI_PROJECT_DIR": str(project),
            "CI_PIPELINE_ID": "99",
            "CI_NODE_INDEX": str(number),
            **{key: str(value) for key, value in pipeline["variables"].items()},
            **{key: str(value) for key, value in job.get("variables", {}).items()},
            **row,
            **self.variables,
        }
        # All of them in one shell, as a runner does.
        script = "\n".join(job["script"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return Ended(done.returncode, done.stdout, project)


def load() -> dict[str, Any]:
    """The pipeline."""
    found = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def rows(matrix: list[dict[str, str | list[str]]]) -> list[dict[str, str]]:
    """The jobs of `parallel: matrix`: all combinations in each entry."""
    found = []
    for entry in matrix:
        values = [[one] if isinstance(one, str) else one for one in entry.values()]
        found += [dict(zip(entry, chosen, strict=True)) for chosen in itertools.product(*values)]
    return found


@pytest.fixture
def gitlab(tmp_path: Path, built: Path) -> GitLab:
    tools(tmp_path / "bin")
    return GitLab(tmp_path, installed(built) | {"GATES": "none"})


@contextmanager
def notes() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A GitLab that takes notes: its address, and (path, token, body) of each."""
    taken: list[tuple[str, str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            body = parse_qs(content)["body"][0]
            taken.append((self.path, self.headers["PRIVATE-TOKEN"], body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/v4", taken
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_the_jobs_of_a_matrix_become_one_page_and_one_note(gitlab: GitLab) -> None:
    codes = {"sim:down sim:bad-key": 10}
    codes |= {"sim": 0, "sim:parrot": 1} if WHOLE else {}

    jobs = [
        gitlab.run("llm-compat", number, {"PROFILES": names, "ACCOUNT": "none"})
        for number, names in enumerate(codes, 1)
    ]
    assert [job.code for job in jobs] == list(codes.values()), jobs[0].output
    with notes() as (address, taken):
        note = {
            "LLM_NOTE_TOKEN": "glpat-canary",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_PROJECT_ID": "5",
            "CI_API_V4_URL": address,
        }
        matrix = gitlab.run("llm-matrix", 1, note, *(job.project / "evidence" for job in jobs))

    assert matrix.code == (1 if WHOLE else 10), matrix.output
    made = matrix.project / "matrix"
    assert sorted(file.name for file in made.iterdir()) == ["report.html", "run.zip", "summary.md"]
    summary = (made / "summary.md").read_text(encoding="utf-8")
    assert all(f"| {profile} |" in summary for profile in " ".join(codes).split())
    where = "/api/v4/projects/5/merge_requests/7/notes"
    assert taken == [(where, "glpat-canary", summary)]
    for job in jobs:
        kinds = {file.name.partition("-")[0] for file in (job.project / "evidence").iterdir()}
        assert kinds == {"junit", "report", "run"}


def test_the_pipeline_is_as_it_explains() -> None:
    pipeline = load()
    compat = pipeline["llm-compat"]

    assert len(rows(compat["parallel"]["matrix"])) == 4 <= MOST_PARALLEL
    assert compat["allow_failure"] == {"exit_codes": [10]}
    assert not [name for name in pipeline["variables"] if "KEY" in name or "TOKEN" in name]
    told = pipeline[".with-ohllm"]["rules"][0]["if"]
    assert "merge_request_event" not in told, "strangers' code is started by a person"
