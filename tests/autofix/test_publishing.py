"""From a commit to a pull request, with the real ``gh`` and ``git``, over TLS, on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_ohllm.autofix import publishing
from pytest_ohllm.autofix.errors import AutofixError, Refused, UsageError
from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.publishing import Change, Published, Target, by_hand, preflight, publish
from tests.autofix.github_server import Account, FakeGitHub, Killed, Refusal, Repository, Request
from tests.plugin.watch import Watch

SDK = "OpenHands/software-agent-sdk"
FORK = "bot/software-agent-sdk"
BRANCH = "ohllm/model-1a2b3c"
TOKEN = "ghp_CanaryTokenOfTheBot0123456789abcdefghij"
BODY = "HUMAN:\n\nAGENT:\n\n## Why\n\n<!-- ohllm:why -->\nIt broke.\n<!-- /ohllm:why -->\n"

PUBLISH = """
import json, sys
from pathlib import Path
from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.publishing import Change, Target, preflight, publish

given = json.load(sys.stdin)
target = Target()
done = publish(Change(Git(Path(given.pop("git_dir"))), **given), preflight(target), target)
print(done.url)
"""


@dataclass
class World:
    """A user with a checkout and a worktree, and the GitHub that it came from."""

    hub: FakeGitHub
    bot: Account
    upstream: Repository
    checkout: Path
    worktree: Path
    home: Path

    @property
    def git(self) -> Git:
        return Git(self.checkout / ".git" / "worktrees" / self.worktree.name, self.worktree)

    def commit(self, text: str, *, onto: str = "") -> str:
        """A commit of the worktree; ``onto`` another one than the last."""
        if onto:
            self.git.run("reset", "--hard", onto)
        (self.worktree / "fixed.py").write_text(text)
        return commit_all(self.git, text)

    def change(self, text: str = "fixed = True\n", **other: str) -> Change:
        """A change that has just been made on top of the base."""
        given = {
            "branch": BRANCH,
            "commit": self.commit(text, onto="base"),
            "title": "fix(llm): it works",
            "body": BODY,
        }
        return Change(self.git, **{**given, **other})

    def fork(self, **other: object) -> Repository:
        """The fork that the bot has had for long."""
        return self.hub.repository(FORK, self.upstream.path, parent=self.upstream, **other)

    def publish(self, change: Change, target: Target | None = None) -> Published:
        target = target or Target()
        return publish(change, preflight(target), target)


def commit_all(git: Git, message: str) -> str:
    someone = {
        f"GIT_{who}_{what}": f"somebody{'@example.com' if what == 'EMAIL' else ''}"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", message, environment=someone)
    return git.run("rev-parse", "HEAD").strip()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    checkout, worktree = tmp_path / "agent-sdk", tmp_path / "work"
    for name in list(os.environ):
        if name.startswith(("GH_", "GITHUB_", "GIT_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with FakeGitHub(tmp_path / "github") as hub:
        for name, value in hub.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GH_ENTERPRISE_TOKEN", TOKEN)
        checkout.mkdir()
        git = Git(checkout / ".git", checkout)
        git.run("init", "--quiet", "--initial-branch", "main")
        (checkout / "broken.py").write_text("broken = True\n")
        commit_all(git, "the base")
        git.run("tag", "base")
        hub.account("OpenHands", kind="Organization")
        upstream = hub.repository(SDK, checkout)
        git.run("worktree", "add", "--quiet", "-b", BRANCH, str(worktree), "base")
        bot = hub.account("bot", TOKEN)
        yield World(hub, bot, upstream, checkout, worktree, tmp_path / "home")


def test_a_missing_fork_is_created_and_a_draft_pull_request_opened(world: World) -> None:
    change = world.change()
    ready = preflight(Target())
    assert (ready.login, ready.destination, ready.exists) == ("bot", FORK, False)
    assert world.hub.changes() == []

    done = publish(change, ready, Target())

    [pull] = world.hub.pulls
    assert done == Published(done.url, BRANCH, FORK, updated=False)
    assert done.url.endswith(f"/{SDK}/pull/{pull.number}")
    assert (pull.head.name, pull.branch, pull.base) == (FORK, BRANCH, "main")
    assert pull.sha == change.commit
    assert (pull.title, pull.body, pull.draft) == (change.title, change.body, True)
    assert pull.maintainer_can_modify
    assert world.upstream.branches().keys() == {"main"}


def test_a_fork_that_is_there_is_used(world: World) -> None:
    world.fork()
    assert preflight(Target()).exists
    assert world.publish(world.change()).repository == FORK
    assert not [one for one in world.hub.changes() if "/forks" in one]


def test_an_unrelated_repository_of_the_same_name_is_no_fork(world: World) -> None:
    world.hub.repository(FORK, world.upstream.path)
    assert world.publish(world.change()).repository == f"{FORK}-1"
    assert world.hub.repositories[FORK.lower()].tip(BRANCH) == ""
    assert world.publish(world.change()).updated


def test_an_organization_of_the_user_can_own_the_fork(world: World) -> None:
    world.hub.account("lab", kind="Organization", members={"bot"})
    done = world.publish(world.change(), Target(fork="lab"))
    [pull] = world.hub.pulls
    assert (done.repository, pull.head.owner) == ("lab/software-agent-sdk", "lab")
    assert not pull.maintainer_can_modify


def test_with_permission_the_branch_goes_upstream(world: World) -> None:
    world.upstream.writers.add("bot")
    change = world.change()
    done = world.publish(change, Target(upstream=True))
    assert done.repository == SDK
    assert world.upstream.tip(BRANCH) == change.commit
    assert FORK.lower() not in world.hub.repositories


def test_ones_own_repository_needs_no_fork(world: World) -> None:
    world.hub.repository("bot/own", world.checkout)
    done = world.publish(world.change(), Target(repository="bot/own"))
    assert done.repository == "bot/own"


def test_running_twice_does_nothing_twice(world: World) -> None:
    change = world.change()
    first = world.publish(change)
    changes = world.hub.changes()
    second = world.publish(change)
    assert second == replace(first, updated=True)
    assert world.hub.changes() == changes
    assert len(world.hub.pulls) == 1


def test_a_better_patch_renews_branch_and_text_and_keeps_what_people_wrote(world: World) -> None:
    first = world.publish(world.change())
    [pull] = world.hub.pulls
    pull.title = "A human's title"
    pull.body = pull.body.replace("HUMAN:\n", "HUMAN:\nI tried it, it works.\n") + "A bot's part\n"

    better = world.change("fixed = 'better'\n", body=BODY.replace("It broke.", "Here is why."))
    second = world.publish(better)

    assert second == replace(first, updated=True)
    assert len(world.hub.pulls) == 1
    assert pull.sha == better.commit
    assert pull.title == "A human's title"
    assert "I tried it" in pull.body and "A bot's part" in pull.body
    assert "Here is why." in pull.body and "It broke." not in pull.body


def test_a_branch_with_the_commits_of_somebody_else_is_left_alone(world: World) -> None:
    world.publish(world.change())
    theirs = world.commit("fixed = 'by a human'\n")
    fork = world.hub.repositories[FORK.lower()]
    _put(world, fork, theirs)

    with pytest.raises(Refused, match="commits that autofix did not make") as caught:
        world.publish(world.change("fixed = 'again'\n"))

    assert "rename or delete" in caught.value.advice
    assert fork.tip(BRANCH) == theirs


def test_a_commit_on_top_of_somebody_elses_is_an_ordinary_push(world: World) -> None:
    world.publish(world.change())
    fork = world.hub.repositories[FORK.lower()]
    _put(world, fork, world.commit("fixed = 'by a human'\n"))
    on_top = world.commit("fixed = 'and by us'\n")
    change = Change(world.git, BRANCH, on_top, "t", BODY)
    assert world.publish(change).updated
    assert fork.tip(BRANCH) == on_top


def test_a_branch_that_changes_during_the_push_is_not_overwritten(world: World) -> None:
    world.publish(world.change())
    fork = world.hub.repositories[FORK.lower()]
    theirs = world.commit("fixed = 'by a human'\n")
    better = world.change("fixed = 'better'\n")

    def interfere(request: Request) -> None:
        if "service=git-receive-pack" in request.path:
            _put(world, fork, theirs)

    ready = preflight(Target())
    world.hub.before = interfere
    with pytest.raises(AutofixError, match="has just been changed") as caught:
        publish(better, ready, Target())
    assert caught.value.exit_code == 10
    assert fork.tip(BRANCH) == theirs


def _put(world: World, repository: Repository, commit: str) -> None:
    """Make the commit the tip of the branch, as a push of somebody else does."""
    repository.git("fetch", "--quiet", str(world.checkout), f"{commit}")
    repository.git("update-ref", f"refs/heads/{BRANCH}", commit)
    assert repository.tip(BRANCH) == commit


def test_a_pull_request_that_people_closed_is_not_opened_again(world: World) -> None:
    change = world.change()
    url = world.publish(change).url
    world.hub.pulls[0].close()
    with pytest.raises(Refused, match="was closed without being merged") as caught:
        world.publish(change)
    assert url in caught.value.problem
    assert len(world.hub.pulls) == 1


def test_a_merged_pull_request_is_the_answer(world: World) -> None:
    change = world.change()
    first = world.publish(change)
    world.hub.pulls[0].close(merged=True)
    changes = world.hub.changes()
    assert world.publish(change).url == first.url
    assert world.hub.changes() == changes


def test_another_patch_after_a_closed_one_gets_a_pull_request_of_its_own(world: World) -> None:
    world.publish(world.change())
    world.hub.pulls[0].close()
    assert not world.publish(world.change("fixed = 'otherwise'\n")).updated
    assert [one.state for one in world.hub.pulls] == ["closed", "open"]


def test_a_pull_request_opened_meanwhile_is_renewed(world: World) -> None:
    change = world.change()
    world.fork()

    def interfere(request: Request) -> None:
        if str(request) == f"POST /api/v3/repos/{SDK}/pulls":
            world.hub.pull(SDK, "main", FORK, BRANCH, author="bot", body=BODY)

    world.hub.before = interfere
    done = world.publish(change)
    assert done.updated
    assert len(world.hub.pulls) == 1


# What is in the way.


def test_without_gh_it_says_what_to_install(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AutofixError, match=r"gh.*is not installed") as caught:
        preflight(Target())
    assert "cli.github.com" in caught.value.advice


def test_without_a_login_it_says_how_to_log_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN")
    with pytest.raises(AutofixError, match="gh is not logged in") as caught:
        preflight(Target())
    assert f"gh auth login --hostname {world.hub.host}" in caught.value.advice
    assert caught.value.exit_code == 10


def test_a_bad_token_is_named_by_its_variable_and_never_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = TOKEN.replace("Canary", "Expired")
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", bad)
    with pytest.raises(AutofixError, match="401: Bad credentials") as caught:
        preflight(Target())
    assert "the token in GH_ENTERPRISE_TOKEN is wrong or has expired" in caught.value.advice
    assert bad not in str(caught.value) + caught.value.advice


def test_an_answer_that_repeats_the_token_is_redacted(world: World) -> None:
    def echo(request: Request) -> None:
        raise Refusal(401, f"Bad credentials: {TOKEN}")

    world.hub.before = echo
    with pytest.raises(AutofixError, match="Bad credentials") as caught:
        preflight(Target())
    assert TOKEN not in str(caught.value)


def test_the_login_of_gh_itself_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN")
    hosts = world.home / "gh" / "hosts.yml"
    hosts.parent.mkdir()
    # As `gh auth login` writes it, which does not take a host with a port.
    hosts.write_text(f'"{world.hub.host}":\n    oauth_token: {TOKEN}\n    user: bot\n')
    assert not world.publish(world.change()).updated


@pytest.mark.parametrize("scopes", ["read:org, gist", "repo:status"])
def test_a_token_that_may_only_read_is_refused_first(world: World, scopes: str) -> None:
    world.bot.scopes = scopes
    with pytest.raises(Refused, match="may only read") as caught:
        preflight(Target())
    assert "gh auth refresh" in caught.value.advice


@pytest.mark.parametrize("scopes", [None, "", "public_repo"])
def test_a_token_without_scopes_or_for_public_ones_is_fine(
    world: World, scopes: str | None
) -> None:
    world.bot.scopes = scopes
    assert preflight(Target()).login == "bot"


def test_a_server_that_is_down_is_no_refusal(world: World) -> None:
    world.hub.stop()
    with pytest.raises(AutofixError, match="cannot be reached") as caught:
        preflight(Target())
    assert caught.value.exit_code == 10
    assert "network" in caught.value.advice


def test_a_certificate_that_nobody_knows_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(other_authority(world.home)))
    with pytest.raises(AutofixError, match="certificate") as caught:
        preflight(Target())
    assert "SSL_CERT_FILE" in caught.value.advice
    assert world.hub.requests == []


def other_authority(folder: Path) -> Path:
    """A certificate that has nothing to do with the server's."""
    with FakeGitHub(folder / "other") as other:
        return other.certificate


def test_a_server_error_is_told_with_its_status(world: World) -> None:
    def fail(request: Request) -> None:
        raise Refusal(503, "Service Unavailable")

    world.hub.before = fail
    with pytest.raises(AutofixError, match="503: Service Unavailable") as caught:
        preflight(Target())
    assert "githubstatus" in caught.value.advice


def test_a_rate_limit_is_no_lack_of_permission(world: World) -> None:
    change = world.change()
    ready = preflight(Target())

    def limit(request: Request) -> None:
        if request.method == "POST":
            raise Refusal(403, "You have exceeded a secondary rate limit.")

    world.hub.before = limit
    with pytest.raises(AutofixError, match="rate limit") as caught:
        publish(change, ready, Target())
    assert caught.value.exit_code == 10
    assert "wait" in caught.value.advice


def test_a_repository_that_is_not_there(world: World) -> None:
    with pytest.raises(AutofixError, match="no repository nobody/nothing"):
        preflight(Target(repository="nobody/nothing"))


def test_an_archived_repository_takes_nothing(world: World) -> None:
    world.upstream.archived = True
    with pytest.raises(Refused, match="archived"):
        preflight(Target())


def test_a_base_branch_that_is_not_there(world: World) -> None:
    with pytest.raises(AutofixError, match="no branch 'release/9'") as caught:
        preflight(Target(base="release/9"))
    assert "--base" in caught.value.advice


def test_upstream_without_permission_is_refused_before_anything(world: World) -> None:
    with pytest.raises(Refused, match="bot may not push to OpenHands") as caught:
        preflight(Target(upstream=True))
    assert "--upstream" in caught.value.advice
    assert world.hub.changes() == []


def test_a_token_without_write_access_is_found_before_anything_is_spent(world: World) -> None:
    world.fork()
    world.bot.scopes, world.bot.readable_only = None, True
    with pytest.raises(Refused, match=r"the token may not push to .*denied to bot"):
        preflight(Target())
    assert world.hub.changes() == []


def test_a_fork_that_is_somebody_elses(world: World) -> None:
    world.hub.account("eve")
    with pytest.raises(Refused, match="another person's account"):
        preflight(Target(fork="eve"))
    with pytest.raises(Refused, match="neither a user nor an organization"):
        preflight(Target(fork="nobody"))
    world.hub.repository("eve/software-agent-sdk", world.checkout, parent=world.upstream)
    with pytest.raises(Refused, match="bot may not push to eve/software-agent-sdk"):
        preflight(Target(fork="eve"))


def test_a_repository_that_may_not_be_forked(world: World) -> None:
    world.upstream.allow_forking = False
    with pytest.raises(Refused, match="does not allow forks"):
        preflight(Target())


def test_a_token_that_may_not_fork(world: World) -> None:
    world.bot.may_fork = False
    with pytest.raises(Refused, match=r"bot may not fork .*Resource not accessible") as caught:
        world.publish(world.change())
    assert "create the fork on the web page" in caught.value.advice


def test_a_fork_that_does_not_come_ends_the_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "FORK_PATIENCE", 0.5)
    world.hub.fork_delay = 1000
    with pytest.raises(AutofixError, match="is not there") as caught:
        world.publish(world.change())
    assert "run it again" in caught.value.advice


def test_a_rejected_push_is_told_in_the_words_of_the_server(world: World) -> None:
    world.fork(protected="GH013: Repository rule violations found")
    with pytest.raises(Refused, match=r"rejects the push: GH013: Repository rule violations"):
        world.publish(world.change())
    assert world.hub.pulls == []


def test_a_token_without_the_workflow_scope_is_told_what_to_do(world: World) -> None:
    said = "refusing to allow an OAuth App to update workflow without \\`workflow\\` scope"
    world.fork(protected=said.replace("\\", ""))
    with pytest.raises(Refused, match="lacks the scope `workflow`") as caught:
        world.publish(world.change())
    assert "--scopes workflow" in caught.value.advice


def test_a_token_that_may_not_open_pull_requests_leaves_the_branch(world: World) -> None:
    world.bot.may_open = False
    change = world.change()
    with pytest.raises(Refused, match="may not open a pull request") as caught:
        world.publish(change)
    assert "branch is pushed" in caught.value.advice
    assert world.hub.repositories[FORK.lower()].tip(BRANCH) == change.commit

    world.bot.may_open = True
    assert not world.publish(change).updated  # it goes on from there


def test_a_secret_in_the_text_stops_everything(world: World) -> None:
    key = "sk-proj-abcdefghij0123456789KLMNOP"
    for field in ("title", "body"):
        with pytest.raises(Refused, match="holds a secret: openai-key") as caught:
            world.publish(world.change(**{field: f"The key is {key}"}))
        assert key not in str(caught.value)
    assert world.hub.changes() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"repository": "software-agent-sdk"},
        {"repository": "a/../b"},
        {"repository": "a/b --web"},
        {"base": "--upload-pack=x"},
        {"base": "a..b"},
        {"fork": "a/b"},
        {"fork": "-x"},
        {"host": "https://github.com"},
        {"host": "github.com/evil"},
        {"fork": "bot", "upstream": True},
    ],
)
def test_a_target_that_cannot_be_meant(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        Target(**wrong)  # type: ignore[arg-type]
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("branch", ["main", "ohllm/", "ohllm/a b", "ohllm/../main", "ohllm/x.lock"])
def test_only_branches_of_autofix_are_ever_pushed(branch: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Change(Git(tmp_path), branch, "0" * 40, "t", "b")


# Nothing of the user's configuration, or of the checkout's, sends the token elsewhere.


@pytest.mark.parametrize("where", ["user", "checkout"])
def test_configurations_cannot_divert_the_push(world: World, where: str, tmp_path: Path) -> None:
    place = world.home / ".gitconfig" if where == "user" else world.checkout / ".git" / "config"
    trap = tmp_path / "trap.git"
    Git(tmp_path).run("init", "--quiet", "--bare", str(trap))
    told = tmp_path / "told"
    settings = {
        f"url.{trap}.insteadOf": f"https://{world.hub.host}/bot/software-agent-sdk",
        f"url.{trap}x.pushInsteadOf": f"https://{world.hub.host}/",
        "credential.helper": f"!cat > {told};:",
        f"credential.https://{world.hub.host}.helper": f"!cat > {told};:",
        f"http.https://{world.hub.host}/.extraHeader": "Authorization: Basic b2xkOnRva2Vu",
        "http.extraHeader": "Authorization: Basic b2xkOnRva2Vu",
        "core.askPass": f"touch {told}",
        "push.gpgSign": "true",
        "push.followTags": "true",
    }
    for name, value in settings.items():
        Git(tmp_path).run("config", "--file", str(place), name, value)
    change = world.change()
    world.publish(change)
    assert world.hub.repositories[FORK.lower()].tip(BRANCH) == change.commit
    assert not told.exists()
    assert not Git(trap).run("for-each-ref")


def test_a_redirect_to_another_host_is_not_followed(world: World) -> None:
    world.fork(moved_to=f"https://{world.hub.host.replace('localhost', '127.0.0.1')}")
    with pytest.raises(AutofixError, match=r"git cannot push to .*301"):
        world.publish(world.change())
    assert {one.host for one in world.hub.requests} == {world.hub.host}


def test_without_a_token_from_gh_git_asks_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gh").write_text(f'#!/bin/sh\n[ "$1" = auth ] || exec {shutil.which("gh")} "$@"\n')
    (tmp_path / "gh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "ask").write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    (tmp_path / "ask").chmod(0o700)
    (world.home / ".gitconfig").write_text(f"[core]\naskPass = {tmp_path}/ask\n")
    world.fork()
    with pytest.raises(AutofixError, match="does not accept the token that gh gave") as caught:
        preflight(Target())
    assert caught.value.exit_code == 10
    assert not (tmp_path / "asked").exists()


def test_a_certificate_that_only_git_does_not_know_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fork()
    monkeypatch.setenv("GIT_SSL_CAINFO", str(other_authority(world.home)))
    with pytest.raises(AutofixError, match="certificate") as caught:
        preflight(Target())
    assert "GIT_SSL_CAINFO" in caught.value.advice


def test_hooks_of_the_checkout_do_not_run(world: World, tmp_path: Path) -> None:
    hook = world.checkout / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    hook.chmod(0o700)
    world.publish(world.change())
    assert not (tmp_path / "ran").exists()


def test_the_token_is_in_no_argument_no_file_and_no_output(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace"
    (world.home / ".gitconfig").write_text(f"[trace2]\neventTarget = {trace}\n")
    change = world.change()
    with Watch(TOKEN) as watch:
        world.publish(change)
        world.publish(world.change("fixed = 'better'\n"))
    captured = capfd.readouterr()

    seen = " ".join(watch.seen)
    assert "gh api" in seen and "push" in seen  # it was looked at the right moments
    assert "auth git-credential" in trace.read_text()
    assert not [one for one in watch.told if " in the arguments of " in one]
    assert TOKEN not in captured.out + captured.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    sent = json.dumps([[str(one), one.content] for one in world.hub.requests])
    assert TOKEN not in sent


def test_children_see_only_what_they_need_of_the_environment(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("gh", "git"):
        script = f'#!/bin/sh\nenv -0 >> {seen}\nexec {shutil.which(name)} "$@"\n'
        (tools / name).write_text(script)
        (tools / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("OPENAI_API_KEY", "a-provider's-key")
    monkeypatch.setenv("GH_DEBUG", "api")
    monkeypatch.setenv("GIT_TRACE_CURL", "1")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    world.publish(world.change())
    names = {one.partition("=")[0] for one in seen.read_text().split("\0")}
    assert "GH_ENTERPRISE_TOKEN" in names
    assert not names & {"OPENAI_API_KEY", "GH_DEBUG", "GIT_TRACE_CURL", "PYTEST_CURRENT_TEST"}


# Killed at any moment, the next call goes on.


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_request_the_next_call_finishes(world: World, moment: str) -> None:
    change = world.change()
    given = {
        "git_dir": str(change.git.git_dir),
        **{name: getattr(change, name) for name in ("branch", "commit", "title", "body")},
    }
    wanted = {
        "before": [f"POST /api/v3/repos/{SDK}/forks", "info/refs", "git-receive-pack", "/pulls"],
        "after": [f"POST /api/v3/repos/{SDK}/forks", "/git-receive-pack", "POST .*/pulls"],
    }
    killed = 0
    for number, part in enumerate([*wanted[moment], None]):
        killer = Killer(world.hub, moment, part)
        done = killer.run(given)
        killed += done.returncode == -signal.SIGKILL
        assert (done.returncode == 0) == (part is None), (number, part, done.stderr)
    assert killed == len(wanted[moment])

    [pull] = world.hub.pulls
    assert pull.sha == change.commit
    assert done.stdout.strip().endswith(f"/pull/{pull.number}")
    assert world.hub.repositories.keys() == {SDK.lower(), FORK.lower()}
    assert world.hub.repositories[FORK.lower()].branches().keys() == {"main", BRANCH}


class Killer:
    """Runs `publish` in a process that is killed by a request: without, or with its effect."""

    def __init__(self, hub: FakeGitHub, moment: str, part: str | None) -> None:
        self.hub, self.part = hub, part
        self.process: subprocess.Popen[str] | None = None
        hub.before = hub.after = lambda request: None
        if moment == "before":
            hub.before = self._kill
        else:
            hub.after = self._kill

    def _kill(self, request: Request) -> None:
        if self.part and re.search(self.part, str(request)) and self.process:
            self.process.kill()
            raise Killed

    def run(self, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUBLISH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, error = self.process.communicate(json.dumps(given), timeout=60)
        return subprocess.CompletedProcess([], self.process.returncode, out, error)


# When it cannot be done, a person can.


@pytest.mark.parametrize("kind", ["fork", "fork that is there", "upstream"])
def test_the_commands_for_a_person_do_the_same(world: World, kind: str, tmp_path: Path) -> None:
    target = Target(upstream=kind == "upstream")
    world.hub.fork_delay = 0
    if kind == "upstream":
        world.upstream.writers.add("bot")
    ready = None
    if kind == "fork that is there":
        world.fork()
        ready = preflight(target)
    change = world.change(
        title="it's $HOME's `fault`", body="A body with 'quotes'\n\n$HOME END_OF_BODY"
    )
    commands = by_hand(change, target, ready)
    assert TOKEN not in "\n".join(commands)

    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(commands),
        text=True,
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    [pull] = world.hub.pulls
    assert (pull.title, pull.body.strip()) == (change.title, change.body)
    assert (pull.sha, pull.draft, pull.base) == (change.commit, True, "main")


def test_the_commands_can_take_the_text_from_a_file(world: World, tmp_path: Path) -> None:
    commands = by_hand(world.change(), Target(), body_file=tmp_path / "a body.md")
    assert commands[-1].endswith(f"--body-file '{tmp_path}/a body.md'")
