"""The workflows from a red matrix to a draft pull request: a real gap, agent, sandbox, and gh."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pytest_ohllm.autofix import reading, selection
from pytest_ohllm.simulator.server import Simulator
from tests.autofix.gaps import gap
from tests.autofix.github_server import FakeGitHub
from tests.autofix.programmer import PRICES, finish, programmer, replaces, terminal
from tests.autofix.releases import git
from tests.examples.actions import REPOSITORY, GitHub, Job
from tests.examples.runner import EXAMPLES, WHOLE, commit, installed, release, tools

FOLDER = EXAMPLES / "github-actions"
GAP = gap("codex-temperature")
AGENT_KEY = "sk-canary-of-the-agent-0123456789abcdefghijklmnop"
TOKEN = "ghs_CanaryTokenOfTheJob0123456789abcdefghij"

pytestmark = [
    pytest.mark.skipif(not WHOLE, reason="takes minutes"),
    pytest.mark.timeout(1800),
]


def _profiles(checkout: Path, endpoint: Simulator, coder: Simulator) -> None:
    """What the repository says of the model that fails, and of the one that fixes."""
    failing = {**GAP.settings, "base_url": endpoint.base_url}
    fixing = {**coder.personality.settings, "base_url": coder.base_url, "num_retries": 0, **PRICES}
    saved = [
        {"name": name, "settings": settings, "secrets": {"api_key": "env:LLM_API_KEY"}}
        for name, settings in ((GAP.name, failing), ("coder", fixing))
    ]
    content = {"kind": "pytest-ohllm profiles", "schema_version": 1, "profiles": saved}
    (checkout / ".github/llm-compat/profiles.json").write_text(json.dumps(content))
    rows = [{"profile": GAP.name, "environment": "llm-openai"}]
    (checkout / ".github/llm-compat/matrix.json").write_text(json.dumps(rows))
    commit(checkout)


def test_a_red_model_becomes_a_draft_pull_request(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("GH_", "GITHUB_", "GIT_", "OHLLM_AUTOFIX")):
            monkeypatch.delenv(name)
    checkout = release(GAP.release, tmp_path / "checkout")
    shutil.copytree(FOLDER / "llm-compat", checkout / ".github" / "llm-compat")
    steps = [terminal("git status --short | head")]
    with FakeGitHub(tmp_path / "github.com") as hub, Simulator(GAP.personality) as endpoint:
        github = GitHub(
            tmp_path / "github",
            checkout,
            [tools(tmp_path / "bin")],
            installed(built),
            token=TOKEN,
        )
        github.environments = {
            "llm-openai": {"LLM_API_KEY": endpoint.api_key},
            "llm-agent": {"LLM_API_KEY": AGENT_KEY},
        }
        with programmer((*steps, finish("?")), api_key=AGENT_KEY) as nobody:
            _profiles(checkout, endpoint, nobody)
        red = github.run(FOLDER / "llm-compat.yml", gates="none")
        assert red["test"][0].step("Test").code == 1, red["test"][0].output
        (run,) = (red["merge"][0].folder / "temp/work/runs").iterdir()
        source, failures = reading.read(run, [])
        (cause,) = [d.cause for d in selection.decide(source, failures, force=False) if d.taken]
        work = github.folder / f"agent-0/temp/autofix/{source.run_id}-{cause.id}/work"
        steps += [replaces(work / one.path, one.old, one.new) for one in GAP.edits]
        with programmer((*steps, finish("No temperature is sent.")), api_key=AGENT_KEY) as coder:
            # The port is another one by now.
            _profiles(checkout, endpoint, coder)
            hub.account("github-actions[bot]", TOKEN)
            hub.account("someone")
            hub.repository(REPOSITORY, checkout, writers={"github-actions[bot]"})
            inputs = {"run_id": "4711", "agent_profile": "coder"}
            later = {"publish": [Job("publish", result="skipped")]}
            (agent,) = github.run(FOLDER / "llm-autofix.yml", later, **inputs)["agent"]
            assert agent.result == "success", agent.output
            assert agent.outputs["ready"] == "1", agent.output
        # Its own authority is known to this GitHub, and to no package index.
        github.variables = hub.environment(tmp_path / "home") | {"GH_ENTERPRISE_TOKEN": TOKEN}
        done = github.run(FOLDER / "llm-autofix.yml", {"agent": [agent]}, **inputs)
        (publish,) = done["publish"]

        assert publish.result == "success", publish.output
        [pull] = hub.pulls
        assert pull.draft
        assert pull.branch == cause.branch
        assert "| repro, offline | red | green |" in pull.body
        changed = git(publish.folder / "workspace", "diff", "--name-only", "HEAD", pull.sha)
        assert changed.splitlines() == sorted({edit.path for edit in GAP.edits})
        assert not any("GH_TOKEN" in step.environment for step in agent.steps)
        assert not any(AGENT_KEY in step.environment.values() for step in publish.steps)
        for file in (*github.folder.glob("artifacts/**/*"), *publish.folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                content = file.read_bytes()
                assert AGENT_KEY.encode() not in content, file
                assert TOKEN.encode() not in content, file
