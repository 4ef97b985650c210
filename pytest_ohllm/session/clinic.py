"""Why a check failed: what it says itself, what others say, the rules, and experiments."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pytest_ohllm.diagnosis import experiments, parsing, remedies
from pytest_ohllm.diagnosis.behaviour import limits_of, observed
from pytest_ohllm.diagnosis.engine import diagnose
from pytest_ohllm.diagnosis.examination import Conclusion, Examination
from pytest_ohllm.diagnosis.laboratory import Laboratory, signature, works
from pytest_ohllm.diagnosis.report import autofix_of, concluded, plain
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.error_chain import facts_of
from pytest_ohllm.judgement import CallFailed, Shortfall
from pytest_ohllm.model import Blame, Diagnosis, Kind, Probe, Transcript, Usage
from pytest_ohllm.sdk.client import chosen
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.session.attempt import Attempt
from pytest_ohllm.session.timeouts import LlmTimeout


class Clinic:
    """Diagnoses failed attempts; ``budget`` is the number of requests for each, 0 for none.

    The same failure of one profile is examined once.
    """

    def __init__(self, drivers: dict[str, Driver], budget: int) -> None:
        self._drivers = drivers
        self._budget = budget
        self._known: dict[Any, tuple[Conclusion | None, tuple[Probe, ...]]] = {}

    def diagnose(
        self, attempt: Attempt, error: BaseException | None, report: pytest.TestReport
    ) -> Diagnosis:
        """Why the attempt failed; settings worth a trial are left in ``attempt.candidates``."""
        symptoms = self._symptoms(attempt, error)
        if isinstance(error, Shortfall):
            return self._of_an_answer(attempt, error, symptoms)
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
        return self._examined(attempt, symptoms)

    def _symptoms(self, attempt: Attempt, error: BaseException | None) -> Symptoms:
        driver = self._drivers.get(attempt.case.profile)
        settings = driver.connection.profile.settings if driver else {}
        context: dict[str, Any] = {
            "stage": attempt.case.stage,
            "settings": settings,
            "chosen": chosen(settings),
            "unreachable": driver.unreachable if driver else None,
        }
        if isinstance(error, CallFailed):
            return Symptoms.of(error.transcript, **context)
        made = attempt.made or attempt.judged
        exchanges = [one for transcript in made for one in transcript.exchanges]
        facts = facts_of(error) if error is not None else None
        seen = Transcript(scenario="test", error=facts, exchanges=tuple(exchanges))
        return Symptoms.of(seen, **context)

    def _of_an_answer(self, attempt: Attempt, error: Shortfall, symptoms: Symptoms) -> Diagnosis:
        """The endpoint answered, and the answer is not what works."""
        attempt.note_fixtures()
        exchanges = [one for transcript in attempt.transcripts for one in transcript.exchanges]
        if (finding := observed(exchanges, symptoms)) is not None:
            options = limits_of(symptoms.settings)
            attempt.candidates = tuple(remedies.unique(options, symptoms.settings))
            return plain(finding, "cut_off", symptoms)
        if error.kind is Kind.MODEL_LIMITATION and error.avoidable:
            options = [remedies.completed(one, symptoms.settings) for one in remedies.BEHAVIOUR[:2]]
            attempt.candidates = tuple(remedies.unique(options, symptoms.settings))
        return Diagnosis(
            kind=error.kind,
            blame=error.blame,
            summary=error.summary,
            next_step=error.next_step,
            rule="shortfall",
            # A check that blames the SDK has seen on the wire, or in its files, what it did.
            autofix=autofix_of(error.kind, error.blame, proven=error.blame is Blame.SDK),
        )

    def _examined(self, attempt: Attempt, symptoms: Symptoms) -> Diagnosis:
        words = diagnose(symptoms)
        conclusion, probes = self._experiment(attempt, symptoms)
        if conclusion is None:
            if words.rule == "tools_refused":
                attempt.candidates = ({"native_tool_calling": False},)
            return words.model_copy(update={"probes": probes})
        attempt.candidates = tuple(remedies.unique(conclusion.settings, symptoms.settings))
        return concluded(conclusion, probes, symptoms)

    def _experiment(
        self, attempt: Attempt, symptoms: Symptoms
    ) -> tuple[Conclusion | None, tuple[Probe, ...]]:
        driver, failing = self._drivers.get(attempt.case.profile), symptoms.exchange
        if not self._budget or driver is None or failing is None or failing.request is None:
            return None, ()
        key = (attempt.case.profile, driver.settings_id, signature(failing))
        if key not in self._known and works(failing) and symptoms.error is not None:
            self._known[key] = parsing.examined(failing, lambda body: driver.parses(failing, body))
            for probe in self._known[key][1]:
                attempt.folder.append_jsonl("probes.jsonl", {"probe": probe.model_dump()})
        if key not in self._known:
            replay = driver.replay(failing, driver.left)
            if replay is None or not isinstance(replay.body, dict):
                return None, ()
            started = time.monotonic()
            lab = Laboratory(failing, replay.body, replay.send, self._budget)
            conclusion = experiments.conclude(Examination(symptoms, lab))
            driver.left = max(0.0, driver.left - (time.monotonic() - started))
            for probe, exchange in lab.probes:
                attempt.folder.append_jsonl(
                    "probes.jsonl", {"probe": probe.model_dump(), "exchange": exchange}
                )
            attempt.spent += Usage(llm_calls=len(lab.probes))
            self._known[key] = conclusion, tuple(probe for probe, _ in lab.probes)
        return self._known[key]


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
