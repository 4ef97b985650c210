"""What of a repository is seen in a sandbox: its history, and nothing that could hold a secret.

A ``.git`` folder holds more than git's own files: tokens in the addresses of its configuration and
of its submodules, keys of git-crypt and git-annex, hooks. So only what is known is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.autofix.git import Git

_SHOWN = ("HEAD", "packed-refs", "shallow", "refs", "objects", "info")
_OF_A_WORKTREE = ("HEAD", "commondir", "gitdir", "index", "logs", "ORIG_HEAD", "refs")
_SETTINGS = ("core.repositoryformatversion", "core.filemode", "core.symlinks", "core.ignorecase")
_MOST_ALTERNATES = 16


@dataclass(frozen=True)
class RepositoryView:
    """The repository ``git_dir`` as one of its worktrees has it."""

    git_dir: Path
    worktree: Path

    def harmless_configuration(self) -> bytes:
        """A configuration file with what git needs to read the repository's files."""
        lines = ["[core]", "\tbare = false"]
        known = self._configuration()
        for name in _SETTINGS:
            if name in known:
                lines.append(f"\t{name.partition('.')[2]} = {known[name]}")
        extensions = {n: v for n, v in known.items() if n.startswith("extensions.objectformat")}
        for name, value in extensions.items():
            lines += ["[extensions]", f"\t{name.partition('.')[2]} = {value}"]
        return ("\n".join(lines) + "\n").encode()

    def mounts(self, configuration: Path) -> Iterator[str]:
        """bubblewrap's words for it; the folder is read-only, and made up in memory."""
        own = self.worktree / ".git"
        if own.is_file():
            yield from ("--ro-bind", str(own), str(own))
        if not self.git_dir.is_dir():
            return
        yield from ("--tmpfs", str(self.git_dir))
        yield from _read_only(self.git_dir, _SHOWN)
        yield from ("--ro-bind", str(configuration), str(self.git_dir / "config"))
        if (entry := self._entry()) is not None:
            yield from _read_only(entry, _OF_A_WORKTREE)
        elif own == self.git_dir:
            yield from _read_only(self.git_dir, ("index",))
        for objects in self._alternates():
            yield from ("--ro-bind-try", str(objects), str(objects))
        yield from ("--remount-ro", str(self.git_dir))

    def _entry(self) -> Path | None:
        """The worktree's own folder in the repository, told by the repository."""
        for file in sorted(self.git_dir.glob("worktrees/*/gitdir")):
            if Path(file.read_text(encoding="utf-8").strip()).resolve() == self.worktree / ".git":
                return file.parent
        return None

    def _alternates(self) -> list[Path]:
        """Folders from which the repository borrows objects, as shared clones do."""
        found: list[Path] = []
        waiting = [self.git_dir / "objects"]
        while waiting and len(found) < _MOST_ALTERNATES:
            objects = waiting.pop()
            file = objects / "info" / "alternates"
            if not file.is_file():
                continue
            for line in file.read_text(encoding="utf-8").splitlines():
                if line and not line.startswith("#"):
                    more = (objects / line).resolve()
                    found.append(more)
                    waiting.append(more)
        return found

    def _configuration(self) -> dict[str, str]:
        if not self.git_dir.is_dir():
            return {}
        try:
            listed = Git(self.git_dir).run("config", "--local", "--null", "--list")
        except AutofixError:
            return {}
        pairs = (entry.partition("\n") for entry in listed.split("\0") if entry)
        return {name: value for name, _, value in pairs}


def _read_only(folder: Path, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if (folder / name).exists():
            yield from ("--ro-bind", str(folder / name), str(folder / name))
