"""A proved change as a commit, and as what a pull request has to tell."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_ohllm.autofix.checkout import Checkout
from pytest_ohllm.autofix.job import Cause
from pytest_ohllm.autofix.pull_request import Row, Story, title
from pytest_ohllm.autofix.state import State
from pytest_ohllm.evidence.capsule import OFFLINE, REPRO, Capsule
from pytest_ohllm.evidence.redaction import Redactor

TEMPLATE = ".github/pull_request_template.md"
_PLACES = (TEMPLATE, ".github/PULL_REQUEST_TEMPLATE.md", "PULL_REQUEST_TEMPLATE.md")
_NOBODY = {"name": "pytest-ohllm", "email": "pytest-ohllm@users.noreply.github.com"}


def tell(
    cause: Cause, capsule: Capsule, folder: Path, state: State, template: str | None, red: Redactor
) -> Story:
    """The story of a fix, redacted."""
    diagnosis = cause.diagnosis
    script = folder / (OFFLINE if capsule.offline else REPRO)
    text = script.read_text(encoding="utf-8") if script.is_file() else ""
    remedy = ", ".join(
        f"{k}={v!r}" for k, v in (diagnosis.remedy.settings if diagnosis.remedy else {}).items()
    )
    return Story(
        model=", ".join(cause.models),
        profile=cause.first.profile.name,
        sdk_version=cause.source.sdk.version or "unknown",
        sdk_sha=state.base,
        summary=red.text(diagnosis.summary),
        evidence=tuple(red.text(line) for line in diagnosis.evidence),
        repro=_how_to_run(cause, capsule),
        log_excerpt=red.text(_excerpt(folder)),
        rationale=red.text(state.rationale),
        table=tuple(Row(r.step, r.before, r.after, r.seconds) for r in state.rows),
        models_tested=(*cause.models, "the simulator's healthy models"),
        remedy=f"LLM(..., {remedy})" if remedy else "",
        template=template,
        script=red.text(text),
    )


def template_of(checkout: Checkout, base: str) -> str | None:
    """The repository's pull request template as it is at ``base``."""
    for place in _PLACES:
        done = checkout.git.process("cat-file", "blob", f"{base}:{place}")
        if done.returncode == 0:
            return done.stdout
    return None


def commit(checkout: Checkout, cause: Cause, state: State, story: Story) -> str:
    """The change as one commit on its branch; the same change gives the same commit."""
    git = checkout.git
    author = {key: git.run("config", f"user.{key}", check=False).strip() for key in _NOBODY}
    who = {key: author[key] or _NOBODY[key] for key in _NOBODY}
    when = git.run("show", "-s", "--format=%cI", state.base).strip()
    environment = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", who["name"]), ("EMAIL", who["email"]), ("DATE", when))
    }
    message = "\n\n".join(filter(None, (title(story), story.rationale.strip())))
    made = git.run(
        "commit-tree", state.tree, "-p", state.base, given=f"{message}\n", environment=environment
    ).strip()
    git.run("update-ref", f"refs/heads/{cause.branch}", made)
    return made


def _how_to_run(cause: Cause, capsule: Capsule) -> str:
    ways = []
    if capsule.offline:
        ways.append("The script below needs no key: `python repro_offline.py` (recorded answers).")
    if cause.first.rerun:
        ways.append(f"With pytest-ohllm installed: `{cause.first.rerun}`")
    return "\n\n".join(ways)


def _excerpt(folder: Path) -> str:
    """The end of the traceback: where it happened, and what was said."""
    for name in ("provider_traceback.txt", "traceback.txt"):
        file = folder / name
        if file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            return "\n".join(text.splitlines()[-30:]).replace(os.path.expanduser("~"), "~")
    return ""
