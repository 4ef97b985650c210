"""What a patch may change, judged on git's objects before anything of it is run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from pytest_ohllm.autofix.errors import Refused
from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.weakening import weakness
from pytest_ohllm.evidence.redaction import SUSPICIONS, Redactor

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
    def content(self) -> bytes:
        """As ``git apply`` takes it."""
        return self._differences("-p", "--binary", "--full-index")

    @property
    def files(self) -> list[str]:
        """The paths that it touches."""
        return [path for _, _, _, path in self._raw()]

    def _raw(self) -> list[tuple[str, str, str, str]]:
        """(old mode, new mode, status, path) of each file."""
        parts = self._differences("--raw", "-z").split(b"\0")
        found = []
        for about, path in zip(parts[::2], parts[1::2], strict=False):
            old, new, _, _, status = about.decode().lstrip(":").split(" ")
            found.append((old, new, status, os.fsdecode(path)))
        return found

    def _differences(self, *how: str) -> bytes:
        # `git diff` would obey what the user's configuration says of colours, prefixes and tools.
        plain = ("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
        return self.git.content("diff-tree", "-r", *plain, *how, self.base, self.tree)

    def _blob(self, where: str, path: str) -> str:
        return self.git.content("cat-file", "blob", f"{where}:{path}").decode(
            errors="surrogateescape"
        )

    def check(self, redactor: Redactor) -> None:
        """Raises PatchRefused for the first rule that it breaks, and if it changes nothing."""
        raw = self._raw()
        if not raw:
            raise PatchRefused("the patch is empty: the agent changed no file")
        for old, new, _, path in raw:
            _judge_place(path, old, new)
        self._judge_size(raw)
        for _, _, status, path in raw:
            old = "" if status == "A" else self._blob(self.base, path)
            new = "" if status == "D" else self._blob(self.tree, path)
            if path.startswith("tests/") and status != "A":
                _judge_test(path, old, new, deleted=status == "D")
            _judge_secrets(path, old, new, redactor)
        if not any(path.startswith("openhands-") for _, _, _, path in raw):
            raise PatchRefused("the patch changes no code of the SDK")

    def _judge_size(self, raw: list[tuple[str, str, str, str]]) -> None:
        counted = self._differences("--numstat", "-z").decode().rstrip("\0")
        rows = [line.split("\t", 2) for line in counted.split("\0")]
        if binary := [path for added, _, path in rows if added == "-"]:
            raise PatchRefused(f"the patch changes a binary file: {binary[0]}")
        lines = sum(int(added) + int(removed) for added, removed, _ in rows)
        size = len(self.content)
        if len(raw) > MOST_FILES or lines > MOST_LINES or size > MOST_BYTES:
            raise PatchRefused(
                f"the patch is too large: {len(raw)} files, {lines} lines, {size} bytes; at most "
                f"{MOST_FILES}, {MOST_LINES} and {MOST_BYTES} are meant for one gap"
            )


def _judge_place(path: str, old: str, new: str) -> None:
    if not path.isprintable():
        raise PatchRefused(f"the patch changes a file whose name is no plain text: {path!r}")
    if new not in _REGULAR or old not in _REGULAR:
        kind = "a symbolic link" if "120000" in (old, new) else "no ordinary file"
        raise PatchRefused(f"the patch makes or changes {kind}: {path}")
    if "000000" not in (old, new) and old != new:
        raise PatchRefused(f"the patch changes the mode of {path}")
    if not _ALLOWED.fullmatch(path) or _FORBIDDEN.search(path):
        raise PatchRefused(
            f"the patch changes {path}; it may change the SDK's code, tests, docs and examples only"
        )


def _judge_secrets(path: str, old: str, new: str, redactor: Redactor) -> None:
    """What was there before is not the patch's."""
    found = _secrets(new, redactor) - _secrets(old, redactor) | _secrets(path, redactor)
    if found:
        name = min(label for label, _ in found)
        shown = redactor.text(path)
        raise PatchRefused(f"the patch holds what looks like a secret ({name}) in {shown}")


def _secrets(text: str, redactor: Redactor) -> set[tuple[str, str]]:
    spans = redactor.spans(text)
    return {(label, text[start:end]) for start, end, label in spans if label not in SUSPICIONS}


def _judge_test(path: str, old: str, new: str, *, deleted: bool) -> None:
    """A test that is there may become stricter, never weaker."""
    if deleted:
        raise PatchRefused(f"the patch deletes {path}: it may not weaken tests")
    if not path.endswith(".py"):
        raise PatchRefused(f"the patch changes the data of tests: {path}")
    if problem := weakness(old, new):
        raise PatchRefused(f"the patch weakens {path}: {problem}")
