"""What was found as workflow commands, which GitHub shows beside the code.

Source: GitHub's documentation of workflow commands, and its runner, which trims a line before it
looks for a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_ohllm.model import Outcome, Run
from pytest_ohllm.report.matrix import Finding, Matrix
from pytest_ohllm.report.safe_text import one_line

MOST = 10
"""GitHub shows as many of each level for a step."""

_LONGEST = 1_000
_COMMAND = re.compile(r"^[^\S\n]*:(?=:)|##(?=\[)", re.MULTILINE)


def github_commands(run: Run, file_of: Callable[[Finding], str | None]) -> list[str]:
    """One command for each root cause; ``file_of`` names the test's file within the repository."""
    commands: dict[str, list[str]] = {}
    for finding in Matrix.of(run).findings:
        level = _level(finding)
        commands.setdefault(level, []).append(_command(level, finding, file_of(finding)))
    return [line for level in sorted(commands) for line in commands[level][:MOST]]


def without_commands(text: str) -> str:
    """``text`` of many lines, none of which the runner takes for a command."""
    return _COMMAND.sub(lambda found: f"{found[0]} ", text)


def _level(finding: Finding) -> str:
    if finding.known:
        return "notice"
    return "warning" if finding.outcome is Outcome.INCONCLUSIVE else "error"


def _command(level: str, finding: Finding, file: str | None) -> str:
    title = f"{finding.profile}: {finding.stage} {finding.stage.claim}: {finding.cause}"
    about = {"file": file, "title": one_line(title, 200)}
    properties = ",".join(f"{name}={_property(value)}" for name, value in about.items() if value)
    said = (finding.summary, f"→ {finding.next_step}")
    return f"::{level} {properties}::{_data('\n'.join(one_line(one, _LONGEST) for one in said))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
