"""The views of a finished run that are files: its page, and the summary of a step on GitHub."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_ohllm.evidence.files import encode
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Run
from pytest_ohllm.report.matrix import Finding


def write_views(run: Run, folder: Path, redactor: Redactor) -> tuple[Path | None, list[str]]:
    """The page's path, if there is one, and in words what could not be written.

    A view is made of what is in the folder already, so that one that fails breaks no run.
    """
    views: dict[str, Callable[[], Path]] = {"page": lambda: _page(run, folder, redactor)}
    if target := os.environ.get("GITHUB_STEP_SUMMARY"):
        views["step summary"] = lambda: _appended(Path(target), run, folder, redactor)
    written: dict[str, Path] = {}
    problems = []
    for name, write in views.items():
        try:
            written[name] = write()
        except Exception as error:
            said = redactor.text(str(error))
            problems.append(f"the {name} was not written: {type(error).__name__}: {said}")
    return written.get("page"), problems


def on_github() -> bool:
    """Whether this runs in GitHub Actions, which reads commands from the output."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation_lines(run: Run, folder: Path, root: Path) -> Iterator[str]:
    """What was found as workflow commands; files are named if they are in the repository."""
    from pytest_ohllm.report.github_commands import github_commands

    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or root)
    yield from github_commands(run, lambda finding: _file(finding, folder, root, workspace))


def _page(run: Run, folder: Path, redactor: Redactor) -> Path:
    # Here, because a session that is only asked something needs no template engine.
    from pytest_ohllm.report.page import write_page

    return write_page(folder, run=run, redact=redactor.text)


def _appended(path: Path, run: Run, folder: Path, redactor: Redactor) -> Path:
    from pytest_ohllm.report.markdown import STEP_SUMMARY, summary

    # Other commands of the same step write there, too.
    room = STEP_SUMMARY - (path.stat().st_size if path.exists() else 0)
    if room <= 0:
        raise OSError(f"{path.name} is full")
    text = redactor.text(summary(run, folder=folder, limit=room))
    with path.open("ab") as file:
        file.write(encode(text)[:room].decode("utf-8", "ignore").encode())
    return path


def _file(finding: Finding, folder: Path, root: Path, workspace: Path) -> str | None:
    """The test's file relative to the repository; ``None`` for the packaged suite's."""
    from pytest_ohllm.report.started import node_id

    path = (root / node_id(folder / finding.folder).partition("::")[0]).resolve()
    if not path.is_file() or not path.is_relative_to(workspace.resolve()):
        return None
    return path.relative_to(workspace.resolve()).as_posix()
