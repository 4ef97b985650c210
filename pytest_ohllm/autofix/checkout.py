"""The SDK's checkout: where it is, the base that a fix starts from, and worktrees beside it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from pytest_ohllm.autofix.errors import AutofixError, UsageError
from pytest_ohllm.autofix.git import Git, GitError
from pytest_ohllm.model import Revision

USUAL = Path("~/repos/agent-sdk")
SDK_CODE = Path("openhands-sdk") / "openhands" / "sdk" / "__init__.py"


class Checkout:
    """A clone of the SDK's repository. Its own files are never touched, dirty or not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._own = _git_dir(root / ".git")
        self.git_dir = _common_dir(self._own)
        self.git = Git(self.git_dir)

    @classmethod
    def find(cls, given: Path | None, used: Revision) -> Checkout:
        """The checkout that was named, else the one that the run used, else the usual place.

        Raises UsageError if none of them is a checkout of the SDK.
        """
        if given is not None:
            return cls._at(given.expanduser(), "--sdk")
        if used.git_sha and used.path:
            found = cls._above(Path(used.path))
            if found is not None:
                return found
        if USUAL.expanduser().is_dir():
            return cls._at(USUAL.expanduser(), "the usual place")
        raise UsageError(
            f"there is no checkout of the SDK: the run used {used.path or 'none'}, which is no git "
            f"checkout, and {USUAL} does not exist",
            f"git clone https://github.com/OpenHands/software-agent-sdk {USUAL}, or give --sdk",
        )

    @classmethod
    def _at(cls, root: Path, what: str) -> Checkout:
        if not root.is_dir():
            raise UsageError(f"{what}: {root} is not a folder", "give the folder of a clone")
        found = cls._above(root)
        if found is None:
            raise UsageError(
                f"{what}: {root} is not a checkout of the SDK: it has no {SDK_CODE} in git",
                "give the folder of a clone of OpenHands/software-agent-sdk",
            )
        return found

    @classmethod
    def _above(cls, folder: Path) -> Checkout | None:
        folder = folder.resolve()
        for root in (folder, *folder.parents):
            if (root / SDK_CODE).is_file() and _git_dir(root / ".git").is_dir():
                return cls(root)
        return None

    def base(self, repository: str, branch: str, ref: str | None) -> str:
        """The commit that a fix starts from: ``ref``, or ``branch`` as the repository has it now.

        Raises AutofixError if it cannot be fetched, and UsageError if ``ref`` names nothing.
        """
        if ref is not None:
            try:
                # HEAD is the checkout's own, which may be a worktree of another one.
                return Git(self._own).run("rev-parse", "--verify", f"{ref}^{{commit}}").strip()
            except GitError:
                raise UsageError(
                    f"--sdk-ref {ref} names no commit in {self.root}", "fetch it first"
                ) from None
        remote = self._remote(repository)
        into = f"refs/ohllm/base/{branch}"
        try:
            # Neither the remote's branches as the user knows them nor FETCH_HEAD change.
            alone = ("--no-tags", "--refmap=", "--no-write-fetch-head", "--no-recurse-submodules")
            where = f"+{branch}:{into}"
            self.git.run("fetch", "--quiet", *alone, "--", remote, where, timeout=300)
        except GitError as error:
            raise AutofixError(
                f"{branch} could not be fetched from {remote}: {error.problem}",
                "give --sdk-ref to start from what is there, such as --sdk-ref HEAD",
            ) from None
        return self.git.run("rev-parse", "--verify", into).strip()

    def _remote(self, repository: str) -> str:
        """The remote that is fetched from ``repository``, else ``origin``."""
        lines = self.git.run("remote", "-v").splitlines()
        fetched = [line.removesuffix(" (fetch)") for line in lines if line.endswith(" (fetch)")]
        pairs = [line.split("\t", 1) for line in fetched]
        for name, url in pairs:
            words = re.split("[/:]", url.lower().rstrip("/").removesuffix(".git"))
            if words[-2:] == repository.lower().split("/"):
                return name
        names = [name for name, _ in pairs]
        if "origin" in names or names:
            return "origin" if "origin" in names else names[0]
        raise UsageError(
            f"the checkout {self.root} has no remote to fetch {repository} from",
            "add one, or give --sdk-ref",
        )

    def worktree(self, path: Path, commit: str) -> Worktree:
        """A worktree at ``path`` with exactly the files of ``commit``; what was there is gone."""
        self.remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.git.run("worktree", "add", "--detach", "--quiet", str(path), commit)
        return Worktree(self, path)

    def existing(self, path: Path) -> Worktree | None:
        """The worktree at ``path``, if it is one that git knows."""
        listed = self.git.run("worktree", "list", "--porcelain").splitlines()
        known = f"worktree {path.resolve()}" in listed and path.is_dir()
        return Worktree(self, path) if known else None

    def remove(self, path: Path) -> None:
        """Take a worktree away, with whatever is left of it."""
        _delete(path)
        self.git.run("worktree", "prune")


class Worktree:
    """One worktree; ``git`` is told where its data is, since its ``.git`` is not to be trusted."""

    def __init__(self, checkout: Checkout, path: Path) -> None:
        self.checkout, self.path = checkout, path.resolve()
        self.git = Git(_own_dir(checkout.git_dir, self.path), self.path)

    def tree(self) -> str:
        """The tree of all files as they are now, new ones included, ignored ones not."""
        index = self.git.git_dir / "ohllm-index"
        index.unlink(missing_ok=True)
        alone = {"GIT_INDEX_FILE": str(index)}
        # What is ignored and yet there in the commit would be missing otherwise.
        self.git.run("read-tree", "HEAD", environment=alone)
        self.git.run("add", "--all", "--", ".", environment=alone)
        found = self.git.run("write-tree", environment=alone).strip()
        index.unlink(missing_ok=True)
        return found


def _delete(path: Path) -> None:
    """Remove what was left there, folders that nobody may write as well."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    for place, folders, _ in os.walk(path):
        for folder in (Path(place, name) for name in folders):
            if not folder.is_symlink():
                folder.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def _git_dir(dot_git: Path) -> Path:
    """The folder that ``.git`` is, or that the file ``.git`` leads to."""
    if not dot_git.is_file():
        return dot_git
    text = dot_git.read_text(encoding="utf-8", errors="replace").partition("gitdir:")[2].strip()
    return (dot_git.parent / text).resolve()


def _common_dir(own: Path) -> Path:
    """The repository's own folder, which all of its worktrees share."""
    common = own / "commondir"
    if not common.is_file():
        return own
    return (own / common.read_text(encoding="utf-8").strip()).resolve()


def _own_dir(git_dir: Path, path: Path) -> Path:
    """The folder in the repository that belongs to the worktree at ``path``."""
    for entry in (git_dir / "worktrees").glob("*/gitdir"):
        if Path(entry.read_text(encoding="utf-8").strip()) == path / ".git":
            return entry.parent
    raise AutofixError(f"git does not know the worktree {path}", "remove it and run it again")
