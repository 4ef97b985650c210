"""Columns and matrix in pytest-html's report: the only place that knows pytest-html."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pytest_html import extras
from pytest_metadata.plugin import metadata_key

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import CheckResult
from pytest_ohllm.report import html

if TYPE_CHECKING:
    from pytest_ohllm.session.llm_session import LlmSession


def attach(report: Any, result: CheckResult, folder: str) -> None:
    """Show the diagnosis with its evidence below the row of a test that did not pass."""
    capsule = html.capsule_html(result, folder=folder)
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
            prefix.append(self._redactor.text(html.summary_html(self._session.run)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        cells[1:1] = html.header_cells()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        if cells:
            # Collection reports come here, too, and have no properties.
            cells[1:1] = html.cells(getattr(report, "user_properties", ()))
