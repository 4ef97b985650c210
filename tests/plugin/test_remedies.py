"""Settings that make a failing check pass: found, tried on the check itself, kept, and reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.model import Confidence, Outcome, ProfileReport
from pytest_ohllm.profiles import builtin
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat, Result

FEW = ("--llm-gates=none", "--llm-timeout=20")


def only(result: Result) -> ProfileReport:
    """The one profile of the run."""
    (profile,) = result.run.profiles
    return profile


class TestASettingOfTheUser:
    @pytest.fixture
    def result(self, compat: Compat) -> Result:
        return compat("--llm-profile=sim:rejects-temperature", *FEW)

    def test_the_profile_works_with_one_setting_less(self, result: Result) -> None:
        profile = only(result)

        assert (result.ret, profile.verdict) == (0, "WORKS WITH SETTINGS")
        assert profile.remedy is not None
        assert profile.remedy.settings == {"temperature": None}
        assert {check.outcome for check in profile.checks} == {Outcome.PASSED}
        assert "LLM(..., temperature=None)" in result.output

    def test_the_check_tells_why_it_needed_it(self, result: Result) -> None:
        diagnosis = result.check("test_the_model_answers").diagnosis

        assert diagnosis is not None
        assert (diagnosis.kind, diagnosis.blame) == ("configuration", "user")
        assert diagnosis.confidence is Confidence.EXPERIMENT
        assert diagnosis.fields == ("temperature",)
        assert [probe.result for probe in diagnosis.probes].count("works") == 2
        assert [probe.result for probe in diagnosis.probes].count("same") == 2
        assert diagnosis.autofix.startswith("refused")

    def test_every_request_of_the_examination_is_kept(self, result: Result) -> None:
        (probes,) = result.files("profiles/*/A/*/probes.jsonl")
        (settings,) = result.files("profiles/*/A/*/trial-1/settings.json")
        lines = [json.loads(line) for line in probes.read_text().splitlines()]

        assert len(lines) == 4
        red, green = lines[0]["exchange"], lines[1]["exchange"]
        assert (red["status"], green["status"]) == (400, 200)
        assert set(red["request"]) - set(green["request"]) == {"temperature"}
        assert json.loads(settings.read_text()) == {"temperature": None}
        assert "sk-sim-" not in probes.read_text()


def test_what_the_sdk_adds_is_its_fault_and_the_list_that_lacks_the_model_is_named(
    compat: Compat,
) -> None:
    result = compat("--llm-profile=sim:rejects-stop", *FEW)

    profile = only(result)
    diagnosis = result.check("test_the_conversation_completes").diagnosis
    assert profile.verdict == "WORKS WITH SETTINGS"
    assert profile.remedy is not None
    assert profile.remedy.settings == {"disable_stop_word": True}
    assert "SUPPORTS_STOP_WORDS_FALSE_MODELS" in profile.remedy.note
    assert diagnosis is not None
    assert (diagnosis.kind, diagnosis.blame, diagnosis.autofix) == ("sdk_gap", "sdk", "offered")


def test_no_request_is_spent_on_it_if_the_user_does_not_want_that(compat: Compat) -> None:
    result = compat("--llm-profile=sim:rejects-temperature", "--llm-probes=0", *FEW)

    assert (result.ret, only(result).verdict) == (10, "INCONCLUSIVE")
    assert only(result).usage.llm_calls == 1
    assert not result.files("profiles/*/A/*/probes.jsonl")


@pytest.mark.parametrize("value", ["-1", "many", "1.5", "100000"])
def test_a_wrong_number_of_probes_is_refused(compat: Compat, value: str) -> None:
    result = compat("--llm-profile=sim", f"--llm-probes={value}")

    assert result.ret == 4
    assert "expected a whole number from 0" in result.output


@pytest.mark.parametrize("name", ["parrot", "bad-key", "billing", "rate-limited", "empty"])
def test_what_no_setting_can_help_stays_as_it_is(compat: Compat, name: str) -> None:
    result = compat(f"--llm-profile=sim:{name}", *FEW)

    profile = only(result)
    assert profile.remedy is None
    assert profile.verdict in ("DOES NOT WORK", "INCONCLUSIVE")
    for check in profile.checks:
        assert check.diagnosis is None or check.diagnosis.autofix != "offered"


def test_what_passes_without_a_change_is_flaky_and_needs_no_setting(compat: Compat) -> None:
    result = compat("--llm-profile=sim:parrot@4", *FEW)

    called = result.check("test_the_tool_is_called")
    assert called.outcome is Outcome.FLAKY
    assert called.diagnosis is not None
    assert called.diagnosis.summary.startswith("once of two times, the model never called")
    assert only(result).remedy is None
    assert only(result).verdict == "DOES NOT WORK"
    assert result.files("profiles/*/C/*/control/transcript.json")


def test_the_number_of_probes_bounds_the_trials_as_well(compat: Compat) -> None:
    few = compat("--llm-profile=sim:parrot", "--llm-probes=1", *FEW)
    more = compat("--llm-profile=sim:parrot", *FEW)

    assert len(few.files("profiles/*/*/*/trial-*/settings.json")) == 1
    assert len(more.files("profiles/*/*/*/trial-*/settings.json")) > 1


def test_a_passing_outage_is_tried_again_and_told(compat: Compat) -> None:
    result = compat("--llm-profile=sim:error-500@1", *FEW)

    profile = only(result)
    assert (result.ret, profile.verdict) == (0, "WORKS")
    assert profile.usage.retries == 1
    assert "1 retry" in result.output


@pytest.fixture
def saved(compat: Compat, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Save profiles for simulators of the test's own."""
    store = compat.path / "store"
    store.mkdir()
    monkeypatch.setenv("LLM_PROFILES_DIR", str(store))
    started: dict[str, Simulator] = {}

    def save(name: str, personality: str, **changes: Any) -> None:
        if personality not in started:
            started[personality] = Simulator(personality).start()
        simulator = started[personality]
        variable = f"KEY_OF_{name.upper()}"
        monkeypatch.setenv(variable, simulator.api_key)
        settings = dict(builtin.simulated(f"sim:{personality}").settings)
        settings |= {"base_url": simulator.base_url} | changes
        _save(store, name, settings, variable)

    yield save
    for simulator in started.values():
        simulator.stop()


def _save(store: Path, name: str, settings: dict[str, Any], variable: str) -> None:
    from pytest_ohllm.profiles.creation import add

    add(name, settings, {"api_key": variable}, folder=store)


def test_a_profile_with_the_settings_that_were_found_needs_none(
    compat: Compat, saved: Callable[..., None]
) -> None:
    saved("first", "rejects-reasoning-effort")
    found_run = compat("--llm-profile=first", *FEW)
    found = only(found_run)
    assert found.remedy is not None
    assert found.verdict == "WORKS WITH SETTINGS"

    assert "ohllm profiles edit first " in found_run.output

    saved("second", "rejects-reasoning-effort", **found.remedy.settings)
    result = compat("--llm-profile=second", *FEW)

    assert (result.ret, only(result).verdict) == (0, "WORKS")
    assert only(result).remedy is None


def test_a_host_that_does_not_answer_is_not_asked_for_the_next_profile(
    compat: Compat, saved: Callable[..., None]
) -> None:
    saved("one", "hang")
    saved("two", "hang")

    result = compat("--llm-profile=one", "--llm-profile=two", "--llm-gates=none", "--llm-timeout=3")

    one, two = result.run.profiles
    assert (one.verdict, two.verdict) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert one.usage.llm_calls == 1
    assert two.usage.llm_calls == 0
    assert "did not answer before in this run" in two.reason
