"""The jobs that write to GitHub: the comment on a pull request, and the fixes of an agent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.autofix.github_server import FakeGitHub
from tests.autofix.releases import git
from tests.examples.actions import REPOSITORY, GitHub, Job
from tests.examples.runner import EXAMPLES, commit

FOLDER = EXAMPLES / "github-actions"
TOKEN = "ghs_CanaryTokenOfTheJob0123456789abcdefghij"
BOT = "github-actions[bot]"
CODE = "openhands-sdk/openhands/sdk/llm.py"
TITLE = "fix(llm): send no `stop`; $(touch owned) (openai/x)"


@dataclass
class Fork:
    """A fork on a GitHub of its own, and a runner for its jobs."""

    hub: FakeGitHub
    github: GitHub
    base: str

    def comment(self) -> Job:
        """The job that comments."""
        done = {"compat": [Job("compat")]}
        return self.github.run(FOLDER / "llm-compat-pull-request.yml", done)["comment"][0]

    def publish(self) -> Job:
        """The job that publishes what is in the artifact."""
        done = {"agent": [Job("agent", outputs={"ready": "1"})]}
        given = {"run_id": "1", "agent_profile": "coder"}
        return self.github.run(FOLDER / "llm-autofix.yml", done, **given)["publish"][0]

    def bundle(self, branch: str, change: Callable[[Path], None], commits: int = 1) -> str:
        """The artifact of the job with the agent: ``commits`` with a change each."""
        clone = self.github.folder.parent / "agent"
        git(clone.parent, "clone", "--quiet", str(self.github.checkout), str(clone))
        for number in range(commits):
            change(clone)
            (clone / CODE).write_text(f"STOP = {number}\n")
            made = commit(clone)
        git(clone, "commit", "--quiet", "--amend", f"--message={TITLE}\n\nBecause.")
        git(clone, "checkout", "--quiet", "-b", branch)
        made = git(clone, "rev-parse", "HEAD")
        artifact = clone.parent / "llm-autofix"
        artifact.mkdir()
        git(clone, "bundle", "create", str(artifact / "fixes.bundle"), f"^{self.base}", branch)
        (artifact / f"{branch[-8:]}.md").write_text("## Why\n\nIt was red.\n")
        self.github.artifacts["llm-autofix"] = artifact
        return made


@pytest.fixture
def fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fork]:
    for name in list(os.environ):
        if name.startswith(("GH_", "GITHUB_", "GIT_")):
            monkeypatch.delenv(name)
    clone = tmp_path / "checkout"
    (clone / CODE).parent.mkdir(parents=True)
    (clone / CODE).write_text("STOP = None\n")
    git(clone, "init", "--quiet", "--initial-branch=main")
    base = commit(clone)
    with FakeGitHub(tmp_path / "github.com") as hub:
        hub.account(BOT, TOKEN)
        hub.account("someone")
        hub.repository(REPOSITORY, clone, writers={BOT})
        variables = hub.environment(tmp_path / "home") | {"GH_ENTERPRISE_TOKEN": TOKEN}
        yield Fork(hub, GitHub(tmp_path / "github", clone, [], variables, token=TOKEN), base)


def test_the_comment_is_written_once_and_renewed(fork: Fork, tmp_path: Path) -> None:
    merged = tmp_path / "llm-compat-merged"
    merged.mkdir()
    text = "## 1 of 2 profiles work\n\n`$(touch owned)` @file ${{ github.token }}\n"
    (merged / "summary.md").write_text(text)
    fork.github.artifacts["llm-compat-merged"] = merged
    fork.github.event_name = "pull_request"
    fork.github.event = {"pull_request": {"number": 12.0}}
    # Somebody else's, which looks the same.
    told = {"id": 1, "issue": "12", "body": "<!-- llm-compat -->", "user": {"login": "stranger"}}
    fork.hub.comments.append(told)

    first = fork.comment()
    fork.github.folder = fork.github.folder.with_name("again")
    (merged / "summary.md").write_text("## 2 of 2 profiles work\n")
    again = fork.comment()

    assert (first.result, again.result) == ("success", "success"), first.output + again.output
    stranger, ours = fork.hub.comments
    assert stranger["body"] == "<!-- llm-compat -->"
    assert "## 2 of 2 profiles work" in ours["body"]
    assert f"https://{fork.hub.host}/{REPOSITORY}/actions/runs/4711" in ours["body"]
    assert TOKEN not in first.output + again.output + json.dumps(fork.hub.comments)


def test_a_fix_becomes_a_draft_pull_request(fork: Fork) -> None:
    made = fork.bundle("ohllm/openai-x-0123abcd", lambda clone: None)

    job = fork.publish()

    assert job.result == "success", job.output
    [pull] = fork.hub.pulls
    assert pull.draft
    assert (pull.base, pull.branch, pull.sha) == ("main", "ohllm/openai-x-0123abcd", made)
    assert pull.title == TITLE
    assert pull.body == "## Why\n\nIt was red.\n"
    assert str(pull.number) in job.summary
    assert TOKEN not in job.output
    for file in (job.folder / "workspace").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def _workflow(clone: Path) -> None:
    (clone / ".github/workflows").mkdir(parents=True, exist_ok=True)
    (clone / ".github/workflows/x.yml").write_text("on: push\n")


def _link(clone: Path) -> None:
    (clone / "openhands-sdk/openhands/link.py").symlink_to("/etc/passwd")


def _conftest(clone: Path) -> None:
    (clone / "tests").mkdir(exist_ok=True)
    (clone / "tests/conftest.py").write_text("import os\n")


def _hidden(clone: Path) -> None:
    (clone / "openhands-sdk/openhands/.env").write_text("A=1\n")


def _strange(clone: Path) -> None:
    (clone / "openhands-sdk/openhands/a\n::set-output.py").write_text("\n")


@pytest.mark.parametrize(
    ("change", "branch", "commits", "reason"),
    [
        (_workflow, "ohllm/x-0123abcd", 1, "changes .github/workflows/x.yml"),
        (_link, "ohllm/x-0123abcd", 1, "no ordinary file at openhands-sdk/openhands/link.py"),
        (_conftest, "ohllm/x-0123abcd", 1, "changes tests/conftest.py"),
        (_hidden, "ohllm/x-0123abcd", 1, "changes openhands-sdk/openhands/.env"),
        (_strange, "ohllm/x-0123abcd", 1, "refused: "),
        (lambda clone: None, "ohllm/x-0123abcd", 2, "is not one commit on"),
        (lambda clone: None, "release-0123abcd", 1, "the branch refs/heads/release-0123abcd"),
    ],
    ids=["workflow", "link", "conftest", "hidden", "strange-name", "two-commits", "branch"],
)
def test_what_is_no_fix_is_refused_before_it_is_pushed(
    fork: Fork, change: Callable[[Path], None], branch: str, commits: int, reason: str
) -> None:
    fork.bundle(branch, change, commits)

    job = fork.publish()

    assert job.result == "failure"
    assert "::error::refused: " in job.output
    assert reason in job.output
    assert fork.hub.pulls == []
    assert fork.hub.repositories[REPOSITORY].branches() == {"main": fork.base}
