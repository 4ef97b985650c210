"""What the GitHub of the tests knows: accounts, repositories on disk, pull requests."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, errors: list[Json] | None = None) -> None:
        self.status = status
        self.answer: Json = {"message": message, "documentation_url": "https://docs.github.com"}
        if errors:
            self.answer["errors"] = errors


class Killed(Exception):
    """No answer: the connection ends."""


@dataclass
class Account:
    """A user, or an organization, which has no token."""

    login: str
    kind: str = "User"
    members: set[str] = field(default_factory=set)
    token: str = ""
    scopes: str | None = "repo, read:org, workflow"
    """None: the token is of a kind that has no scopes."""
    may_fork: bool = True
    may_open: bool = True
    readable_only: bool = False
    """The token may read only, whatever the user may do: a fine-grained one."""


@dataclass
class Repository:
    """A bare repository on disk."""

    name: str
    path: Path
    parent: Repository | None = None
    writers: set[str] = field(default_factory=set)
    archived: bool = False
    allow_forking: bool = True
    protected: str = ""
    """What the server says when it rejects a push."""
    moved_to: str = ""
    asked: int = 0
    """How often git has asked for a fork that is not there yet."""

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    def git(self, *arguments: str) -> str:
        """The output of a git command; empty if it fails."""
        done = run_git("--git-dir", str(self.path), *arguments)
        return done.stdout.strip() if done.returncode == 0 else ""

    def tip(self, branch: str) -> str:
        """The commit of a branch; empty if there is none."""
        return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")

    def branches(self) -> dict[str, str]:
        """All branches with their commits."""
        lines = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(line.split(" ") for line in lines.splitlines())


@dataclass
class Pull:
    """A pull request."""

    number: int
    into: Repository
    base: str
    head: Repository
    branch: str
    title: str
    body: str
    author: str
    draft: bool
    maintainer_can_modify: bool
    state: str = "open"
    merged: bool = False
    closed_at_sha: str = ""

    @property
    def sha(self) -> str:
        """The head's commit, which a closed pull request keeps."""
        return self.closed_at_sha or self.head.tip(self.branch)

    def close(self, *, merged: bool = False) -> None:
        """What a maintainer does."""
        self.closed_at_sha, self.state, self.merged = self.sha, "closed", merged


@dataclass(frozen=True)
class Request:
    """What came over the wire, the token aside."""

    method: str
    path: str
    login: str
    content: Any
    host: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def run_git(*arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, env=clean
    )
