"""A run folder is read back without anything but the folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from pytest_ohllm.evidence import schema
from pytest_ohllm.evidence.reader import INTERRUPTED, read_run, read_session
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder, RunFolderError
from pytest_ohllm.evidence.verdict import exit_code
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    Kind,
    Outcome,
    Profile,
    Remedy,
    Revision,
    Run,
    Stage,
    ToolMode,
    Usage,
    Verdict,
)

NOW = datetime(2026, 11, 21, 7, 49, 5, tzinfo=UTC)

type Result = Callable[..., CheckResult]
type Leave = Callable[..., None]

DOWN = Diagnosis(
    kind=Kind.PROVIDER_OUTAGE, summary="it is down", blame=Blame.ENDPOINT, next_step="wait"
)


def test_a_complete_run_is_read_back(begun: RunFolder, leave: Leave, result: Result) -> None:
    for stage in "ABC":
        leave(result(stage, tool_mode=ToolMode.NATIVE if stage == "C" else None))
    begun.record_sdk(Revision(version="1.28.0", path="/sdk", git_sha="abc"), {"litellm": "1"})
    begun.end(12.5)
    run = read_run(begun.path)
    (profile,) = run.profiles
    assert (run.run_id, run.seconds, run.sdk.version) == (begun.path.name, 12.5, "1.28.0")
    assert (run.host, run.packages) == ({"python": "3.12"}, {"litellm": "1"})
    assert (profile.name, profile.model) == ("gpt", "openai/gpt")
    assert (profile.verdict, profile.tool_mode) == (Verdict.WORKS, ToolMode.NATIVE)
    assert [check.stage for check in profile.checks] == [Stage.A, Stage.B, Stage.C]
    assert profile.usage == Usage(llm_calls=3, prompt_tokens=30, completion_tokens=15, cost=0.75)
    assert (begun.path / profile.checks[0].folder / "result.json").is_file()


def test_one_unknown_price_makes_the_sum_unknown(
    leave: Leave, result: Result, begun: RunFolder
) -> None:
    leave(result("A"))
    leave(result("B", usage=Usage(llm_calls=1)))
    usage = read_run(begun.path).profiles[0].usage
    assert (usage.llm_calls, usage.prompt_tokens, usage.cost) == (2, 10, None)


class TestInterruption:
    def test_a_check_without_result_was_interrupted(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        leave(result("A"))
        check = begun.check_folder("gpt", Stage.B, "suite::test_echo")
        check.start({"node": "suite.py::test_echo[gpt]"})
        check.append_jsonl("exchanges.jsonl", {"status": 200})
        run = read_run(begun.path)
        passed, lost = run.profiles[0].checks
        assert passed.outcome is Outcome.PASSED
        assert (lost.id, lost.outcome) == ("suite::test_echo", Outcome.INCONCLUSIVE)
        assert lost.diagnosis is not None and lost.diagnosis.rule == INTERRUPTED
        assert lost.diagnosis.kind is Kind.ENVIRONMENT
        assert lost.folder in lost.diagnosis.next_step
        # It made a call whose price nobody knows, so nobody knows the sum.
        assert run.profiles[0].usage.llm_calls == 2
        assert run.profiles[0].usage.cost is None
        assert run.profiles[0].verdict is Verdict.INCONCLUSIVE
        assert exit_code(run) == 10

    def test_a_killed_process_leaves_a_run_that_can_be_read(self, tmp_path: Path) -> None:
        script = """
import os, signal
from datetime import UTC, datetime
from pathlib import Path
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import Profile, Stage
NOW = datetime.now(UTC)
folder = RunFolder.create(Path("."), Path("run"), NOW, Redactor())
folder.begin(NOW, [Profile(name="gpt", settings={})])
folder.check_folder("gpt", Stage.A, "suite::test_hello").start()
os.kill(os.getpid(), signal.SIGKILL)
"""
        ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path)
        assert ended.returncode == -signal.SIGKILL
        (check,) = read_run(tmp_path / "run").profiles[0].checks
        assert check.outcome is Outcome.INCONCLUSIVE

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 3}', "[" * 100_000])
    def test_a_damaged_result_counts_as_none(
        self, begun: RunFolder, leave: Leave, result: Result, content: str
    ) -> None:
        leave(result("A"))
        next(begun.path.rglob("result.json")).write_text(content)
        (check,) = read_run(begun.path).profiles[0].checks
        assert check.outcome is Outcome.INCONCLUSIVE

    def test_damaged_records_fall_back_to_the_names_of_folders(self, begun: RunFolder) -> None:
        begun.check_folder("gpt", Stage.C, "suite").start()
        next(begun.path.rglob("started.json")).write_text("{")
        (profile,) = read_run(begun.path).profiles
        assert [(check.id, check.stage) for check in profile.checks] == [("suite", Stage.C)]

    def test_checks_that_never_started_are_not_invented(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        leave(result("A"))
        (begun.path / "profiles" / "gpt" / "B" / "empty").mkdir(parents=True)
        assert len(read_run(begun.path).profiles[0].checks) == 1

    def test_a_session_that_never_got_to_a_check_is_inconclusive(self, begun: RunFolder) -> None:
        run = read_run(begun.path)
        assert run.profiles[0].verdict is Verdict.INCONCLUSIVE
        assert run.profiles[0].reason == "stages A, B, C did not run"
        assert exit_code(run) == 10


class TestProfiles:
    def test_profiles_keep_the_order_in_which_they_were_asked_for(self, folder: RunFolder) -> None:
        names = ["zeta", "Alpha", "sim:parrot", "éé"]
        folder.begin(NOW, [Profile(name=name, settings={}) for name in names])
        for name in names:
            folder.check_folder(name, Stage.A, "suite::test").start()
        run = read_run(folder.path)
        assert [profile.name for profile in run.profiles] == names
        assert [len(profile.checks) for profile in run.profiles] == [1, 1, 1, 1]

    def test_a_profile_that_left_results_without_being_announced_is_shown(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        leave(result("A", profile="surprise"))
        assert [profile.name for profile in read_run(begun.path).profiles] == ["gpt", "surprise"]

    def test_a_remedy_makes_it_works_with_settings(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        for stage in "ABC":
            leave(result(stage))
        remedy = Remedy(settings={"native_tool_calling": False}, summary="by prompt")
        begun.record_remedy("gpt", remedy)
        (profile,) = read_run(begun.path).profiles
        assert (profile.verdict, profile.remedy) == (Verdict.WORKS_WITH_SETTINGS, remedy)

    def test_unselected_stages_are_the_reason(self, folder: RunFolder, result: Result) -> None:
        folder.begin(NOW, [Profile(name="gpt", settings={})], stages=[Stage.C])
        folder.check_folder("gpt", Stage.C, "suite::test").finish(result("C"))
        (profile,) = read_run(folder.path).profiles
        assert profile.reason == "stages A, B were not selected"


class TestAttempts:
    def test_attempts_of_a_check_are_one_line(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        leave(result("C"), attempt=1)
        leave(result("C", outcome=Outcome.FAILED, diagnosis=DOWN), attempt=2)
        leave(result("C"), attempt=3)
        (check,) = read_run(begun.path).profiles[0].checks
        assert (check.outcome, check.llm_calls, check.seconds) == (Outcome.FLAKY, 3, 4.5)
        summary = f"1 of 3 times, {DOWN.summary}"
        assert check.diagnosis == DOWN.model_copy(update={"summary": summary})
        assert check.folder.endswith("~try2")

    def test_how_often_it_failed_is_said_once(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        control = DOWN.model_copy(update={"summary": "once of two times, it was down"})
        leave(result("C", outcome=Outcome.FLAKY, diagnosis=control), attempt=1)
        (alone,) = read_run(begun.path).profiles[0].checks
        leave(result("C"), attempt=2)
        (repeated,) = read_run(begun.path).profiles[0].checks
        assert alone.diagnosis == control
        assert repeated.diagnosis is not None
        assert repeated.diagnosis.summary == "1 of 2 times, it was down"


class TestRefusals:
    def test_a_folder_without_session_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(RunFolderError, match="not a run folder"):
            read_run(tmp_path)

    def test_a_newer_run_is_not_guessed_at(self, begun: RunFolder) -> None:
        path = begun.path / "session.json"
        path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
        with pytest.raises(RunFolderError, match=r"newer pytest-ohllm \(schema 99"):
            read_run(begun.path)

    def test_a_damaged_session_names_the_field(self, begun: RunFolder) -> None:
        path = begun.path / "session.json"
        path.write_text(path.read_text().replace('"run_id"', '"run"'))
        with pytest.raises(RunFolderError, match="damaged at 'run_id'"):
            read_session(begun.path)


class TestContract:
    def test_the_published_schema_is_the_model_s(self) -> None:
        assert schema.published() == schema.generated(), (
            "run python -m pytest_ohllm.evidence.schema"
        )

    def test_run_json_validates_and_reads_back_unchanged(
        self, begun: RunFolder, leave: Leave, result: Result
    ) -> None:
        leave(result("A", outcome=Outcome.INCONCLUSIVE, diagnosis=DOWN))
        run = read_run(begun.path)
        path = begun.write_run(run)
        validator = jsonschema.Draft202012Validator(schema.published())
        validator.check_schema(schema.published())
        validator.validate(json.loads(path.read_bytes()))
        assert Run.model_validate_json(path.read_bytes()) == run

    def test_the_schema_refuses_what_the_contract_does_not_hold(self, begun: RunFolder) -> None:
        validator = jsonschema.Draft202012Validator(schema.published())
        good = read_run(begun.path).model_dump(mode="json")
        assert validator.is_valid(good)
        assert not validator.is_valid({**good, "extra": 1})
        assert not validator.is_valid({key: good[key] for key in good if key != "profiles"})

    def test_a_moved_folder_says_the_same(
        self, begun: RunFolder, leave: Leave, result: Result, tmp_path: Path
    ) -> None:
        leave(result("A"))
        before = read_run(begun.path)
        shutil.copytree(begun.path, tmp_path / "moved")
        assert read_run(tmp_path / "moved") == before


def test_the_redactor_is_not_optional(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        RunFolder(tmp_path)  # type: ignore[call-arg]
    assert RunFolder(tmp_path, Redactor()).gate("x") is None
