"""A repository with a worktree and a scratch folder, as the autofix hands them to the agent."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.autofix.sandbox import (
    Finished,
    Sandbox,
    environment_for,
    places_of_this_python,
)

TOKEN = "ghp_CanaryTokenInTheConfig0123456789abcd"
"""What stands in the address of the main checkout's remote."""


@dataclass(frozen=True)
class Ground:
    """``main`` is somebody's checkout, ``worktree`` the agent's."""

    root: Path

    @property
    def main(self) -> Path:
        return self.root / "main"

    @property
    def worktree(self) -> Path:
        return self.root / "work" / "tree"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    def sandbox(self, *, unsafe: bool = False, read_only: bool = False) -> Sandbox:
        return Sandbox(
            self.worktree,
            self.main / ".git",
            self.scratch,
            places_of_this_python(),
            unsafe=unsafe,
            read_only_worktree=read_only,
        )

    def shell(self, script: str, *, timeout: float = 30, unsafe: bool = False) -> Finished:
        """Run a shell script in the sandbox."""
        environment = environment_for(self.worktree, self.scratch)
        return self.sandbox(unsafe=unsafe).run(
            ["bash", "-c", script], environment=environment, timeout=timeout
        )


def ground(root: Path) -> Ground:
    """Make one."""
    made = Ground(root)
    made.main.mkdir(parents=True)
    made.worktree.parent.mkdir()
    git(made.main, "init", "-q", "-b", "main")
    (made.main / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (made.main / "openhands-sdk").mkdir()
    (made.main / "openhands-sdk" / "marker_of_the_worktree.py").write_text("HERE = __file__\n")
    git(made.main, "add", ".")
    git(made.main, "commit", "-qm", "one")
    git(made.main, "remote", "add", "origin", f"https://user:{TOKEN}@git.example/x.git")
    git(made.main, "worktree", "add", "-q", "-b", "fix", str(made.worktree))
    return made


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def running(word: str) -> list[int]:
    """Processes of this machine with ``word`` in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
