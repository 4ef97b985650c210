"""What is tested: which profiles, which checks, whose conftest files, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import compat_suite
from pytest_ohllm.model import Outcome, Stage
from pytest_ohllm.profiles import creation, schema
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat, Result
from tests.plugin.conftest import refusal

KEY = "sk-fake-key-of-the-selection-tests-0123456789"

OWN_TEST = """
    def test_mine(llm_profile):
        assert llm_profile.model
"""


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A provider outside the run, whose key stands in $OWN_KEY."""
    monkeypatch.setenv("OWN_KEY", KEY)
    with Simulator(api_key=KEY) as simulator:
        yield simulator


def save(folder: Path, name: str, simulator: Simulator, **settings: Any) -> None:
    """Save a profile for ``simulator`` whose key is read from $OWN_KEY."""
    about = {"model": f"openai/{simulator.model}", "base_url": simulator.base_url, **settings}
    creation.add(name, about, {"api_key": "OWN_KEY"}, folder=folder)


def profiles_of(result: Result) -> list[str]:
    """Names of the profiles that were tested, in order."""
    return [profile.name for profile in result.run.profiles]


# What is refused, in one line.


def test_an_unknown_profile_is_refused_and_the_nearest_name_suggested(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> None:
    monkeypatch.setenv("LLM_PROFILES_DIR", str(compat.path / "store"))
    save(compat.path / "store", "my-model", simulator)

    said = refusal(compat("--llm-profile=my-modle"))

    assert "'my-modle'" in said
    assert "did you mean 'my-model'?" in said


def test_an_unknown_personality_is_refused_and_the_nearest_suggested(compat: Compat) -> None:
    assert "did you mean 'parrot'?" in refusal(compat("--llm-profile=sim:parot"))


def test_a_name_that_no_profile_can_have_is_refused(compat: Compat) -> None:
    assert "'../secrets'" in refusal(compat("--llm-profile=../secrets"))


@pytest.mark.parametrize("what", ["compat_suite", "compat_suite.test_a_connects"])
def test_the_packaged_suite_without_a_profile_is_refused(compat: Compat, what: str) -> None:
    said = refusal(compat("--pyargs", what))

    assert "--llm-profile=NAME" in said
    assert "--llm-profile=sim" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"model": ', "is not valid JSON"),
        ("[]", "holds a list"),
        ("{}", "names no model"),
        ('{"model": "openai/x", "temprature": 1}', "'temprature' (did you mean 'temperature'?)"),
    ],
)
def test_a_corrupt_profile_is_refused(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, content: str, said: str
) -> None:
    monkeypatch.setenv("LLM_PROFILES_DIR", str(compat.path))
    (compat.path / "broken.json").write_text(content)

    line = refusal(compat("--llm-profile=broken"))

    assert said in line
    assert "broken.json" in line


def test_a_profile_that_is_no_file_is_refused(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_PROFILES_DIR", str(compat.path))
    (compat.path / "folder.json").mkdir()

    assert "is a directory" in refusal(compat("--llm-profile=folder"))


@pytest.mark.parametrize(("value", "state"), [(None, "not set"), ("", "empty")])
def test_a_missing_key_is_refused_and_its_variable_named(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    if value is not None:
        monkeypatch.setenv("THE_KEY", value)

    said = refusal(compat("--llm-model=openai/some-model", "--llm-api-key-env=THE_KEY"))

    assert "$THE_KEY" in said
    assert state in said


def test_a_key_in_place_of_its_variables_name_is_refused_and_not_shown(compat: Compat) -> None:
    result = compat("--llm-model=openai/some-model", f"--llm-api-key-env={KEY}")

    assert "the NAME of an environment variable" in refusal(result)
    assert KEY not in result.output


def test_a_provider_whose_key_nobody_named_is_refused(compat: Compat) -> None:
    assert "--llm-api-key-env" in refusal(compat("--llm-model=openai/some-model"))


@pytest.mark.parametrize("option", ["--llm-base-url=http://127.0.0.1:1/v1", "--llm-api-key-env=X"])
def test_the_parts_of_an_unsaved_profile_without_its_model_are_refused(
    compat: Compat, option: str
) -> None:
    assert "--llm-model" in refusal(compat(option))
    assert "--llm-model" in refusal(compat(option, "--llm-profile=sim"))


@pytest.mark.parametrize(("stages", "named"), [("A,X", "X"), ("connects", "CONNECTS"), (",", "")])
def test_unknown_stages_are_refused(compat: Compat, stages: str, named: str) -> None:
    said = refusal(compat("--llm-profile=sim", f"--llm-stages={stages}"))

    assert f"--llm-stages={stages}" in said
    assert named in said
    assert "A, B, C, D" in said


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_refused(compat: Compat, seconds: str) -> None:
    result = compat("--llm-profile=sim", f"--llm-timeout={seconds}")

    assert result.ret == 4
    assert "--llm-timeout" in result.output
    assert "Traceback" not in result.output
    assert result.folder is None


def test_a_stage_marker_that_names_no_stage_is_refused(compat: Compat) -> None:
    compat.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.llm_stage("connects")
        def test_mine(llm_profile):
            pass
        """
    )

    result = compat("--llm-profile=sim", ".")

    assert result.ret == 4
    assert "llm_stage('connects') names no stage" in result.output
    assert "INTERNALERROR" not in result.output


def test_an_old_sdk_would_be_refused_before_anything_runs(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_ohllm.sdk.revision.OLDEST_SUPPORTED", (99, 0))

    assert "99.0" in refusal(compat("--llm-profile=sim"))


# Where the evidence goes.


def test_a_run_folder_below_a_file_is_refused(compat: Compat) -> None:
    (compat.path / "file").write_text("")

    said = refusal(compat("--llm-profile=sim", "--llm-run-dir=file/run"))

    assert "cannot be written" in said
    assert "file" in said


def test_a_project_whose_ohllm_is_a_file_is_refused(compat: Compat) -> None:
    (compat.path / ".ohllm").write_text("")

    assert "cannot be written" in refusal(compat("--llm-profile=sim"))


def test_the_run_folder_is_exactly_the_one_given_and_not_used_twice(compat: Compat) -> None:
    first = compat("--llm-profile=sim", "--llm-stages=A", "--llm-run-dir=here/it/is")

    assert first.ret == 0, first.output
    assert (compat.path / "here/it/is/run.json").is_file()
    assert first.folder is None, "and nothing in .ohllm"
    before = (compat.path / "here/it/is/run.json").read_bytes()
    assert "already holds a run" in refusal(
        compat("--llm-profile=sim", "--llm-stages=A", "--llm-run-dir=here/it/is")
    )
    assert (compat.path / "here/it/is/run.json").read_bytes() == before


# What works whatever is wrong.


@pytest.mark.parametrize("question", ["--help", "--markers", "--version"])
def test_questions_are_answered_whatever_is_wrong(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    monkeypatch.setenv("LLM_PROFILES_DIR", str(compat.path))
    (compat.path / "broken.json").write_text("{")
    monkeypatch.setenv("OHLLM_PROFILES", "broken unknown sim:parot")

    result = compat(question)

    assert result.ret == 0, result.output
    assert "ERROR" not in result.output
    expected = {"--help": "--llm-profile=NAME", "--markers": "llm_stage(name)", "--version": "9."}
    assert expected[question] in result.output
    assert result.folder is None


@pytest.mark.parametrize("question", ["--fixtures", "--collect-only", "--setup-plan"])
def test_a_question_about_tests_leaves_no_run(compat: Compat, question: str) -> None:
    result = compat("--llm-profile=sim", question)

    assert result.ret == 0, result.output
    assert not (compat.path / ".ohllm").exists()
    assert "evidence in" not in result.output
    assert "WORKS" not in result.output
    assert "INCONCLUSIVE" not in result.output


def test_collecting_lists_each_check_once_for_each_profile(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "--llm-profile=sim:parrot", "--collect-only", "-q")

    for name in ("sim", "sim:parrot"):
        assert result.output.count(f"::test_the_model_answers[{name}]") == 1, result.output


# Who says which profiles.


def test_the_command_line_wins_over_environment_ini_and_sdk(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    compat.pytester.makeini("[pytest]\nllm_profiles = sim:chatty sim:finish-tool")
    compat.pytester.makepyfile(OWN_TEST)
    monkeypatch.setenv("OPENHANDS_LLM_PROFILE", "sim:empty")
    monkeypatch.setenv("OHLLM_PROFILES", "sim:parrot, sim:loops")

    assert profiles_of(compat(".", "--llm-profile=sim", "--llm-stages=D")) == ["sim"]
    assert profiles_of(compat(".", "--llm-stages=D")) == ["sim:parrot", "sim:loops"]
    monkeypatch.delenv("OHLLM_PROFILES")
    assert profiles_of(compat(".", "--llm-stages=D")) == ["sim:chatty", "sim:finish-tool"]
    compat.pytester.makeini("[pytest]")
    assert profiles_of(compat(".", "--llm-stages=D")) == ["sim:empty"]


def test_the_sdks_own_variable_counts_only_where_llm_tests_are_asked_for(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHANDS_LLM_PROFILE", "sim")
    compat.pytester.makepyfile(OWN_TEST)

    plain = compat()
    assert plain.ret == 0
    assert "1 skipped" in plain.output
    assert plain.folder is None
    assert profiles_of(compat("--llm-stages=A")) == ["sim"]
    packaged = compat("--pyargs", "compat_suite.test_a_connects")
    assert packaged.ret == 0, packaged.output
    assert profiles_of(packaged) == ["sim"]


def test_a_profile_that_is_named_twice_is_tested_once(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--llm-profile=sim:chatty", "--llm-profile=sim", "--llm-profile=sim:chatty"]

    assert profiles_of(compat(*options, "--llm-stages=A")) == ["sim:chatty", "sim"]


def test_profiles_of_the_environment_do_not_bring_the_packaged_suite(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHLLM_PROFILES", "sim")
    compat.pytester.makepyfile(OWN_TEST)

    result = compat()

    assert result.ret == 0, result.output
    assert [check.id for check in result.run.profiles[0].checks] == [
        "test_profiles_of_the_environment_do_not_bring_the_packaged_suite::test_mine"
    ]


# Profiles that are saved, or given on the command line.


@pytest.mark.parametrize("variable", ["LLM_PROFILES_DIR", "OH_PERSISTENCE_DIR"])
def test_a_saved_profile_is_found_where_the_sdk_keeps_it(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, simulator: Simulator, variable: str
) -> None:
    folder = compat.path / "kept"
    monkeypatch.setenv(variable, str(folder))
    save(folder / "profiles" if variable == "OH_PERSISTENCE_DIR" else folder, "mine", simulator)

    result = compat("--llm-profile=mine", "--llm-stages=A,B,C")

    assert result.ret == 0, result.output
    (profile,) = result.run.profiles
    assert (profile.name, profile.verdict) == ("mine", "WORKS")
    assert profile.base_url == simulator.base_url


def test_every_field_of_a_profile_is_honoured_on_the_wire(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> None:
    monkeypatch.setenv("LLM_PROFILES_DIR", str(compat.path / "store"))
    settings = {
        "extra_headers": {"X-Team": "blue"},
        "temperature": 0.25,
        "top_p": 0.5,
        "seed": 7,
        "max_output_tokens": 321,
    }
    if "capability_overrides" in schema.installed().fields:
        # Newer SDKs send no temperature to what may be a model that reasons.
        settings["capability_overrides"] = {"supports_reasoning_effort": False}
    save(compat.path / "store", "tuned", simulator, **settings)

    result = compat("--llm-profile=tuned", "--llm-stages=A,B,C")

    assert result.ret == 0, result.output
    exchanges = [
        json.loads(line)
        for file in result.files("profiles/tuned/*/*/exchanges.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert len(exchanges) == 7
    for exchange in exchanges:
        assert exchange["request_headers"]["x-team"] == "blue"
        body = exchange["request"]
        assert (body["temperature"], body["top_p"], body["seed"]) == (0.25, 0.5, 7)
        assert 321 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_an_unsaved_profile_is_tested_from_the_command_line(
    compat: Compat, simulator: Simulator
) -> None:
    result = compat(
        f"--llm-model=openai/{simulator.model}",
        f"--llm-base-url={simulator.base_url}",
        "--llm-api-key-env=OWN_KEY",
        "--llm-stages=A,B,C",
    )

    assert result.ret == 0, result.output
    (profile,) = result.run.profiles
    assert (profile.name, profile.verdict, profile.usage.llm_calls) == ("adhoc", "WORKS", 7)


def test_an_unsaved_profile_stands_beside_saved_ones(compat: Compat, simulator: Simulator) -> None:
    result = compat(
        "--llm-profile=sim",
        f"--llm-model=openai/{simulator.model}",
        f"--llm-base-url={simulator.base_url}",
        "--llm-api-key-env=OWN_KEY",
        "--llm-stages=A",
    )

    assert result.ret == 0, result.output
    assert profiles_of(result) == ["sim", "adhoc"]


# Whose conftest files are imported.


def test_a_bare_run_imports_nothing_of_the_users(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    compat.pytester.makeini(
        """
        [pytest]
        testpaths = tests
        usefixtures = database_of_theirs
        python_files = check_*.py
        python_functions = check_*
        python_classes = Check*
        norecursedirs = *
        addopts = -q
        strict = true
        filterwarnings = error
        """
    )
    spoilt = "raise RuntimeError('imported')"
    compat.pytester.makeconftest(spoilt)
    compat.pytester.mkpydir("tests")
    for name in ("conftest.py", "check_mine.py"):
        (compat.path / "tests" / name).write_text(spoilt)

    result = compat("--llm-profile=sim", "--llm-stages=A,B,C")

    assert result.ret == 0, result.output
    assert "imported" not in result.output
    assert {Stage.A, Stage.B, Stage.C} <= {c.stage for c in result.run.profiles[0].checks}


def test_a_suite_that_is_installed_inside_the_project_is_no_reason_to_import_its_conftest(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = compat.path / ".venv" / "site-packages"
    shutil.copytree(Path(compat_suite.__file__).parent, packages / "compat_suite")
    monkeypatch.syspath_prepend(packages)
    for module in [name for name in sys.modules if name.startswith("compat_suite")]:
        monkeypatch.delitem(sys.modules, module)
    with (packages / "compat_suite" / "test_a_connects.py").open("a") as file:
        file.write("\n\ndef test_of_the_copy(llm_profile):\n    pass\n")
    compat.pytester.makeconftest("raise RuntimeError('imported')")

    result = compat("--llm-profile=sim", "--llm-stages=A")

    assert result.ret == 0, result.output
    assert len(result.run.profiles[0].checks) == 5, "it is the copy that ran"


def test_a_bare_run_leaves_its_evidence_where_it_was_started(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "--llm-stages=A")

    assert (compat.path / ".ohllm/.gitignore").read_text() == "*\n"
    assert result.folder is not None
    assert result.folder.parent == compat.path / ".ohllm/runs"


# The user's own tests.


def test_a_path_runs_the_users_own_tests_with_the_same_fixtures(compat: Compat) -> None:
    compat.pytester.makepyfile(
        test_own="""
        import pytest
        from pytest_ohllm.model import Profile

        RAN = []

        def test_others(request):
            RAN.append("others")
            assert RAN == ["others"], "once, and before the LLM's"
            assert request.node.get_closest_marker("timeout") is None

        def test_advanced(llm_profile, llm_driver, llm_tools):
            assert isinstance(llm_profile, Profile)
            assert llm_driver.connection.profile is llm_profile
            assert llm_tools == "prompt"
            transcript = llm_driver.converse("Please run `echo 40+2`", allow=["echo 40+2"])
            assert "40+2" in transcript.final_text

        @pytest.mark.llm_stage("b")
        def test_early(llm):
            from openhands.sdk import Message, TextContent
            message = Message(role="user", content=[TextContent(text="Say hello in one word.")])
            assert llm.generate([message]).message.content[0].text
        """
    )

    result = compat(".", "--llm-profile=sim", "--llm-profile=sim:chatty", "--llm-tools=prompt")

    assert result.ret == 0, result.output
    assert "5 passed" in result.output
    for profile in result.run.profiles:
        assert [(c.id, c.stage, c.outcome) for c in profile.checks] == [
            ("test_own::test_early", Stage.B, Outcome.PASSED),
            ("test_own::test_advanced", Stage.D, Outcome.PASSED),
        ]
        assert profile.checks[0].llm_calls == 1
        assert profile.checks[1].llm_calls == 2


def test_own_tests_skip_politely_without_a_profile(compat: Compat) -> None:
    compat.pytester.makepyfile(
        """
        def test_mine(llm):
            raise AssertionError("never")

        def test_others():
            pass
        """
    )

    result = compat(".", "-rs")

    assert result.ret == 0
    assert "1 passed, 1 skipped" in result.output
    assert "no LLM profile: name one with --llm-profile=NAME" in result.output
    assert not (compat.path / ".ohllm").exists()


def test_a_failing_test_of_the_users_decides_the_exit_code_as_well(compat: Compat) -> None:
    compat.pytester.makepyfile(OWN_TEST + "\n    def test_others():\n        assert False\n")

    result = compat(".", "--llm-profile=sim")

    assert result.ret == 1, "not what the profile alone would give"
    assert result.check("test_mine").outcome is Outcome.PASSED


# A part of the suite.


def test_a_stage_that_is_not_selected_is_no_failure(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "--llm-stages=a")

    (profile,) = result.run.profiles
    assert result.ret == 0
    assert {check.stage for check in profile.checks} == {Stage.A}
    assert (profile.verdict, profile.reason) == (
        "INCONCLUSIVE",
        "stages B, C were not selected",
    )
    assert re.search(r"4 passed, \d+ deselected", result.output)


def test_a_check_runs_alone_by_keyword_and_by_its_rerun_command(compat: Compat) -> None:
    by_keyword = compat("--llm-profile=sim", "-k", "only_the_tool_knows")
    assert by_keyword.ret == 0
    assert [c.id for c in by_keyword.run.profiles[0].checks] == [
        "compat_suite.test_c_calls_tools::test_what_only_the_tool_knows_is_reported"
    ]

    again = compat(
        "--llm-profile=sim",
        "--pyargs",
        "compat_suite.test_c_calls_tools::test_what_only_the_tool_knows_is_reported",
    )
    assert again.ret == 0, again.output
    assert [c.id for c in again.run.profiles[0].checks] == [
        c.id for c in by_keyword.run.profiles[0].checks
    ]


def test_a_keyword_that_selects_nothing_is_pytests_own_exit_code(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "-k", "no_such_check")

    assert result.ret == 5
    assert re.search(r"\d+ deselected", result.output)
    assert not result.run.profiles[0].checks


def test_deselected_checks_are_left_out(compat: Compat) -> None:
    node = next(
        line
        for line in compat("--llm-profile=sim", "--collect-only", "-q").output.splitlines()
        if "test_usage_is_reported" in line
    )

    result = compat("--llm-profile=sim", "--llm-stages=A", f"--deselect={node}")

    assert result.ret == 0
    assert len(result.run.profiles[0].checks) == 3


def test_stopping_at_the_first_failure_keeps_its_verdict_and_exit_code(compat: Compat) -> None:
    result = compat("--llm-profile=sim:bad-key", "-x")

    (profile,) = result.run.profiles
    assert result.ret == 10, result.output
    assert [check.outcome for check in profile.checks] == [Outcome.INCONCLUSIVE]
    assert profile.verdict == "INCONCLUSIVE"
    assert "401" in profile.reason or "key" in profile.reason


# What a conftest may change.


def test_a_conftest_hears_and_changes_what_the_hookspecs_say(compat: Compat) -> None:
    compat.pytester.makeconftest(
        """
        import json
        from pytest_ohllm.model import Blame, Diagnosis, Kind

        HEARD = []

        def pytest_ohllm_diagnose(item, symptoms):
            if item.name.startswith("test_theirs"):
                assert symptoms.error.root.type.endswith("LookupError"), symptoms
                return Diagnosis(
                    kind=Kind.SDK_GAP, blame=Blame.SDK, summary="as I expected",
                    next_step="see my wiki", rule="mine",
                )

        def pytest_ohllm_secrets(config):
            return ["the-magic-word-of-theirs"]

        def pytest_ohllm_stage_closed(profile, stage, reason):
            HEARD.append(["closed", profile, stage, reason])

        def pytest_ohllm_run_finished(run, folder):
            HEARD.append(["finished", run.profiles[0].verdict, (folder / "run.json").is_file()])
            (folder.parent.parent.parent / "heard.json").write_text(json.dumps(HEARD))
        """
    )
    compat.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.llm_stage("B")
        def test_theirs(llm_profile):
            print("say the-magic-word-of-theirs")
            raise LookupError("the-magic-word-of-theirs")

        @pytest.mark.llm_stage("B")
        def test_asserted(llm_profile):
            assert 1 == 2

        def test_later(llm_profile):
            pass
        """
    )

    result = compat(".", "--llm-profile=sim")

    assert result.ret == 1
    theirs = result.check("test_theirs").diagnosis
    assert theirs is not None
    assert (theirs.kind, theirs.blame, theirs.rule) == ("sdk_gap", "sdk", "mine")
    assert theirs.summary == "as I expected"
    asserted = result.check("test_asserted").diagnosis
    assert asserted is not None
    assert asserted.rule == "assertion", "None leaves it to the rules"
    assert result.check("test_later").outcome is Outcome.NOT_RUN
    assert json.loads((compat.path / "heard.json").read_text()) == [
        ["closed", "sim", "B", "as I expected"],
        ["finished", "DOES NOT WORK", True],
    ]
    assert "say [REDACTED" in result.output
    written = "".join(p.read_text() for p in result.files("**/*") if p.is_file())
    assert "the-magic-word-of-theirs" not in result.output + written
