"""What a patch may change, judged on git's objects before anything of it is run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_ohllm.autofix.errors import Refused
from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.weakening import weakness
from pytest_ohllm.evidence.redaction import Redactor

MOST_FILES = 40
MOST_LINES = 2000
MOST_BYTES = 400_000

_ALLOWED = re.compile(r"openhands-[\w-]+/openhands/.+|tests/.+|docs/.+|examples/.+")
_FORBIDDEN = re.compile(
    r"(^|/)(\.[^/]+|conftest\.py|pytest\.ini|tox\.ini|setup\.(py|cfg)|pyproject\.toml"
    r"|sitecustomize\.py|usercustomize\.py|[^/]+\.(pth|lock))(/|$)"
)
"""Wherever they stand: hidden files and folders, and what steers Python, pytest or the build."""

_REGULAR = {"100644", "100755", "000000"}


class PatchRefused(Refused):
    """The patch breaks a rule; the message says which, and where."""


@dataclass(frozen=True)
class Patch:
    """A change between two trees of one repository."""

    git: Git
    base: str
    tree: str

    @property
    def text(self) -> str:
        """As ``git apply`` takes it."""
        return self.git.run("diff", "--binary", "--no-renames", self.base, self.tree)

    @property
    def files(self) -> list[str]:
        """The paths that it touches."""
        return [path for _, _, _, path in self._raw()]

    def _raw(self) -> list[tuple[str, str, str, str]]:
        """(old mode, new mode, status, path) of each file."""
        raw = self.git.run("diff", "--raw", "-z", "--no-renames", self.base, self.tree)
        parts = raw.split("\0")
        found = []
        for about, path in zip(parts[::2], parts[1::2], strict=False):
            old, new, _, _, status = about.lstrip(":").split(" ")
            found.append((old, new, status, path))
        return found

    def old(self, path: str) -> str | None:
        """The content of ``path`` before, if it was there."""
        return self._content(self.base, path)

    def new(self, path: str) -> str | None:
        """The content of ``path`` after."""
        return self._content(self.tree, path)

    def _content(self, where: str, path: str) -> str | None:
        done = self.git.process("cat-file", "blob", f"{where}:{path}")
        return done.stdout if done.returncode == 0 else None

    def check(self, redactor: Redactor) -> None:
        """Raises PatchRefused for the first rule that it breaks, and if it changes nothing."""
        raw = self._raw()
        if not raw:
            raise PatchRefused("the patch is empty: the agent changed no file")
        for old, new, status, path in raw:
            _judge_place(path, old, new)
            if path.startswith("tests/") and status != "A":
                _judge_test(path, self.old(path) or "", self.new(path))
        if not any(path.startswith("openhands-") for path in self.files):
            raise PatchRefused("the patch changes no code of the SDK")
        self._judge_size(raw)
        for path in self.files:
            self._judge_secrets(path, redactor)

    def _judge_size(self, raw: list[tuple[str, str, str, str]]) -> None:
        counted = self.git.run("diff", "--numstat", "--no-renames", self.base, self.tree)
        rows = [line.split("\t", 2) for line in counted.splitlines()]
        if binary := [path for added, _, path in rows if added == "-"]:
            raise PatchRefused(f"the patch changes a binary file: {binary[0]}")
        lines = sum(int(added) + int(removed) for added, removed, _ in rows)
        size = len(self.text.encode())
        if len(raw) > MOST_FILES or lines > MOST_LINES or size > MOST_BYTES:
            raise PatchRefused(
                f"the patch is too large: {len(raw)} files, {lines} lines, {size} bytes; at most "
                f"{MOST_FILES}, {MOST_LINES} and {MOST_BYTES} are meant for one gap"
            )

    def _judge_secrets(self, path: str, redactor: Redactor) -> None:
        # What was there before is not the patch's.
        before = set(redactor.contains(self.old(path) or ""))
        found = [*redactor.contains(path), *redactor.contains(self.new(path) or "")]
        if new := [name for name in found if name not in before]:
            raise PatchRefused(f"the patch holds what looks like a secret ({new[0]}) in {path}")


def _judge_place(path: str, old: str, new: str) -> None:
    if new not in _REGULAR or old not in _REGULAR:
        kind = "a symbolic link" if "120000" in (old, new) else "no ordinary file"
        raise PatchRefused(f"the patch makes or changes {kind}: {path}")
    if "000000" not in (old, new) and old != new:
        raise PatchRefused(f"the patch changes the mode of {path}")
    if not _ALLOWED.fullmatch(path) or _FORBIDDEN.search(path):
        raise PatchRefused(
            f"the patch changes {path}; it may change the SDK's code, tests, docs and examples only"
        )


def _judge_test(path: str, old: str, new: str | None) -> None:
    """A test that is there may become stricter, never weaker."""
    if new is None:
        raise PatchRefused(f"the patch deletes {path}: it may not weaken tests")
    if not path.endswith(".py"):
        raise PatchRefused(f"the patch changes the data of tests: {path}")
    if problem := weakness(old, new):
        raise PatchRefused(f"the patch weakens {path}: {problem}")
