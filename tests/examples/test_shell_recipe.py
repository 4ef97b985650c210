"""The plain shell recipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.runner import EXAMPLES, WHOLE, installed, tools

SCRIPT = EXAMPLES / "shell/llm-compat.sh"

pytestmark = pytest.mark.timeout(1200 if WHOLE else 240)  # of which installing is the most


@pytest.fixture
def path(tmp_path: Path, built: Path) -> str:
    """A PATH on which the wheel is installed."""
    bin_folder = tools(tmp_path / "bin")
    found = os.pathsep.join([str(bin_folder), "/usr/local/bin:/usr/bin:/bin"])
    venv = tmp_path / "venv"
    for command in (
        ["uv", "venv", "--no-config", "--quiet", "--python", sys.executable, str(venv)],
        ["uv", "pip", "install", "--no-config", "--quiet", "--python", str(venv), str(built)],
    ):
        environment = {"PATH": found, "HOME": str(tmp_path)} | installed(built)
        subprocess.run(command, env=environment, check=True, cwd=tmp_path)
    return os.pathsep.join([str(venv / "bin"), found])


def recipe(folder: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [str(SCRIPT), *arguments],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "PYTEST_ADDOPTS": "--llm-gates=none"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_several_profiles_become_one_matrix(tmp_path: Path, path: str) -> None:
    profiles = ["sim:down", *(["sim:bad-key", "sim", "sim:rejects-stop"] if WHOLE else [])]

    done = recipe(tmp_path / "here", path, "-j", "2", "nobody", *profiles)

    assert done.returncode == 10, done.stdout
    output = tmp_path / "here" / "llm-compat"
    assert {file.name for file in output.iterdir()} == {
        "report.html",
        "run.zip",
        "runs",
        "summary.md",
    }
    summary = (output / "summary.md").read_text(encoding="utf-8")
    assert all(f"| {profile} |" in summary for profile in profiles)
    assert len(list(output.glob("runs/*/*/session.json"))) >= len(profiles)
    assert "nobody: 4" in done.stdout


def test_a_profile_that_is_not_there_is_a_mistake(tmp_path: Path, path: str) -> None:
    done = recipe(tmp_path, path, "-o", "out", "nobody")

    assert done.returncode == 4, done.stdout
    assert "nobody: 4" in done.stdout
    assert "no profile has left a run" in done.stdout


def test_without_a_profile_it_says_how(tmp_path: Path) -> None:
    done = recipe(tmp_path, "/usr/bin:/bin")

    assert done.returncode == 4
    assert done.stdout.startswith("usage: ")
