"""Releases of the SDK as git repositories, made from their source distributions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

PACKAGES = ("openhands-sdk", "openhands-tools")
"""What a repository holds, each in a folder of that name."""

_UPSTREAM = Path(__file__).parent / "upstream"
"""Tests of the SDK: a source distribution brings none."""

_NOT_UPSTREAM = ("PKG-INFO", "setup.cfg", "*.egg-info")
_ROOT_PROJECT = """\
[tool.uv.workspace]
members = ["openhands-sdk", "openhands-tools"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""
_NOBODY = {
    "GIT_AUTHOR_NAME": "Upstream",
    "GIT_AUTHOR_EMAIL": "upstream@example.com",
    "GIT_COMMITTER_NAME": "Upstream",
    "GIT_COMMITTER_EMAIL": "upstream@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
"""Equal files give an equal commit."""


def repository(release: str, folder: Path) -> Path:
    """A checkout of ``main`` with the release as its only commit, laid out as upstream's is.

    ``folder`` must not exist. Skips the test if there is no package index to get it from.
    """
    folder.mkdir(parents=True)
    for package in PACKAGES:
        with tarfile.open(_source(package, release)) as archive:
            archive.extractall(folder, filter="data")
        unpacked = folder / f"{package.replace('-', '_')}-{release}"
        for pattern in _NOT_UPSTREAM:
            for stray in unpacked.glob(pattern):
                shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
        unpacked.rename(folder / package)
    tests = folder / "tests/sdk/llm"
    tests.mkdir(parents=True)
    for file in _UPSTREAM.glob("*.py"):
        shutil.copyfile(file, tests / f"test_{file.name}")
    (folder / "pyproject.toml").write_text(_ROOT_PROJECT)
    (folder / ".gitignore").write_text("__pycache__/\n*.egg-info/\n.venv/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", f"--message=Release {release}")
    git(folder, "tag", f"v{release}")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git there as nobody in particular, and return what it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=inherited | _NOBODY,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _source(package: str, release: str) -> Path:
    """The source distribution, downloaded once for all runs and workers."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"{package.replace('-', '_')}-{release}.tar.gz"
    with FileLock(cache / "lock"):
        if not archive.exists():
            _download([f"{one}=={release}" for one in PACKAGES], cache)
    return archive


def _cache() -> Path:
    if given := os.environ.get("OHLLM_TEST_CACHE"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pytest-ohllm" / "sources"


def _download(wanted: Sequence[str], cache: Path) -> None:
    """Have pip fetch source distributions from wherever it is configured to look."""
    ours = Path(sys.executable).with_name("uv")
    uv = str(ours) if ours.exists() else shutil.which("uv") or "uv"
    parts = cache / "parts"
    # pip asks a package for its metadata even so: setuptools beside it spares it an environment.
    pip = ["tool", "run", "--quiet", "--python", sys.executable, "--with", "setuptools", "pip"]
    sources = ["--no-deps", "--no-binary=:all:", "--no-build-isolation", f"--dest={parts}"]
    command = [uv, *pip, "download", "--quiet", "--retries=1", *sources, *wanted]
    done = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        for archive in parts.glob("*.tar.gz"):
            archive.replace(cache / archive.name)
        return
    said = done.stdout + done.stderr
    assert _no_index(said), said
    reason = f"NO PACKAGE INDEX: {' '.join(wanted)} cannot be downloaded, and nothing was tested"
    warnings.warn(reason, stacklevel=2)
    pytest.skip(reason)


def _no_index(said: str) -> bool:
    """Whether nobody answered: with an index, pip lists the versions that there are."""
    signs = ("(from versions: none)", "Failed to fetch", "dns error", "error sending request")
    return any(sign in said for sign in signs) and "Requires-Python" not in said
