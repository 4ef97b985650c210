"""Where a change goes, and whether it can get there: looked at before anything is spent on it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_ohllm.autofix.errors import AutofixError, Refused, UsageError
from pytest_ohllm.autofix.github import PUBLIC_HOST, GitHub
from pytest_ohllm.autofix.push import Remote, is_branch

_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?"
_REPOSITORY = re.compile(rf"{_OWNER}/(?!\.+$)[A-Za-z0-9._-]{{1,100}}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?")
_WRITES = {"repo", "public_repo"}
"""The scopes of a token that allow a push to a public repository."""


@dataclass(frozen=True)
class Target:
    """Where the change shall go: to ``base`` of ``repository``, through a fork or directly.

    ``fork`` is the owner of the fork, by default the one who is logged in; ``host`` is by default
    that of the environment variable GH_HOST. Raises UsageError for what cannot be meant.
    """

    repository: str = "OpenHands/software-agent-sdk"
    base: str = "main"
    fork: str | None = None
    upstream: bool = False
    host: str | None = None

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository):
            raise UsageError(f"{self.repository!r} is no repository", "give it as OWNER/NAME")
        if not is_branch(self.base):
            raise UsageError(f"{self.base!r} is no name of a branch")
        if self.fork is not None and not re.fullmatch(_OWNER, self.fork):
            raise UsageError(f"{self.fork!r} is no owner of a fork", "give a user or organization")
        if self.fork is not None and self.upstream:
            raise UsageError("the branch goes to a fork or to upstream, not to both")
        if not _HOST.fullmatch(self.server):
            raise UsageError(f"{self.server!r} is no host", "give the name only, without https://")

    @property
    def server(self) -> str:
        """The host that is meant."""
        return self.host or os.environ.get("GH_HOST") or PUBLIC_HOST


@dataclass(frozen=True)
class Ready:
    """What `preflight` found out: who publishes, and where the branch goes."""

    login: str
    repository: str
    """As GitHub spells it, after a renaming, too."""
    destination: str
    exists: bool
    """Whether the destination is there; else it is a fork that `publish` creates."""

    @property
    def owner(self) -> str:
        """Whose repository the branch goes to."""
        return self.destination.partition("/")[0]


def preflight(target: Target) -> Ready:
    """Look at everything that could be in the way of `publish`, and change nothing.

    Raises Refused for what GitHub does not allow, and AutofixError for everything else.
    """
    hub = GitHub(target.server)
    login, scopes = hub.user()
    if scopes and not scopes & _WRITES:
        raise Refused(
            f"the token of {login} may only read (its scopes: {', '.join(sorted(scopes))})",
            f"run `gh auth refresh --hostname {hub.host} --scopes repo`",
        )
    repository = _repository(hub, target.repository)
    name = str(repository["full_name"])
    if hub.find(f"repos/{name}/branches/{quote(target.base)}") is None:
        raise AutofixError(
            f"{name} has no branch {target.base!r}", "give the one that the change is for: --base"
        )
    destination, exists = _destination(hub, target, login, repository)
    remote = Remote(hub.host, destination)
    # The API knows a new fork before git can read it: then `publish` waits for it.
    exists = exists and remote.is_there()
    if exists:
        remote.check_access()
    return Ready(login, name, destination, exists)


def _repository(hub: GitHub, name: str) -> dict[str, Any]:
    found = hub.find(f"repos/{name}")
    if found is None:
        raise AutofixError(f"{hub.host} has no repository {name} that the token may see")
    if found.get("archived") or found.get("disabled"):
        raise Refused(f"{found['full_name']} is archived or disabled: it takes no pull requests")
    return dict(found)


def _destination(
    hub: GitHub, target: Target, login: str, upstream: Mapping[str, Any]
) -> tuple[str, bool]:
    """The repository that the branch goes to, and whether it exists."""
    name = str(upstream["full_name"])
    owner = target.fork or login
    if target.upstream or owner.lower() == name.partition("/")[0].lower():
        _need_push(upstream, login, "leave out --upstream: a fork needs no permission")
        return name, True
    fork = hub.find(f"repos/{owner}/{name.partition('/')[2]}")
    if fork and _is_fork(fork, name):
        _need_push(fork, login, "ask its owner for it, or leave out --fork")
        return str(fork["full_name"]), True
    if upstream.get("allow_forking") is False:
        raise Refused(f"{name} does not allow forks")
    if owner.lower() != login.lower():
        _need_organization(hub, owner, login)
    return f"{owner}/{name.partition('/')[2]}", False


def _need_push(repository: Mapping[str, Any], login: str, advice: str) -> None:
    permissions = repository.get("permissions") or {}
    if not permissions.get("push"):
        raise Refused(f"{login} may not push to {repository['full_name']}", advice)


def _need_organization(hub: GitHub, owner: str, login: str) -> None:
    found = hub.find(f"users/{owner}")
    if not found or found.get("type") != "Organization":
        what = "is another person's account" if found else "is neither a user nor an organization"
        raise Refused(f"{login} cannot create a fork for {owner}: it {what}", "leave out --fork")


def _is_fork(repository: Mapping[str, Any], of: str) -> bool:
    origins = [repository.get(key) or {} for key in ("parent", "source")]
    return any(str(origin.get("full_name")).lower() == of.lower() for origin in origins)
