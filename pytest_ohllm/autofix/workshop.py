"""The worktrees and sandboxes of one cause: the base, the agent's, and the one that is judged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pytest_ohllm.autofix.checkout import Checkout, Worktree
from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.autofix.policy import Patch
from pytest_ohllm.autofix.sandbox import Sandbox, places_of_this_python
from pytest_ohllm.evidence.files import make_folder

_BASE, _WORK, _CHECKED = "base", "work", "checked"


class Workshop:
    """Everything below ``folder``; ``readable`` are the places that all of it may read, ``judging``
    those that the agent may not.

    What judges the agent's work has worktrees and scratch folders that the agent never had.
    """

    def __init__(
        self,
        checkout: Checkout,
        folder: Path,
        readable: Sequence[Path],
        judging: Sequence[Path],
        *,
        unsafe: bool,
    ) -> None:
        self.checkout, self.folder = checkout, folder
        self._readable = (*places_of_this_python(), *readable)
        self._judging = tuple(judging)
        self._unsafe = unsafe

    def base(self, commit: str) -> Sandbox:
        """The SDK before the change."""
        return self._sandbox(_BASE, self._fresh(_BASE, commit))

    def work(self, commit: str, *, fresh: bool) -> Sandbox:
        """The agent's place; not ``fresh``, as it has left it, if it is there still."""
        found = None if fresh else self.checkout.existing(self.folder / _WORK)
        return self._sandbox(_WORK, found or self._fresh(_WORK, commit))

    def change(self, base: str) -> Patch:
        """What the agent has changed."""
        worktree = self.checkout.existing(self.folder / _WORK)
        if worktree is None:
            raise AutofixError(f"the worktree {self.folder / _WORK} is gone", "run it again")
        return Patch(self.checkout.git, base, worktree.tree())

    def checked(self, patch: Patch) -> Sandbox:
        """The SDK with the change, and with nothing else that the agent has left."""
        worktree = self._fresh(_CHECKED, patch.base)
        worktree.git.run("read-tree", "-u", "--reset", patch.tree)
        return self._sandbox(_CHECKED, worktree)

    def close(self) -> None:
        """Take the worktrees away."""
        for name in (_BASE, _WORK, _CHECKED):
            self.checkout.remove(self.folder / name)
            shutil.rmtree(self._scratch(name), ignore_errors=True)

    def _fresh(self, name: str, commit: str) -> Worktree:
        shutil.rmtree(self._scratch(name), ignore_errors=True)
        return self.checkout.worktree(self.folder / name, commit)

    def _scratch(self, name: str) -> Path:
        return self.folder / f"{name}-scratch"

    def _sandbox(self, name: str, worktree: Worktree) -> Sandbox:
        make_folder(self._scratch(name))
        more = () if name == _WORK else self._judging
        return Sandbox(
            worktree=worktree.path,
            git_dir=self.checkout.git_dir,
            scratch=self._scratch(name),
            readable=(*self._readable, *more),
            unsafe=self._unsafe,
        )
