"""Small git repositories that are laid out as the SDK's is."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SDK_CODE = "openhands-sdk/openhands/sdk/__init__.py"
MODULE = "openhands-sdk/openhands/sdk/llm/model.py"
TEST = "tests/sdk/llm/test_model.py"

_NOBODY = {
    "GIT_AUTHOR_NAME": "Nobody",
    "GIT_AUTHOR_EMAIL": "nobody@example.com",
    "GIT_COMMITTER_NAME": "Nobody",
    "GIT_COMMITTER_EMAIL": "nobody@example.com",
}


@dataclass(frozen=True)
class Repository:
    """A checkout with its ``.git`` inside."""

    root: Path

    def git(self, *arguments: str, given: bytes = b"") -> str:
        """Run git there as a user does, and return what it prints."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=inherited | _NOBODY,
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout.decode(errors="replace").strip()

    def write(self, path: str, text: str | bytes = "x = 1\n") -> Path:
        """Write a file, with its folders."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def commit(self, message: str = "a change") -> str:
        """Commit all files, ignored ones as well; the new commit."""
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")


def sdk(root: Path) -> Repository:
    """A checkout of ``main`` with one commit: a package, and a module of tests."""
    made = Repository(root)
    made.root.mkdir(parents=True)
    made.git("init", "--quiet", "--initial-branch=main")
    made.write(SDK_CODE, "")
    made.write(MODULE, "def double(x):\n    return x + x\n")
    made.write(TEST, "def test_double():\n    assert double(2) == 4\n")
    made.commit("Release")
    return made
