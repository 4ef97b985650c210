"""Which SDK is in use: version, path, git revision, and whether the checkout was changed.

The version that package metadata names can be another one than the code that is imported: a
checkout on PYTHONPATH shadows a wheel without touching its metadata. So the path of the code comes
first.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pytest_ohllm.model import Revision

OLDEST_SUPPORTED = (1, 12)
"""The first SDK that stages A to C run on."""

PACKAGES = ("litellm", "openai", "mcp", "fastmcp", "httpx", "pydantic", "openhands-tools", "pytest")
"""Distributions whose versions explain differences between two machines."""

_FOR_GIT = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LANG", "LC_ALL")
"""Where git and its configuration are: an owner may have to be called safe there."""


def find() -> Path | None:
    """The folder of the ``openhands.sdk`` that would be imported, without importing it."""
    spec = PathFinder.find_spec("openhands")
    for location in (spec.submodule_search_locations or []) if spec else []:
        if (Path(location) / "sdk" / "__init__.py").is_file():
            return (Path(location) / "sdk").resolve()
    return None


def identify() -> Revision:
    """Version, path, git SHA and dirty state of the SDK in use; about 0.1 s in a checkout."""
    path = find()
    if path is None:
        return Revision(version=None, path=None)
    root = _checkout_of(path / "__init__.py")
    if root is None:
        return Revision(version=installed("openhands-sdk"), path=str(path))
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return Revision(
        version=_source_version(path) or installed("openhands-sdk"),
        path=str(path),
        git_sha=_git(root, "rev-parse", "HEAD"),
        dirty=None if changes is None else bool(changes),
    )


def too_old(revision: Revision) -> str | None:
    """A sentence for the user if the SDK is missing or older than what is supported."""
    oldest = ".".join(map(str, OLDEST_SUPPORTED))
    if revision.path is None:
        return f"openhands-sdk is not installed: pip install 'openhands-sdk>={oldest}'"
    numbers = re.match(r"(\d+)\.(\d+)", revision.version or "")
    if numbers and tuple(map(int, numbers.groups())) < OLDEST_SUPPORTED:
        return (
            f"openhands-sdk {revision.version} at {revision.path} is older than {oldest}, "
            f"the oldest that is supported: upgrade it"
        )
    return None


def installed(name: str) -> str | None:
    """The installed version of a distribution, or ``None``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def package_versions() -> dict[str, str]:
    """Versions of the packages whose drift breaks things."""
    return {name: found for name in PACKAGES if (found := installed(name))}


def _checkout_of(file: Path) -> Path | None:
    """The git work tree that tracks ``file``.

    Being inside a work tree is not enough: a wheel in a ``.venv`` within somebody's own repository
    is.
    """
    top = _git(file.parent, "rev-parse", "--show-toplevel")
    if top is None or _git(Path(top), "ls-files", "--error-unmatch", str(file)) is None:
        return None
    return Path(top)


def _source_version(path: Path) -> str | None:
    """The version in the checkout's own pyproject.toml, two levels above ``openhands/sdk``."""
    try:
        text = (path.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
        found = tomllib.loads(text)["project"]["version"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return None
    return str(found)


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a read-only git command that takes no lock and obeys no hook, or ``None``."""
    # No key of the user's: git starts what the user's configuration names.
    environ = {name: os.environ[name] for name in _FOR_GIT if name in os.environ}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            env=environ | {"GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
