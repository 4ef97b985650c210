"""From what pytest and the driver report to the evidence of each check."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.allowances import Allowances
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.judgement import NotRun, Unsupported
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    Exchange,
    Kind,
    Outcome,
    Transcript,
)
from pytest_ohllm.session.attempt import Attempt
from pytest_ohllm.session.case import Case
from pytest_ohllm.session.clinic import Clinic
from pytest_ohllm.session.gates import Gates

type Attach = Callable[[pytest.TestReport, CheckResult, str, Path], None]


class Recorder:
    """Writes each check's evidence, and hears what the drivers have to say meanwhile."""

    def __init__(
        self,
        folder: RunFolder,
        gates: Gates,
        clinic: Clinic,
        allowances: Allowances | None,
        attach: Attach | None,
    ) -> None:
        self._folder, self._gates, self._clinic = folder, gates, clinic
        self._allowances, self._attach = allowances, attach
        self._attempt: Attempt | None = None

    def exchange_ended(self, exchange: Exchange) -> None:
        """Keep it at once: a crash must not lose what was already received."""
        if self._attempt is not None:
            self._attempt.folder.append_jsonl("exchanges.jsonl", exchange)
            self._event("exchange", self._attempt.case, status=exchange.status)

    def transcript_made(self, transcript: Transcript) -> None:
        """Count it to the item that runs."""
        if self._attempt is not None:
            self._attempt.made.append(transcript)
            self._event("spent", self._attempt.case, usage=transcript.usage)

    @contextmanager
    def check(self, item: pytest.Item, case: Case) -> Iterator[Attempt]:
        """Record a check while it runs; one that is interrupted is recorded as that."""
        case.folder.start({"node": item.nodeid, "rerun": case.rerun})
        self._event("started", case)
        attempt = Attempt(item, case, case.folder)
        try:
            with self.recording(attempt):
                yield attempt
        except BaseException as error:
            attempt.outcome = Outcome.INCONCLUSIVE
            attempt.diagnosis = _interrupted(error)
            self.conclude(attempt)
            self._report_interruption(attempt)
            raise

    @contextmanager
    def recording(self, attempt: Attempt) -> Iterator[None]:
        """Let ``attempt`` be the one to which everything that happens counts."""
        before, self._attempt = self._attempt, attempt
        try:
            yield
        finally:
            self._attempt = before

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        attempt = self._attempt
        if attempt is None or attempt.item is not item:
            return report
        self._judge(attempt, call, report)
        attempt.note_fixtures()
        if report.when == "teardown":
            self._keep(attempt)
        self._describe(attempt, report)
        return report

    def conclude(self, attempt: Attempt, reports: Sequence[pytest.TestReport] = ()) -> None:
        """Write the result of a check, and give its reports what is now known."""
        result = attempt.result()
        attempt.folder.finish(result)
        self._gates.judge(result)
        seconds = round(result.seconds, 3)
        self._event(
            "finished", attempt.case, outcome=result.outcome, seconds=seconds, usage=result.usage
        )
        for report in reports:
            self._describe(attempt, report)
            if report.failed and self._attach is not None:
                shown = self._folder.relative(attempt.folder)
                self._attach(report, result, shown, attempt.folder.path)

    def _event(self, name: str, case: Case, **facts: Any) -> None:
        """Tell those who watch."""
        where = {"profile": case.profile, "stage": case.stage, "check": case.check}
        self._folder.event(name, **where, **facts)

    def _report_interruption(self, attempt: Attempt) -> None:
        """Say how the check ended: pytest makes no report of what is interrupted.

        JUnit would hold a test without name and outcome, which looks as if it had passed.
        """
        assert attempt.diagnosis is not None
        item, said = attempt.item, attempt.diagnosis.summary
        for report in (
            pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call"),
            pytest.TestReport(item.nodeid, item.location, {}, "passed", None, "teardown"),
        ):
            self._describe(attempt, report)
            item.ihook.pytest_runtest_logreport(report=report)

    def _judge(self, attempt: Attempt, call: pytest.CallInfo[None], report: Any) -> None:
        error = call.excinfo.value if call.excinfo else None
        if report.failed:
            # The first thing that went wrong explains what goes wrong while cleaning up after it,
            # and a subtest that failed is what is wrong with its test.
            if attempt.diagnosis is None:
                diagnosis = self._clinic.diagnose(attempt, error, report)
                attempt.diagnosis = diagnosis
                inconclusive = diagnosis.kind.inconclusive
                attempt.outcome = Outcome.INCONCLUSIVE if inconclusive else Outcome.FAILED
            attempt.tracebacks.append(_traceback(error, report))
            attempt.folder.write_text("traceback.txt", "\n".join(attempt.tracebacks))
        elif attempt.diagnosis is not None or hasattr(report, "context"):
            return  # it is judged already, or by what its subtests say together
        elif report.skipped:
            report.not_run = isinstance(error, NotRun)
            attempt.outcome = (
                Outcome.UNSUPPORTED if isinstance(error, Unsupported) else Outcome.NOT_RUN
            )
            attempt.reason = _skip_reason(error, report)
        elif report.when == "call":
            attempt.outcome = Outcome.PASSED

    def _keep(self, attempt: Attempt) -> None:
        """Write what the run has left, but for its result."""
        if transcripts := attempt.transcripts:
            attempt.folder.write_json("transcript.json", transcripts)
            if tracebacks := [one.traceback for one in transcripts if one.traceback]:
                attempt.folder.write_text("provider_traceback.txt", "\n".join(tracebacks))
        if sections := "\n".join(_sections(attempt.item)):
            attempt.folder.write_text("log.txt", sections)

    def _describe(self, attempt: Attempt, report: pytest.TestReport) -> None:
        """Give the report the properties that JUnit, HTML and the terminal read.

        JUnit takes them from the teardown's report, but from the call's if the teardown fails, too.
        """
        case, result = attempt.case, attempt.result()
        properties = junit.properties(
            result,
            folder=self._folder.relative(case.folder),
            rerun=case.rerun_in(result.tool_mode),
            blocked_by=self._gates.closed_before(case.profile, case.stage),
            known=self._allowances.excuse(case.profile, result) if self._allowances else "",
        )
        others = [p for p in report.user_properties if not str(p[0]).startswith(junit.PREFIX)]
        report.user_properties = [*others, *properties]
        attempt.item.user_properties[:] = report.user_properties


def _interrupted(error: BaseException) -> Diagnosis:
    return Diagnosis(
        kind=Kind.ENVIRONMENT,
        blame=Blame.USER if isinstance(error, KeyboardInterrupt) else Blame.ENVIRONMENT,
        summary=f"interrupted by {type(error).__name__}",
        next_step="run it again",
        rule="interrupted",
    )


def _skip_reason(error: BaseException | None, report: pytest.TestReport) -> str:
    if isinstance(error, NotRun | Unsupported | pytest.skip.Exception):
        return str(error.msg or error)
    longrepr = report.longrepr
    return str(longrepr[2] if isinstance(longrepr, tuple) else getattr(report, "wasxfail", ""))


def _traceback(error: BaseException | None, report: pytest.TestReport) -> str:
    """pytest's own, which shows the values in asserts; the provider's has its own file."""
    return report.longreprtext or repr(error)


def _sections(item: pytest.Item) -> Iterator[str]:
    for when, name, content in getattr(item, "_report_sections", []):
        yield f"--- {name} ({when}) ---\n{content}"
