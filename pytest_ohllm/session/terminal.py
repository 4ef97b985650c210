"""What the user sees: a header line, outcomes of their own, and the matrix at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Outcome
from pytest_ohllm.session.views import annotation_lines, on_github

if TYPE_CHECKING:
    from pytest_ohllm.session.llm_session import LlmSession

_OWN = {
    Outcome.INCONCLUSIVE: ("inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})),
    Outcome.NOT_RUN: ("not run", "-", ("NOT RUN", {"yellow": True})),
    Outcome.UNSUPPORTED: ("unsupported", "u", ("UNSUPPORTED", {"cyan": True})),
}
"""Outcomes that pytest has no word for: category, letter, and word with colour."""


_KNOWN = ("known", "k", ("KNOWN", {"yellow": True}))
"""What a baseline or a waiver names does not count, so it is not shown as if it did."""


class Terminal:
    """Speaks to the user through pytest's own reporter."""

    def __init__(self, session: LlmSession, redactor: Redactor) -> None:
        self._session = session
        self._redactor = redactor

    def pytest_report_header(self) -> str | None:
        folder = self._session.folder
        if folder is None:
            return None
        return (
            f"ohllm: profiles {', '.join(self._session.names)}; evidence in {_shown(folder.path)}"
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, Any] | None:
        if report.when != "call" and not (report.failed or report.skipped):
            return None
        about = dict(getattr(report, "user_properties", ()))
        outcome = about.get(junit.OUTCOME)
        if report.failed and about.get(junit.KNOWN):
            return _KNOWN
        if outcome == Outcome.NOT_RUN and not getattr(report, "not_run", False):
            return None  # the test's own skip or xfail, for which pytest has words
        return _OWN.get(Outcome(outcome)) if outcome else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        run, folder = self._session.run, self._session.folder
        if run is None or folder is None or not any(p.checks for p in run.profiles):
            return
        from pytest_ohllm.report.github_commands import without_commands
        from pytest_ohllm.report.safe_text import one_line
        from pytest_ohllm.report.terminal import render, render_short

        reporter = terminalreporter
        options = self._session.config.option
        short = options.verbose < 0 or getattr(options, "no_summary", False)
        writer = reporter._tw
        encoding = str(getattr(writer._file, "encoding", None) or "utf-8")
        style: dict[str, Any] = {
            "width": writer.fullwidth,
            "color": writer.hasmarkup,
            "ascii": not encoding.lower().startswith("utf"),
        }
        if short:
            text = render_short(run, **style)
        else:
            page = _shown(self._session.page) if self._session.page else None
            text = "\n" + render(run, run_dir=_shown(folder.path), page=page, **style)
        # Once more: what was redacted in the folder may have been taken apart by invisible
        # characters, which are not shown.
        text = self._redactor.text(text)
        reporter.write(without_commands(text) if on_github() else text)
        for problem in self._session.problems:
            reporter.write_line(f"ohllm: {one_line(problem)}", yellow=True)
        if leaks := self._session.leaks:
            files = ", ".join(sorted({path for path, _ in leaks}))
            reporter.write_line(
                f"ohllm: secrets are left in the run folder, do not share it: {files}", red=True
            )
        if on_github():
            for line in annotation_lines(run, folder.path, self._session.config.rootpath):
                reporter.write_line(self._redactor.text(line))


def _shown(path: os.PathLike[str]) -> str:
    """The path as the user would type it from here, if that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
