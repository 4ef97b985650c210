"""Pushing a commit to GitHub: ``git`` gets the token from ``gh``, and only for this repository."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from pytest_ohllm.autofix.errors import AutofixError, Refused
from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.github import environment, gh_program, shown

BRANCHES = "ohllm/"
"""What the names of all branches begin with that autofix ever pushes."""

_PUSHED = "refs/ohllm/pushed/"
"""Every commit that was ever pushed has a reference here, in the repository of the worktree.

A branch whose tip is none of them has commits of somebody else, and is left alone.
"""

_BRANCH = re.compile(
    r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|$)))[A-Za-z0-9][\w./+=-]{0,200}(?<![./])", re.ASCII
)
_TIMEOUT = 600.0
_FLAGS = ("--porcelain", "--no-verify", "--no-follow-tags", "--no-signed")


def is_branch(name: str) -> bool:
    """Whether git takes the name, and no shell and no address reads more into it."""
    return _BRANCH.fullmatch(name) is not None


class Remote:
    """The repository ``name`` on ``host``, over HTTPS."""

    def __init__(self, host: str, name: str) -> None:
        self.host, self.name = host, name
        self.url = f"https://{host}/{name}.git"

    def is_there(self) -> bool:
        """Whether git can read it and it has a commit: a new fork has none at first."""
        with tempfile.TemporaryDirectory() as folder:
            done = self._git(_scratch(folder), "ls-remote", self.url, "HEAD")
        if done.returncode and "not found" not in done.stderr:
            raise self._problem(done)
        return done.returncode == 0 and bool(done.stdout.strip())

    def check_access(self) -> None:
        """Ask the server, as a push does, and push nothing. Raises as `push` does."""
        with tempfile.TemporaryDirectory() as folder:
            git = _scratch(folder)
            commit = git.run("commit-tree", "-m", "nothing", _tree(git), environment=_somebody())
            where = f"{commit.strip()}:refs/heads/{BRANCHES}preflight"
            done = self._git(git, "push", "--dry-run", "--force", *_FLAGS, self.url, where)
        if done.returncode:
            raise self._problem(done)

    def push(self, git: Git, commit: str, branch: str) -> bool:
        """Make ``commit`` the tip of ``branch``; False if it was already.

        A branch that has diverged is overwritten only if its tip was pushed from here, and if it
        is still that tip when the server takes the push.
        """
        git.run("cat-file", "-e", f"{commit}^{{commit}}")
        tip = self._tip(git, branch)
        if tip == commit:
            return False
        if tip and not self._may_replace(git, tip, commit):
            raise Refused(
                f"the branch {branch} of {self.name} has commits that autofix did not make",
                "keep them: rename or delete the branch there, then run it again",
            )
        # Before the push, since nothing runs after a kill.
        git.run("update-ref", f"{_PUSHED}{commit}", commit)
        reference = f"refs/heads/{branch}"
        lease = f"--force-with-lease={reference}:{tip}"
        done = self._git(git, "push", *_FLAGS, lease, self.url, f"{commit}:{reference}")
        if done.returncode:
            raise self._problem(done)
        return True

    def _tip(self, git: Git, branch: str) -> str:
        """The branch's commit on the server; empty if there is no such branch."""
        reference = f"refs/heads/{branch}"
        done = self._git(git, "ls-remote", self.url, reference)
        if done.returncode:
            raise self._problem(done)
        found = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
        return next((tip for tip, name in found if name == reference), "")

    def _may_replace(self, git: Git, tip: str, commit: str) -> bool:
        return git.succeeds("rev-parse", "--verify", "--quiet", f"{_PUSHED}{tip}") or (
            git.succeeds("cat-file", "-e", f"{tip}^{{commit}}")
            and git.succeeds("merge-base", "--is-ancestor", tip, commit)
        )

    def _git(self, git: Git, *arguments: str) -> subprocess.CompletedProcess[str]:
        return git.process(
            *arguments,
            timeout=_TIMEOUT,
            environment={**environment(self.host), "GIT_ASKPASS": ""},
            settings=self._settings(),
        )

    def _settings(self) -> dict[str, str]:
        """What holds for this push, whatever the configurations of user and repository say.

        The token is sent to this host only, over a connection that is verified, to this address
        and not to another one that ``insteadOf`` makes of it; no header with an older token comes
        along, as CI systems leave one in a checkout.
        """
        url = self.url
        return {
            "credential.helper": "",
            f"credential.https://{self.host}.helper": (
                f"!{shlex.quote(gh_program())} auth git-credential"
            ),
            f"url.{url}.insteadOf": url,
            f"url.{url}.pushInsteadOf": url,
            f"http.{url}.extraHeader": "",
            f"http.{url}.sslVerify": "true",
            f"http.{url}.followRedirects": "false",
            "push.recurseSubmodules": "no",
        }

    def _problem(self, done: subprocess.CompletedProcess[str]) -> AutofixError:
        """What git's and the server's words mean."""
        said = f"{done.stdout}\n{done.stderr}"
        where = f"{self.host}/{self.name}"
        if "`workflow` scope" in said:
            return Refused(
                f"{where} does not take the push: the token lacks the scope `workflow`",
                f"run `gh auth refresh --hostname {self.host} --scopes workflow`, "
                "or update the fork's main branch on its web page",
            )
        if "stale info" in said or "fetch first" in said:
            return AutofixError(f"the branch of {where} has just been changed", "run it again")
        if "remote rejected" in said or "pre-receive hook declined" in said:
            return Refused(f"{where} rejects the push: {shown(_reason(said))}")
        if "Authentication failed" in said or "could not read Username" in said:
            return AutofixError(
                f"{where} does not accept the token that gh gave to git",
                f"run `gh auth login --hostname {self.host}`",
            )
        if "error: 403" in said or "Permission to" in said or "access to repository not" in said:
            return Refused(
                f"the token may not push to {where}: {shown(_reason(said))}",
                "give it write access to the contents of this repository",
            )
        advice = "check the network, then run it again"
        if "certificate" in said or "SSL" in said:
            advice = "set GIT_SSL_CAINFO to a file with the certificate of the host's authority"
        return AutofixError(f"git cannot push to {where}: {shown(_reason(said))}", advice)


def _reason(said: str) -> str:
    """The server's own lines, else git's."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    rejected = [line.partition("[remote rejected]")[2] for line in lines if "[remote rej" in line]
    remote = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return " ".join([*filter(None, remote), *rejected] or fatal or lines[-1:])


def _scratch(folder: str) -> Git:
    """An empty repository that is gone in a moment."""
    git = Git(Path(folder))
    git.run("init", "--quiet", "--bare", "--template=", folder)
    return git


def _tree(git: Git) -> str:
    return git.run("mktree", given="").strip()


def _somebody() -> dict[str, str]:
    return {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "ohllm"), ("EMAIL", "ohllm@localhost"))
    }
