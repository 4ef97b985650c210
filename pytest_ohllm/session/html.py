"""Columns and matrix in pytest-html's report: the only place that knows pytest-html."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pytest_html import extras
from pytest_metadata.plugin import metadata_key

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import CheckResult
from pytest_ohllm.report import html

if TYPE_CHECKING:
    from pytest_ohllm.session.llm_session import LlmSession


_MOST_WITH_EVIDENCE = 100
"""Tests of one process whose evidence stands in the report: all of it in one file is not read."""


class Capsules:
    """Shows the diagnosis with its evidence below the row of a test that did not pass."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = _MOST_WITH_EVIDENCE

    def __call__(self, report: Any, result: CheckResult, folder: str, path: Path) -> None:
        """``folder`` is what to show of ``path``, where the check left its evidence."""
        evidence = html.evidence(path) if self._left > 0 else {}
        self._left -= 1
        capsule = self._redactor.text(html.capsule_html(result, folder=folder, evidence=evidence))
        report.extras = [*getattr(report, "extras", []), extras.html(capsule)]


class HtmlReport:
    """Extends pytest-html's report of an LLM run."""

    def __init__(self, session: LlmSession, redactor: Redactor) -> None:
        self._session = session
        self._redactor = redactor
        # The table of metadata was made before anybody knew what is secret.
        metadata: dict[str, Any] = session.config.stash.get(metadata_key, {})
        metadata.update(redactor.value(dict(metadata)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        report.title = f"LLM compatibility: {', '.join(self._session.names)}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        if self._session.run is not None:
            summary = html.summary_html(self._session.run, self._link())
            prefix.append(self._redactor.text(summary))

    def _link(self) -> str:
        """The run's page as seen from the report."""
        target = getattr(self._session.config.option, "htmlpath", None)
        if self._session.page is None or not target:
            return ""
        target = Path(os.path.expandvars(target)).expanduser()  # as pytest-html does
        report = self._session.config.invocation_params.dir / target
        return quote(Path(os.path.relpath(self._session.page, report.parent)).as_posix())

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        cells[1:1] = html.header_cells()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        if cells:
            # Collection reports come here, too, and have no properties.
            cells[1:1] = html.cells(getattr(report, "user_properties", ()))
