"""From what pytest and the driver report to the evidence of each check."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_ohllm.diagnosis.engine import diagnose
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.error_chain import facts_of
from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.judgement import CallFailed, NotRun, Shortfall, Unsupported
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    Exchange,
    Kind,
    Outcome,
    Remedy,
    Stage,
    ToolMode,
    Transcript,
    Usage,
)
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.session.case import CASE, Case
from pytest_ohllm.session.gates import Gates
from pytest_ohllm.session.timeouts import LlmTimeout

_BY_PROMPT = Remedy(
    settings={"native_tool_calling": False},
    summary="tools are called by the SDK's prompt-based conversion",
)


class _Attempt:
    """What is known so far about the item that runs."""

    def __init__(self, item: pytest.Item, case: Case) -> None:
        self.item, self.case = item, case
        self.started = time.monotonic()
        self.outcome = Outcome.NOT_RUN
        self.reason: str | None = None
        self.diagnosis: Diagnosis | None = None
        self.made: list[Transcript] = []
        self.tracebacks: list[str] = []

    def result(self) -> CheckResult:
        usage = sum((transcript.usage for transcript in self.made), Usage())
        return CheckResult(
            id=self.case.check,
            node=self.item.nodeid,
            profile=self.case.profile,
            stage=self.case.stage,
            outcome=self.outcome,
            seconds=time.monotonic() - self.started,
            usage=usage,
            tool_mode=self._tool_mode(),
            reason=self.reason,
            diagnosis=self.diagnosis,
        )

    def transcripts(self) -> list[Transcript]:
        """Those that were made during the item, then those it judged that others had made."""
        values = (getattr(self.item, "funcargs", None) or {}).values()
        judged = [value for value in values if isinstance(value, Transcript)]
        return self.made + [one for one in judged if not any(one is two for two in self.made)]

    def _tool_mode(self) -> ToolMode | None:
        modes = [transcript.tool_mode for transcript in self.transcripts() if transcript.tool_mode]
        return modes[-1] if modes else None


class Recorder:
    """Writes each check's evidence, and hears what the drivers have to say meanwhile."""

    def __init__(
        self,
        folder: RunFolder,
        gates: Gates,
        drivers: dict[str, Driver],
        attach: Callable[[pytest.TestReport, CheckResult, str], None] | None,
    ) -> None:
        self._folder, self._gates, self._drivers = folder, gates, drivers
        self._attach = attach
        self._attempt: _Attempt | None = None

    def exchange_ended(self, exchange: Exchange) -> None:
        """Keep it at once: a crash must not lose what was already received."""
        if self._attempt is not None:
            self._attempt.case.folder.append_jsonl("exchanges.jsonl", exchange)

    def transcript_made(self, transcript: Transcript) -> None:
        """Count it to the item that runs."""
        if self._attempt is not None:
            self._attempt.made.append(transcript)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        case = item.stash.get(CASE, None)
        if case is None:
            return (yield)
        attempt = self._attempt = _Attempt(item, case)
        case.folder.start({"node": item.nodeid, "rerun": case.rerun})
        self._folder.event("started", profile=case.profile, stage=case.stage, check=case.check)
        if driver := self._drivers.get(case.profile):
            driver.left = driver.timeout
        try:
            return (yield)
        except BaseException as error:
            attempt.outcome = Outcome.INCONCLUSIVE
            attempt.diagnosis = _interrupted(error)
            self._finish(attempt)
            self._report_interruption(attempt)
            raise
        finally:
            self._attempt = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        attempt = self._attempt
        if attempt is None or attempt.item is not item:
            return report
        self._judge(attempt, call, report)
        if report.when == "teardown":
            self._finish(attempt)
        self._describe(attempt, report)
        return report

    def _report_interruption(self, attempt: _Attempt) -> None:
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

    def _judge(self, attempt: _Attempt, call: pytest.CallInfo[None], report: Any) -> None:
        error = call.excinfo.value if call.excinfo else None
        if report.failed:
            # The first thing that went wrong explains what goes wrong while cleaning up after it,
            # and a subtest that failed is what is wrong with its test.
            if attempt.diagnosis is None:
                diagnosis = self._diagnosis(attempt, error, report)
                attempt.diagnosis = diagnosis
                inconclusive = diagnosis.kind.inconclusive
                attempt.outcome = Outcome.INCONCLUSIVE if inconclusive else Outcome.FAILED
            attempt.tracebacks.append(_traceback(error, report))
            attempt.case.folder.write_text("traceback.txt", "\n".join(attempt.tracebacks))
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

    def _diagnosis(
        self, attempt: _Attempt, error: BaseException | None, report: pytest.TestReport
    ) -> Diagnosis:
        if isinstance(error, Shortfall):
            return _shortfall(error)
        symptoms = self._symptoms(attempt, error)
        hook = attempt.item.ihook.pytest_ohllm_diagnose
        answer: Diagnosis | None = hook(item=attempt.item, symptoms=symptoms)
        if answer is not None:
            return answer
        if isinstance(error, LlmTimeout) and symptoms.exchange is None:
            return _hung(error)
        if error is None:
            return _unexpected(report)
        if type(error) is AssertionError and symptoms.error == facts_of(error):
            return _asserted(error)
        return diagnose(symptoms)

    def _symptoms(self, attempt: _Attempt, error: BaseException | None) -> Symptoms:
        driver = self._drivers.get(attempt.case.profile)
        context: dict[str, Any] = {
            "stage": attempt.case.stage,
            "settings": driver.connection.profile.settings if driver else {},
            "unreachable": driver.unreachable if driver else None,
        }
        if isinstance(error, CallFailed):
            return Symptoms.of(error.transcript, **context)
        exchanges = [one for transcript in attempt.made for one in transcript.exchanges]
        facts = facts_of(error) if error is not None else None
        seen = Transcript(scenario="test", error=facts, exchanges=tuple(exchanges))
        return Symptoms.of(seen, **context)

    def _finish(self, attempt: _Attempt) -> None:
        folder, result = attempt.case.folder, attempt.result()
        transcripts = attempt.transcripts()
        if transcripts:
            folder.write_json("transcript.json", transcripts)
            if tracebacks := [one.traceback for one in transcripts if one.traceback]:
                folder.write_text("provider_traceback.txt", "\n".join(tracebacks))
        if sections := "\n".join(_sections(attempt.item)):
            folder.write_text("log.txt", sections)
        folder.finish(result)
        self._gates.judge(result)
        self._note_tool_mode(result)
        self._folder.event(
            "finished",
            profile=result.profile,
            stage=result.stage,
            check=result.id,
            outcome=result.outcome,
            seconds=round(result.seconds, 3),
        )

    def _note_tool_mode(self, result: CheckResult) -> None:
        """Tools that work only by prompt work with a setting that the profile lacks."""
        driver = self._drivers.get(result.profile)
        if driver is None or result.stage is not Stage.C or result.outcome is not Outcome.PASSED:
            return
        native = driver.connection.profile.settings.get("native_tool_calling", True)
        if result.tool_mode is ToolMode.PROMPT and native:
            self._folder.record_remedy(result.profile, _BY_PROMPT)

    def _describe(self, attempt: _Attempt, report: pytest.TestReport) -> None:
        """Give the report the properties that JUnit, HTML and the terminal read.

        JUnit takes them from the teardown's report, but from the call's if the teardown fails, too.
        """
        case, result = attempt.case, attempt.result()
        folder = self._folder.relative(case.folder)
        if report.failed and self._attach is not None:
            self._attach(report, result, folder)
        properties = junit.properties(
            result,
            folder=folder,
            rerun=case.rerun,
            blocked_by=self._gates.closed_before(case.profile, case.stage),
        )
        others = [p for p in report.user_properties if not str(p[0]).startswith(junit.PREFIX)]
        report.user_properties = [*others, *properties]
        attempt.item.user_properties[:] = report.user_properties


def _shortfall(error: Shortfall) -> Diagnosis:
    return Diagnosis(
        kind=error.kind,
        blame=error.blame,
        summary=error.summary,
        next_step=error.next_step,
        rule="shortfall",
    )


def _asserted(error: AssertionError) -> Diagnosis:
    """A plain assertion of somebody's own test: only its author knows what it means."""
    first = str(error).strip().splitlines()[:1]
    return Diagnosis(
        kind=Kind.UNKNOWN,
        blame=Blame.UNKNOWN,
        summary=f"an assertion failed: {first[0][:200] if first else 'without a message'}",
        next_step="read the test",
        rule="assertion",
    )


def _unexpected(report: pytest.TestReport) -> Diagnosis:
    """A test that was expected to fail, strictly, and passed: there is no exception."""
    return Diagnosis(
        kind=Kind.UNKNOWN,
        blame=Blame.UNKNOWN,
        summary=f"a test that is marked to fail has passed: {report.longreprtext[:200]}",
        next_step="remove the mark",
        rule="unexpected_pass",
    )


def _hung(error: LlmTimeout) -> Diagnosis:
    return Diagnosis(
        kind=Kind.ENVIRONMENT,
        blame=Blame.ENVIRONMENT,
        summary=f"{error}, and no request was sent",
        next_step="stacks.txt in the run folder shows where it hung",
        rule="hung",
    )


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
