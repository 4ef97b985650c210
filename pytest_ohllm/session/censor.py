"""Redacts every report before anybody sees it: terminal, JUnit, HTML, and the process boundary.

Reports are cleaned when they are logged rather than when they are made, because sections are still
added in between. What pytest keeps for later has fields full of strings, so they are walked as they
are.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

import pytest

from pytest_ohllm.evidence.redaction import Redactor

_LEFT_ALONE = {"nodeid", "location", "keywords", "outcome", "when", "node", "result"}
"""Fields of a report that identify it, or hold pytest's live nodes."""

_REPRESENTATIONS = ("_pytest._code.", "_pytest.subtests", "_pytest.reports")
"""Where the classes live that hold what is shown of a failure."""


class Censor:
    """The only place through which text leaves the session."""

    def __init__(self, config: pytest.Config, redactor: Redactor) -> None:
        self._config = config
        self._redactor = redactor

    def watch_logs(self) -> None:
        """Clean live logs and the log file, which see records before any report does."""
        logging_plugin = self._config.pluginmanager.get_plugin("logging-plugin")
        for name in ("log_cli_handler", "log_file_handler"):
            handler = getattr(logging_plugin, name, None)
            if handler is not None:
                handler.addFilter(self._clean_record)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> Generator[None, None, None]:
        self._clean_report(report)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collectreport(self, report: Any) -> Generator[None, None, None]:
        self._clean_report(report)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any) -> None:
        said = str(warning_message.message)
        clean = self._redactor.text(said)
        if clean != said:
            # Not every warning can be made from a string alone, so it becomes a plain one.
            warning_message.message = UserWarning(clean)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        self._clean(excrepr, set())

    def pytest_make_parametrize_id(self, val: object) -> str | None:
        """Keep secrets out of node ids, which appear everywhere."""
        if not isinstance(val, str):
            return None
        clean = self._redactor.text(val)
        return clean if clean != val else None

    def _clean_report(self, report: Any) -> None:
        for name, value in list(vars(report).items()):
            if name not in _LEFT_ALONE:
                setattr(report, name, self._clean(value, set()))

    def _clean(self, value: Any, seen: set[int]) -> Any:
        """``value`` without secrets; pytest's own objects are cleaned in place."""
        if isinstance(value, str):
            return self._redactor.text(value)
        if type(value) is list:
            return [self._clean(one, seen) for one in value]
        if type(value) is tuple:
            return tuple(self._clean(one, seen) for one in value)
        if type(value) is dict:
            return {self._clean(k, seen): self._clean(v, seen) for k, v in value.items()}
        if type(value).__module__.startswith(_REPRESENTATIONS) and id(value) not in seen:
            seen.add(id(value))
            for name in _fields(value):
                # Some are frozen dataclasses.
                object.__setattr__(value, name, self._clean(getattr(value, name), seen))
        return value

    def _clean_record(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        if record.exc_info:
            formatter = logging.Formatter()
            record.exc_text = self._redactor.text(formatter.formatException(record.exc_info))
            record.exc_info = None
        return True


def _fields(value: object) -> list[str]:
    """Names of the fields of an object of pytest's; some have slots, some a ``__dict__``."""
    slots = [name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ())]
    return [*getattr(value, "__dict__", ()), *(name for name in slots if hasattr(value, name))]
