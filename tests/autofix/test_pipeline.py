"""``ohllm-autofix`` from a red run to a pull request: real gaps of real releases, a real agent in a
real sandbox, real git and gh. One gap and one bad patch in each run, all with OHLLM_WHOLE_SUITE.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.simulator.server import Simulator
from tests.autofix.gaps import GAPS, Edit, Gap, endpoints, environment_of, gap, git, repository
from tests.autofix.github_server import FakeGitHub, Repository
from tests.autofix.ground import running
from tests.autofix.programmer import (
    PRICES,
    Script,
    create,
    finish,
    programmer,
    replaces,
    terminal,
)
from tests.plugin.watch import Watch

WHOLE = bool(os.environ.get("OHLLM_WHOLE_SUITE"))
SDK = "OpenHands/software-agent-sdk"
TOKEN = "ghp_CanaryTokenOfTheBot0123456789abcdefghij"
AGENT_KEY = f"sk-canary-of-the-agent-{secrets.token_hex(16)}"
"""Of this process alone: all processes of the machine are watched for it."""
FIRST = gap("codex-temperature")
"""No setting helps with it, so that nothing but a change of the SDK can."""

PATHS = "OHLLM_AUTOFIX_DIR"

# Two whole repairs in some of them, each with a dozen imports of the SDK.
pytestmark = pytest.mark.timeout(900)


@dataclass
class Scene:
    """A user with a red run of an old SDK, a checkout of it, and a GitHub."""

    gap: Gap
    root: Path
    checkout: Path
    hub: FakeGitHub
    upstream: Repository
    environment: dict[str, str]
    store: Path
    outputs: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    """Where the agent's key was seen in arguments, or in the environment of a child."""

    @property
    def state(self) -> Path:
        """Where the autofix keeps what it does."""
        return Path(self.environment[PATHS])

    def run_the_suite(self) -> None:
        """The failing run, with the SDK of the checkout."""
        junit = f"--junitxml={self.root / 'junit.xml'}"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", junit, *self.gap.options],
            cwd=self.root,
            env=environment_of(self.checkout, **self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr

    def command(self, *arguments: str) -> list[str]:
        """``ohllm-autofix junit.xml`` with these arguments beside the usual ones."""
        program = Path(sys.executable).with_name("ohllm-autofix")
        usual = [str(self.root / "junit.xml"), "--agent-profile=programmer", "--yes"]
        return [sys.executable, str(program), *usual, *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """That command as it runs."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def autofix(self, script: Script, *arguments: str, again: Script = ()) -> tuple[int, str]:
        """Run it with an agent that follows ``script``; its exit code and output."""
        exempt = tuple(self.command(*arguments))  # the user has given it the key as a variable
        with self.agent(script, again), Watch(AGENT_KEY, exempt) as watch:
            process = self.start(*arguments)
            output, _ = process.communicate(timeout=600)
        self.outputs.append(output)
        print(output)  # tests/bench/autofix.py reads the times in it
        self.told |= watch.told
        return process.returncode, output

    @contextmanager
    def agent(self, *rounds: Script) -> Iterator[None]:
        """The model that fixes, with its profile saved."""
        with programmer(*(one for one in rounds if one), api_key=AGENT_KEY) as simulator:
            self._save(simulator)
            yield

    def _save(self, simulator: Simulator) -> None:
        settings = {
            **simulator.personality.settings,
            "base_url": simulator.base_url,
            "num_retries": 0,
            **PRICES,
        }
        from pytest_ohllm.profiles.creation import add

        add(
            "programmer",
            settings,
            {"api_key": "KEY_OF_THE_AGENT"},
            overwrite=True,
            folder=self.store,
            environ=self.environment,
        )

    @property
    def work(self) -> Path:
        """The agent's worktree."""
        from pytest_ohllm.autofix import reading, selection

        source, failures = reading.read(self.root / "junit.xml", [])
        (decision,) = [d for d in selection.decide(source, failures, force=False) if d.taken]
        return self.state / f"{source.run_id}-{decision.cause.id}" / "work"

    def edits(self, *edits: Edit) -> Script:
        """The agent's calls that make them, as a person would: look, change, try, tell."""
        steps: list[Any] = [terminal("git status --short | head")]
        steps += [replaces(self.work / one.path, one.old, one.new) for one in edits]
        return (*steps, finish("The SDK sent what this model does not take. Now it does not."))


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    wanted: Gap = getattr(request, "param", FIRST)
    for name in list(os.environ):
        if name.startswith(("GH_", "GITHUB_", "GIT_", "OHLLM_AUTOFIX")):
            monkeypatch.delenv(name)
    upstream_checkout = repository(wanted.release, tmp_path / "upstream")
    (upstream_checkout / ".github").mkdir()
    (upstream_checkout / ".github" / "pull_request_template.md").write_text(
        "HUMAN:\n\nAGENT:\n\n## Why\n\n## Summary\n\n## How to Test\n"
    )
    git(upstream_checkout, "add", "--all")
    git(upstream_checkout, "commit", "--quiet", "--message=template")
    with (
        FakeGitHub(tmp_path / "github") as hub,
        endpoints([wanted], tmp_path / "profiles") as profiles,
    ):
        hub.account("OpenHands", kind="Organization")
        hub.account("bot", TOKEN)
        upstream = hub.repository(SDK, upstream_checkout)
        checkout = tmp_path / "agent-sdk"
        git(tmp_path, "clone", "--quiet", str(upstream.path), str(checkout))
        (checkout / "notes of the user.txt").write_text("not in git\n")
        environment = {
            **profiles,
            **hub.environment(tmp_path / "home"),
            "GH_ENTERPRISE_TOKEN": TOKEN,
            "KEY_OF_THE_AGENT": AGENT_KEY,
            PATHS: str(tmp_path / "autofix"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        made = Scene(wanted, tmp_path, checkout, hub, upstream, environment, tmp_path / "profiles")
        made.run_the_suite()
        yield made
        made_clean(made)


def made_clean(scene: Scene) -> None:
    """Nothing is left of it, and nothing of the user's was touched."""
    assert running(str(scene.state)) == []
    listed = git(scene.checkout, "worktree", "list").splitlines()
    assert len(listed) == 1, listed
    assert git(scene.checkout, "status", "--short") == '?? "notes of the user.txt"'
    assert scene.told == set()
    keys = [v for name, v in scene.environment.items() if name.startswith("KEY_OF_")]
    for place in (scene.root / "autofix", scene.root / ".ohllm", scene.checkout, scene.hub.folder):
        for file in place.rglob("*"):
            if file.is_file() and not file.is_symlink():
                content = file.read_bytes()
                assert [key for key in (TOKEN, *keys) if key.encode() in content] == [], file
    assert [key for key in (TOKEN, *keys) if key in "".join(scene.outputs)] == []


@pytest.mark.parametrize(
    "scene",
    [one for one in GAPS if one is FIRST or WHOLE],
    indirect=True,
    ids=lambda one: one.name,
)
def test_a_real_gap_becomes_a_proved_pull_request(scene: Scene) -> None:
    code, output = scene.autofix(scene.edits(*scene.gap.edits))

    assert code == 0, output
    [pull] = scene.hub.pulls
    assert pull.draft
    assert (pull.base, pull.head.name) == ("main", "bot/software-agent-sdk")
    assert pull.branch.startswith("ohllm/")
    assert f"/pull/{pull.number}" in output
    assert "| the failed checks | red | green |" in pull.body, pull.body
    for told in ("HUMAN:", "## Why", "| repro, offline | red | green |", "with the change taken"):
        assert told in pull.body, pull.body
    changed = git(scene.checkout, "diff", "--name-only", "origin/main", pull.sha)
    assert changed.splitlines() == sorted({edit.path for edit in scene.gap.edits})

    # Once more: it is done.
    again, output = scene.autofix(scene.edits(*scene.gap.edits))
    assert again == 0, output
    assert "published before" in output
    assert len(scene.hub.pulls) == 1


@pytest.mark.skipif(not WHOLE, reason="takes minutes")
def test_a_dry_run_pushes_nothing_and_the_real_one_goes_on(scene: Scene) -> None:
    code, output = scene.autofix(scene.edits(*scene.gap.edits), "--dry-run", "--json")

    assert code == 0, output
    assert scene.hub.pulls == []
    (outcome,) = json.loads(output[output.index("{") :])["outcomes"]
    assert outcome["status"] == "ready"
    assert all(row["passed"] for row in outcome["rows"])
    assert git(scene.checkout, "rev-parse", outcome["branch"]) == outcome["commit"]

    # Without an agent that could do anything: there is nothing left to do for one.
    code, output = scene.autofix((finish("nothing"),))
    assert code == 0, output
    [pull] = scene.hub.pulls
    assert pull.sha == outcome["commit"]


def _weakened(scene: Scene) -> Script:
    test = scene.work / scene.gap.tests[0]
    return (
        terminal(f"sed -i 's/^    assert .*/    pass/' {test}"),
        *scene.edits(*scene.gap.edits),
    )


BAD: dict[str, Any] = {
    "wrong": (lambda s: s.edits(s.gap.wrong_edit), 1, "repro, offline: red"),
    "empty": (lambda s: (finish("I changed nothing."),), 2, "the patch is empty"),
    "weakens a test": (_weakened, 2, "weakens tests/"),
    "edits a workflow": (
        lambda s: (
            terminal("mkdir -p .github/workflows; echo 'on: push' > .github/workflows/x.yml"),
            *s.edits(*s.gap.edits),
        ),
        2,
        ".github/workflows/x.yml",
    ),
    "plants a link": (
        lambda s: (
            terminal("ln -s /etc/passwd openhands-sdk/openhands/sdk/link.py"),
            *s.edits(*s.gap.edits),
        ),
        2,
        "a symbolic link",
    ),
    "replaces .git": (
        lambda s: (
            terminal(
                "rm -f .git; mkdir evil; git init -q evil; git -C evil config core.fsmonitor "
                "'touch /tmp/owned'; echo 'gitdir: evil/.git' > .git; rm -rf evil"
            ),
            finish("done"),
        ),
        2,
        "the patch is empty",
    ),
    "writes a key": (
        lambda s: (
            *s.edits(*s.gap.edits)[:-1],
            create(
                s.work / "openhands-sdk/openhands/sdk/key.py",
                'KEY = "sk-ant-api03-Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6AA"\n',
            ),
            finish("done"),
        ),
        2,
        "a secret",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_a_bad_patch_is_refused_with_the_reason(scene: Scene, name: str) -> None:
    make, code, reason = BAD[name]
    ended, output = scene.autofix(make(scene))

    assert ended == code, output
    assert reason in output
    assert scene.hub.pulls == []
    assert scene.hub.changes() == []
    assert "ohllm/" not in git(scene.checkout, "branch", "--all")


@pytest.mark.skipif(not WHOLE, reason="takes minutes")
def test_the_agent_gets_a_second_try_with_what_was_wrong(scene: Scene) -> None:
    right = scene.edits(
        Edit(scene.gap.wrong_edit.path, scene.gap.wrong_edit.new, scene.gap.wrong_edit.old),
        *scene.gap.edits,
    )
    code, output = scene.autofix(scene.edits(scene.gap.wrong_edit), again=right)

    assert code == 0, output
    assert "round 1 is not accepted" in output
    assert len(scene.hub.pulls) == 1


MOMENTS = ("the evidence is in", "before: ", "at work", "the change touches", "after: ", "branch ")
"""Lines of the progress, one of each step."""


@pytest.mark.skipif(not WHOLE, reason="takes minutes")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_step_the_next_call_goes_on(scene: Scene, moment: str) -> None:
    script = scene.edits(*scene.gap.edits)
    with scene.agent(script):
        process = scene.start()
        assert process.stdout is not None
        for line in process.stdout:
            if moment in line:
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    deadline = time.monotonic() + 10
    while running(str(scene.state)) and time.monotonic() < deadline:
        time.sleep(0.1)

    code, output = scene.autofix(script)

    assert code == 0, output
    assert len(scene.hub.pulls) == 1
