"""What the GitHub of the tests answers: the parts of REST and GraphQL that ``gh`` asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.autofix.github_state import Account, Json, Pull, Refusal, Repository

if TYPE_CHECKING:
    from tests.autofix.github_server import FakeGitHub


def rest(
    hub: FakeGitHub, account: Account, method: str, path: str, query: dict[str, Any], content: Any
) -> tuple[int, Any]:
    """The parts of REST that ``gh`` needs for forks and pull requests."""
    match [method, *path.split("/")]:
        case ["GET", ""]:
            return 200, {"current_user_url": "user"}
        case ["GET", "meta"]:
            return 200, {"installed_version": "3.17.0"}
        case ["GET", "user"]:
            return 200, _user(account)
        case ["GET", "users", login] if login.lower() in hub.accounts:
            return 200, _user(hub.accounts[login.lower()])
        case [_, "repos", owner, name, *rest_of] if f"{owner}/{name}".lower() in hub.repositories:
            repository = hub.repositories[f"{owner}/{name}".lower()]
            return _repository_api(hub, account, method, repository, rest_of, query, content)
    raise Refusal(404, "Not Found")


def _repository_api(
    hub: FakeGitHub,
    account: Account,
    method: str,
    repository: Repository,
    path: list[str],
    query: dict[str, Any],
    content: Any,
) -> tuple[int, Any]:
    match [method, *path]:
        case ["GET"]:
            return 200, _repository(repository, account)
        case ["GET", "branches", *parts] if repository.tip("/".join(parts)):
            return 200, {
                "name": "/".join(parts),
                "commit": {"sha": repository.tip("/".join(parts))},
            }
        case ["POST", "forks"]:
            made = hub.fork(account, repository, (content or {}).get("organization") or "")
            return 202, _repository(made, account)
        case ["GET", "pulls"]:
            [state] = query.get("state", ["open"])
            [head] = query.get("head", [""])
            [base] = query.get("base", [""])
            return 200, [
                _pull(one)
                for one in hub.pulls
                if one.into is repository
                and state in ("all", one.state)
                and head in ("", f"{one.head.owner}:{one.branch}")
                and base in ("", one.base)
            ]
        case ["POST", "pulls"]:
            return 201, _pull(hub.open(account, repository, content))
        case ["GET", "issues", number, "comments"]:
            return 200, [one for one in hub.comments if one["issue"] == number]
        case ["POST", "issues", number, "comments"]:
            made = {"id": len(hub.comments) + 1, "issue": number, "body": content["body"]}
            hub.comments.append(made | {"user": {"login": account.login}})
            return 201, hub.comments[-1]
        case ["PATCH", "issues", "comments", comment]:
            [found] = [one for one in hub.comments if str(one["id"]) == comment]
            found["body"] = content["body"]
            return 200, found
        case ["PATCH", "pulls", number]:
            found = [one for one in hub.pulls if str(one.number) == number]
            if not found or found[0].into is not repository:
                raise Refusal(404, "Not Found")
            if account.login not in {found[0].author, *repository.writers}:
                raise Refusal(403, "Must have write access")
            found[0].title = content.get("title", found[0].title)
            found[0].body = content.get("body", found[0].body)
            return 200, _pull(found[0])
    raise Refusal(404, "Not Found")


def graphql(hub: FakeGitHub, account: Account, content: Json) -> Json:
    """The questions of ``gh auth``, ``gh repo fork`` and ``gh pr create``, 2.23 and some later."""
    asked, given = content["query"], content.get("variables") or {}
    try:
        if "createPullRequest" in asked:
            return {"data": {"createPullRequest": {"pullRequest": _created(hub, account, given)}}}
    except Refusal as refusal:
        messages = [one.get("message", "") for one in refusal.answer.get("errors", [])]
        message = messages[0] if messages else refusal.answer["message"]
        error = {"type": "UNPROCESSABLE", "path": ["createPullRequest"], "message": message}
        return {"data": {"createPullRequest": None}, "errors": [error]}
    if "projectCards" in asked:  # as since 2024-05-23, with which `gh pr edit` fails
        message = "Projects (classic) is being deprecated in favor of the new Projects experience"
        return {"data": None, "errors": [{"message": message}]}
    if "viewer" in asked and "repository" not in asked:
        return {"data": {"viewer": {"login": account.login}}}
    if "__type" in asked:
        kinds = re.findall(r"(\w+):\s*__type\([^)]*\)\s*\{\s*(\w+)", asked)
        return {"data": {name: {what: []} for name, what in kinds}}
    if "pullRequestTemplates" in asked:
        return {"data": {"repository": {"pullRequestTemplates": []}}}
    if "pullRequests" in asked:
        nodes = [
            _node(one)
            for one in hub.pulls
            if one.branch == given.get("headRefName") and one.state == "open"
        ]
        branch = {"defaultBranchRef": {"name": "main"}}
        pulls = {"nodes": nodes, "totalCount": len(nodes)}
        return {"data": {"repository": {"pullRequests": pulls, **branch}}}
    if "repository" in asked:
        name = f"{given['owner']}/{given['name']}".lower()
        if name in hub.repositories:
            return {"data": {"repository": _graph_repository(hub.repositories[name], account)}}
        error = {"type": "NOT_FOUND", "path": ["repository"], "message": f"no {name}"}
        return {"data": {"repository": None}, "errors": [error]}
    raise AssertionError(f"unexpected GraphQL: {asked}")


def _created(hub: FakeGitHub, account: Account, given: Json) -> Json:
    wanted = given["input"]
    into = next(one for one in hub.repositories.values() if _id(one) == wanted["repositoryId"])
    content = {
        "title": wanted["title"],
        "body": wanted.get("body"),
        "base": wanted["baseRefName"],
        "head": wanted["headRefName"],
        "draft": wanted.get("draft"),
        "maintainer_can_modify": wanted.get("maintainerCanModify"),
    }
    made = hub.open(account, into, content)
    return {"id": f"PR_{made.number}", "url": _url(made)}


def _graph_repository(repository: Repository, account: Account) -> Json:
    return {
        "id": _id(repository),
        "name": repository.name.partition("/")[2],
        "owner": {"login": repository.owner, "id": f"U_{repository.owner}"},
        "hasIssuesEnabled": True,
        "description": "",
        "hasWikiEnabled": False,
        "viewerPermission": "WRITE" if account.login in repository.writers else "READ",
        "defaultBranchRef": {"name": "main"},
        "isPrivate": False,
        "mergeCommitAllowed": True,
        "rebaseMergeAllowed": True,
        "squashMergeAllowed": True,
        "parent": _graph_repository(repository.parent, account) if repository.parent else None,
    }


def _node(pull: Pull) -> Json:
    return {
        "number": pull.number,
        "id": f"PR_{pull.number}",
        "url": _url(pull),
        "headRefName": pull.branch,
        "baseRefName": pull.base,
        "state": pull.state.upper(),
        "isCrossRepository": pull.head is not pull.into,
        "headRepositoryOwner": {"login": pull.head.owner, "id": f"U_{pull.head.owner}"},
    }


def _user(account: Account) -> Json:
    return {"login": account.login, "id": 1, "node_id": f"U_{account.login}", "type": account.kind}


def _repository(repository: Repository, account: Account | None) -> Json:
    owner, _, short = repository.name.partition("/")
    may_push = account is not None and account.login in repository.writers
    answer = {
        "id": 10,
        "node_id": _id(repository),
        "name": short,
        "full_name": repository.name,
        "owner": {"login": owner, "id": 1, "node_id": f"U_{owner}", "type": "User"},
        "private": False,
        "fork": repository.parent is not None,
        "archived": repository.archived,
        "disabled": False,
        "allow_forking": repository.allow_forking,
        "default_branch": "main",
        "created_at": "2026-11-20T00:00:00Z",
        "permissions": {"admin": False, "push": may_push, "pull": True},
    }
    if repository.parent:
        answer["parent"] = answer["source"] = _repository(repository.parent, account)
    return answer


def _pull(pull: Pull) -> Json:
    return {
        "number": pull.number,
        "html_url": _url(pull),
        "state": pull.state,
        "draft": pull.draft,
        "title": pull.title,
        "body": pull.body or None,
        "merged_at": "2026-11-20T00:00:00Z" if pull.merged else None,
        "user": {"login": pull.author},
        "head": {
            "ref": pull.branch,
            "sha": pull.sha,
            "label": f"{pull.head.owner}:{pull.branch}",
            "repo": _repository(pull.head, None),
        },
        "base": {"ref": pull.base, "repo": _repository(pull.into, None)},
    }


def _url(pull: Pull) -> str:
    return f"https://github.example/{pull.into.name}/pull/{pull.number}"


def _id(repository: Repository) -> str:
    return f"R_{repository.name}"
