"""Runs each LLM check, and runs it again with settings that may make it pass."""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from pytest_ohllm.diagnosis import remedies
from pytest_ohllm.evidence.attempts import ONCE_OF_TWO
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.evidence.statistics import settled
from pytest_ohllm.model import Confidence, Diagnosis, Outcome, Remedy, Stage, ToolMode
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.session.attempt import Attempt
from pytest_ohllm.session.case import CASE, Case
from pytest_ohllm.session.recorder import Recorder
from pytest_ohllm.session.recovery import Recovery

_NATIVE = "native_tool_calling"


class Executor:
    """Runs items that have a Case; others are left to pytest.

    A failed check of a mandatory stage is run again with each candidate, which is adopted if the
    check passes then and those before it still do: from there on, the profile is tested with it.
    What no experiment explains must fail twice without a change first: chance is no remedy.

    ``budget`` is the number of requests that trying settings for one check may take, 0 for none.
    """

    def __init__(
        self,
        folder: RunFolder,
        recorder: Recorder,
        drivers: dict[str, Driver],
        recovery: Recovery,
        budget: int,
    ) -> None:
        self._folder, self._recorder, self._drivers = folder, recorder, drivers
        self._recovery, self._budget = recovery, budget
        self._passed: dict[str, list[pytest.Item]] = {}
        self._outcomes: dict[tuple[str, str], list[Outcome]] = {}
        self._tried: dict[tuple[str, Stage], list[dict[str, Any]]] = {}
        self._remedies: dict[str, Remedy] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        case = item.stash.get(CASE, None)
        if case is None:
            return None
        if case.attempt > 1 and self._is_settled(case):
            item.session._setupstate.teardown_exact(nextitem)
            return True
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        if driver := self._drivers.get(case.profile):
            driver.left = driver.timeout
            driver.round = case.attempt
            self._recovery.check(driver)
        with self._recorder.check(item, case) as attempt:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            if self._may_be_helped(attempt):
                reports = self._helped(attempt, nextitem) or reports
            self._note_tool_mode(attempt)
            self._recorder.conclude(attempt, reports)
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=report)
        self._remember(attempt)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _is_settled(self, case: Case) -> bool:
        """Whether running the check once more would tell nothing."""
        outcomes = self._outcomes.get((case.profile, case.check), [])
        passed = outcomes.count(Outcome.PASSED)
        return settled(passed, len(outcomes) - passed)

    def _may_be_helped(self, attempt: Attempt) -> bool:
        failed = attempt.outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE)
        # What has passed before, or was not helped then, is not a matter of settings.
        first = attempt.case.attempt == 1
        return self._budget > 0 and failed and first and attempt.case.stage.mandatory

    def _helped(
        self, attempt: Attempt, nextitem: pytest.Item | None
    ) -> list[pytest.TestReport] | None:
        """The reports of a run that passes with other settings, if there are any that help."""
        driver = self._drivers.get(attempt.case.profile)
        if driver is None or attempt.diagnosis is None:
            return None
        before = dict(driver.connection.profile.settings)
        untried = self._untried(attempt)
        proven = attempt.diagnosis.confidence is Confidence.EXPERIMENT
        if untried and not proven and self._passes_unchanged(attempt, driver, nextitem):
            attempt.outcome = Outcome.FLAKY
            attempt.diagnosis = _unreliable(attempt.diagnosis)
            return None
        # What the examination has spent is the examination's.
        most = attempt.spent.llm_calls + self._budget
        for number, change in enumerate(untried, 1):
            if driver.left <= 0 or attempt.spent.llm_calls >= most:
                break
            driver.adopt({**before, **change})
            trial, reports = self._trial(attempt, f"trial-{number}", change, nextitem)
            if trial.outcome is Outcome.PASSED and self._still_pass(attempt, number, nextitem):
                remedy = self._adopted(attempt, change)
                attempt.healed_by(trial, attempt.diagnosis.model_copy(update={"remedy": remedy}))
                return reports
        driver.adopt(before)
        return None

    def _passes_unchanged(
        self, attempt: Attempt, driver: Driver, nextitem: pytest.Item | None
    ) -> bool:
        """The control of the trials: the same check once more, played anew."""
        driver.forget()
        control, _ = self._trial(attempt, "control", {}, nextitem)
        return control.outcome is Outcome.PASSED

    def _untried(self, attempt: Attempt) -> list[dict[str, Any]]:
        """Candidates that have not failed already for another check of the same stage."""
        tried = self._tried.setdefault((attempt.case.profile, attempt.case.stage), [])
        fresh = [change for change in attempt.candidates if change not in tried]
        tried += fresh
        return fresh

    def _trial(
        self, attempt: Attempt, name: str, change: dict[str, Any], nextitem: pytest.Item | None
    ) -> tuple[Attempt, list[pytest.TestReport]]:
        """Run the check with what the driver has adopted; its evidence stands below the check's."""
        folder = attempt.folder.below(name)
        folder.write_json("settings.json", change)
        trial = Attempt(attempt.item, attempt.case, folder)
        with self._recorder.recording(trial):
            reports = runtestprotocol(attempt.item, log=False, nextitem=nextitem)
        folder.finish(trial.result())
        attempt.spent += trial.result().usage
        return trial, reports

    def _still_pass(self, attempt: Attempt, number: int, nextitem: pytest.Item | None) -> bool:
        """Whether the checks before this one pass with the new settings, too."""
        earlier = self._passed.get(attempt.case.profile, [])
        state = attempt.item.session._setupstate
        try:
            for item in earlier:
                state.teardown_exact(item)
                case = item.stash[CASE]
                folder = attempt.folder.below(f"trial-{number}-{case.check.rpartition('::')[2]}")
                again = Attempt(item, case, folder)
                with self._recorder.recording(again):
                    runtestprotocol(item, log=False, nextitem=item)
                attempt.spent += again.result().usage
                if again.outcome is not Outcome.PASSED:
                    return False
            return True
        finally:
            state.teardown_exact(nextitem)

    def _adopted(self, attempt: Attempt, change: dict[str, Any]) -> Remedy:
        """Record the change as a part of what the profile needs."""
        assert attempt.diagnosis is not None
        profile = attempt.case.profile
        model = self._drivers[profile].connection.profile.model
        remedy = Remedy(
            settings=change,
            summary=attempt.diagnosis.summary,
            note=remedies.name_list_note(change, model),
        )
        self._record(profile, remedy)
        return remedy

    def _record(self, profile: str, remedy: Remedy) -> None:
        before = self._remedies.get(profile)
        if before is not None:
            remedy = Remedy(
                settings=remedies.merged(before.settings, remedy.settings),
                summary="; ".join(dict.fromkeys((before.summary, remedy.summary))),
                note="; ".join(filter(None, dict.fromkeys((before.note, remedy.note)))),
            )
        self._remedies[profile] = remedy
        self._folder.record_remedy(profile, remedy)

    def _note_tool_mode(self, attempt: Attempt) -> None:
        """Tools that work only by prompt work with a setting that the profile lacks."""
        case, driver = attempt.case, self._drivers.get(attempt.case.profile)
        if driver is None or case.stage is not Stage.C or attempt.outcome is not Outcome.PASSED:
            return
        native = driver.connection.profile.settings.get(_NATIVE, True)
        if attempt.result().tool_mode is ToolMode.PROMPT and native:
            known = self._remedies.get(case.profile)
            if known is None or _NATIVE not in known.settings:
                self._record(case.profile, _BY_PROMPT)

    def _remember(self, attempt: Attempt) -> None:
        """Keep what has passed and asked the model something, to see whether it still does."""
        case, passed = attempt.case, attempt.outcome is Outcome.PASSED
        self._outcomes.setdefault((case.profile, case.check), []).append(attempt.outcome)
        asked = attempt.result().usage.llm_calls > 0
        if passed and asked and case.stage.mandatory and case.attempt == 1:
            self._passed.setdefault(case.profile, []).append(attempt.item)


def _unreliable(diagnosis: Diagnosis) -> Diagnosis:
    """What fails once and passes once without a change says nothing about settings."""
    return diagnosis.model_copy(
        update={
            "summary": f"{ONCE_OF_TWO}{diagnosis.summary}",
            "next_step": "run it more than once: without any change, the same check passed, too",
        }
    )


_BY_PROMPT = Remedy(
    settings={_NATIVE: False},
    summary="tools are called by the SDK's prompt-based conversion",
)
