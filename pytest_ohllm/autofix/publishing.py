"""A commit of a worktree becomes a branch and a draft pull request, or an update of the one there.

Every step asks first whether it has been done, so that publishing can be killed anywhere and called
again: the next call finds the fork, the branch and the pull request of the last one.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pytest_ohllm.autofix import pull_request
from pytest_ohllm.autofix.destination import Ready, Target, preflight
from pytest_ohllm.autofix.errors import AutofixError, Refused, UsageError
from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.github import PUBLIC_HOST, GitHub, GitHubError
from pytest_ohllm.autofix.push import BRANCHES, Remote, is_branch
from pytest_ohllm.evidence.redaction import Redactor

__all__ = ["Change", "Published", "Ready", "Target", "by_hand", "preflight", "publish"]

FORK_PATIENCE = 120.0
"""Seconds that a new fork has until it can be pushed to; GitHub makes it in the background."""


@dataclass(frozen=True)
class Change:
    """A commit of ``git`` that becomes ``branch``, and the words of its pull request."""

    git: Git
    branch: str
    commit: str
    title: str
    body: str

    def __post_init__(self) -> None:
        if not self.branch.startswith(BRANCHES) or not is_branch(self.branch):
            raise UsageError(f"{self.branch!r} is no branch of autofix's own ({BRANCHES}…)")
        if not re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", self.commit):
            raise UsageError(f"{self.commit!r} is no complete commit id")


@dataclass(frozen=True)
class Published:
    """The pull request, and whether it was there before: then its text and branch were renewed."""

    url: str
    branch: str
    repository: str
    """Where the branch is."""
    updated: bool


def publish(
    change: Change, ready: Ready, target: Target, redactor: Redactor | None = None
) -> Published:
    """Push the commit, and open a draft pull request for it or renew the one that is open.

    Nothing is done twice. Raises Refused if a secret is in the text, if the branch holds commits of
    somebody else, if people closed the pull request, and for what GitHub does not allow.
    """
    left = (redactor or Redactor()).contains("\n".join((change.branch, change.title, change.body)))
    if left:
        raise Refused(f"the text of the pull request holds a secret: {', '.join(left)}")
    hub = GitHub(target.server)
    destination = ready.destination if ready.exists else _fork(hub, ready)
    found = _pull_request(hub, change, ready, target, destination)
    if found and found["merged_at"] and found["head"]["sha"] == change.commit:
        return Published(str(found["html_url"]), change.branch, destination, updated=True)
    if found and found["state"] == "closed" and found["head"]["sha"] == change.commit:
        raise Refused(
            f"{found['html_url']} with this very change was closed without being merged",
            "talk to those who closed it, and reopen it there",
        )
    Remote(hub.host, destination).push(change.git, change.commit, change.branch)
    if found and found["state"] == "open":
        return _renew(hub, change, ready, destination, found)
    return _open(hub, change, ready, target, destination)


def by_hand(
    change: Change, target: Target, ready: Ready | None = None, body_file: Path | None = None
) -> list[str]:
    """The commands for a shell with which a person goes on where `publish` could not.

    ``ready`` is given if the preflight got that far; the text of the pull request is taken from
    ``body_file`` where one is given.
    """
    host, repository = target.server, target.repository
    commands = [] if host == PUBLIC_HOST else [f"export GH_HOST={host}"]
    if ready:
        owner, destination = ready.owner, ready.destination
    else:
        owner = target.fork or '"$(gh api user --jq .login)"'
        owner = repository.partition("/")[0] if target.upstream else owner
        destination = f"{owner}/{repository.partition('/')[2]}"
    if not (target.upstream or (ready and ready.exists)):
        organization = f" --org {target.fork}" if target.fork else ""
        commands.append(f"gh repo fork {repository} --clone=false{organization}")
    helper = "-c credential.helper= -c credential.helper='!gh auth git-credential'"
    commands += [
        f"git --git-dir={shlex.quote(str(change.git.git_dir))} {helper} push --no-verify "
        f"https://{host}/{destination}.git {change.commit}:refs/heads/{change.branch}",
        f"gh pr create --repo {repository} --base {shlex.quote(target.base)} "
        f"--head {owner}:{change.branch} --draft --title {shlex.quote(change.title)} --body-file ",
    ]
    if body_file:
        commands[-1] += shlex.quote(str(body_file))
    else:
        end = "END_OF_BODY"
        while end in change.body:
            end += "_"
        commands[-1] += f"- <<'{end}'\n{change.body}\n{end}"
    return commands


def _fork(hub: GitHub, ready: Ready) -> str:
    """Create the fork, or find the one that is there under another name, and wait for it."""
    content = {} if ready.owner.lower() == ready.login.lower() else {"organization": ready.owner}
    try:
        fork = hub.send("POST", f"repos/{ready.repository}/forks", content)
    except GitHubError as error:
        if error.denied or error.status == 422:
            raise Refused(
                f"{ready.login} may not fork {ready.repository}: {error.said}",
                error.advice or "create the fork on the web page, then run it again",
            ) from None
        raise
    name = str(fork["full_name"])
    remote = Remote(hub.host, name)
    end = time.monotonic() + FORK_PATIENCE
    pause = 0.2
    while not remote.is_there():
        if time.monotonic() > end:
            raise AutofixError(
                f"the fork {name} is not there {FORK_PATIENCE:.0f} s after it was asked for",
                "GitHub may need some minutes: run it again then",
            )
        time.sleep(pause)
        pause = min(2 * pause, 5.0)
    return name


def _pull_request(
    hub: GitHub, change: Change, ready: Ready, target: Target, destination: str
) -> dict[str, Any] | None:
    """The pull request of the branch: the open one, else the newest."""
    head = f"{destination.partition('/')[0]}:{change.branch}"
    query = urlencode({"state": "all", "head": head, "base": target.base, "per_page": "100"})
    found = [
        one
        for one in hub.get(f"repos/{ready.repository}/pulls?{query}")
        # The owner's other repositories can have a branch of this name, too; a deleted one is null.
        if ((one["head"].get("repo") or {}).get("full_name") or "").lower() == destination.lower()
        and one["head"]["ref"] == change.branch
    ]
    found.sort(key=lambda one: (one["state"] == "open", one["number"]))
    return dict(found[-1]) if found else None


def _open(hub: GitHub, change: Change, ready: Ready, target: Target, destination: str) -> Published:
    owner, _, name = destination.partition("/")
    content = {
        "title": change.title,
        "body": change.body,
        "base": target.base,
        "head": f"{owner}:{change.branch}",
        "draft": True,
        # Only the owner of a fork can grant it.
        "maintainer_can_modify": owner.lower() == ready.login.lower(),
    }
    same_owner = owner.lower() == ready.repository.partition("/")[0].lower()
    if same_owner and destination.lower() != ready.repository.lower():
        content["head_repo"] = name
    try:
        made = hub.send("POST", f"repos/{ready.repository}/pulls", content)
    except AutofixError as error:
        # It may have been opened all the same: by a call that was faster, or the answer was lost.
        found = _pull_request(hub, change, ready, target, destination) if _unsure(error) else None
        if found and found["state"] == "open":
            return _renew(hub, change, ready, destination, found)
        if isinstance(error, GitHubError) and error.denied:
            raise Refused(
                f"{ready.login} may not open a pull request for {ready.repository}: {error.said}",
                error.advice or "the branch is pushed: open the pull request on the web page",
            ) from None
        raise
    return Published(str(made["html_url"]), change.branch, destination, updated=False)


def _unsure(error: AutofixError) -> bool:
    return not isinstance(error, GitHubError) or error.status == 422 or error.status >= 500


def _renew(
    hub: GitHub, change: Change, ready: Ready, destination: str, found: Mapping[str, Any]
) -> Published:
    """Renew what autofix wrote; the title and all that people wrote since stays."""
    old = str(found["body"] or "")
    body = pull_request.renewed(old, change.body)
    if body != old:
        hub.send("PATCH", f"repos/{ready.repository}/pulls/{found['number']}", {"body": body})
    return Published(str(found["html_url"]), change.branch, destination, updated=True)
