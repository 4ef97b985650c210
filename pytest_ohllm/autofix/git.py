"""git in the parent process, where nothing that an agent could have written is obeyed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pytest_ohllm.autofix.errors import AutofixError

_INHERITED = (
    *("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LANG", "LC_ALL"),
    # The way to a remote: who holds the key, proxies, and whose certificates are trusted.
    *("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    *("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
)
_HARMLESS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "commit.gpgsign": "false",
    "protocol.ext.allow": "never",
    "gc.auto": "0",
    "worktree.useRelativePaths": "false",
}
"""A hook, a file system monitor, or a transport that is a command would run as the user."""


class GitError(AutofixError):
    """git said no; ``output`` is what it wrote to its standard error."""

    def __init__(self, command: str, code: int, output: str) -> None:
        last = output.strip().splitlines()[-1] if output.strip() else f"exit code {code}"
        super().__init__(f"git {command} failed: {last}")
        self.code, self.output = code, output


class Git:
    """One repository: ``git_dir`` with, where files matter, its ``work_tree``.

    Both are given to git explicitly, so that a ``.git`` in the work tree is not even read. Only a
    few variables of the environment are inherited, and no ``GIT_*`` that says what to work on.
    """

    def __init__(self, git_dir: Path, work_tree: Path | None = None) -> None:
        self.git_dir, self.work_tree = git_dir, work_tree

    def run(
        self,
        *arguments: str,
        check: bool = True,
        given: str | None = None,
        timeout: float = 120,
        environment: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> str:
        """What the command printed. Raises GitError if it fails and ``check`` is set."""
        done = self.process(
            *arguments, given=given, timeout=timeout, environment=environment, settings=settings
        )
        if check and done.returncode:
            raise GitError(arguments[0], done.returncode, done.stderr)
        return done.stdout

    def content(self, *arguments: str) -> bytes:
        """What the command printed, byte for byte. Raises GitError if it fails."""
        done = self._process(*arguments)
        if done.returncode:
            raise GitError(arguments[0], done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether the command ends with 0."""
        return self.process(*arguments).returncode == 0

    def process(
        self,
        *arguments: str,
        given: str | None = None,
        timeout: float = 120,
        environment: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command with ``settings`` as its configuration, and wait for it."""
        done = self._process(
            *arguments, given=given, timeout=timeout, environment=environment, settings=settings
        )
        said, complained = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, said, complained)

    def _process(
        self,
        *arguments: str,
        given: str | None = None,
        timeout: float = 120,
        environment: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        given_settings = {**_HARMLESS, **(settings or {})}
        options = [word for item in given_settings.items() for word in ("-c", "=".join(item))]
        places = {"GIT_DIR": str(self.git_dir)}
        if self.work_tree is not None:
            places["GIT_WORK_TREE"] = str(self.work_tree)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
        try:
            return subprocess.run(
                ["git", *options, *arguments],
                input=None if given is None else given.encode(errors="replace"),
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                timeout=timeout,
                cwd=self.work_tree or self.git_dir,
                env={**inherited, **quiet, **places, **(environment or {})},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise GitError(arguments[0], -1, f"no end after {timeout:.0f} s") from None
        except FileNotFoundError as error:
            if error.filename != "git":
                raise AutofixError(f"{error.filename} is gone", "run it again") from None
            raise AutofixError("git is not installed", "install git and run it again") from None
