"""What a run leaves behind: its folder, run.json, JUnit, HTML, and the terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.model import Outcome
from tests.conftest import Compat, Result
from tests.plugin.conftest import MakeProject, Project, html_rows, testcases

OWN = """
import pytest

stage_a = pytest.mark.llm_stage("A")

@pytest.fixture
def broken_setup(llm_profile):
    raise RuntimeError("the set-up is broken")

@pytest.fixture
def broken_teardown(llm_profile):
    yield
    raise RuntimeError("the teardown is broken")

@stage_a
def test_passes(llm_profile):
    print("something was printed")

@stage_a
def test_fails(llm_profile):
    assert 40 + 2 == 43

@stage_a
def test_set_up(broken_setup):
    pass

@stage_a
def test_torn_down(broken_teardown):
    pass

@stage_a
def test_fails_twice(broken_teardown):
    raise LookupError("the call is broken")

@stage_a
def test_skips(llm_profile):
    pytest.skip("not on Sundays")

@stage_a
@pytest.mark.skip(reason="never")
def test_is_skipped(llm_profile):
    pass

@stage_a
@pytest.mark.xfail(reason="a known gap")
def test_is_known_to_fail(llm_profile):
    assert False

@stage_a
@pytest.mark.xfail(reason="a known gap")
def test_is_better_than_known(llm_profile):
    pass

@stage_a
@pytest.mark.xfail(reason="a known gap", strict=True)
def test_is_better_than_allowed(llm_profile):
    pass

@stage_a
def test_has_parts(llm_profile, subtests):
    with subtests.test("good"):
        pass
    with subtests.test("bad"):
        assert "first" == "bad"
    with subtests.test("skipped"):
        pytest.skip("this part")
    with subtests.test("worse"):
        assert "second" == "bad"

@stage_a
@pytest.mark.parametrize("word", ["a/b", "a b", "A b", ""])
@pytest.mark.parametrize("number", [1, 2])
def test_has_parameters(llm_profile, number, word):
    pass

class TestInClass:
    @stage_a
    def test_passes(self, llm_profile):
        pass

def test_is_too_late(llm_profile):
    raise AssertionError("the gate is open")

def test_of_somebody_else():
    pass
"""
"""Tests of a user that end in every way there is; no model is asked."""


@pytest.fixture
def own(compat: Compat) -> Iterator[Compat]:
    """A project with the tests above, and a umask that protects nothing."""
    compat.pytester.makepyfile(test_own=OWN)
    before = os.umask(0)
    yield compat
    os.umask(before)


def outcomes(result: Result) -> dict[str, Outcome]:
    """The outcome of each check of the only profile, by the check's name."""
    (profile,) = result.run.profiles
    return {check.id.partition("::")[2]: check.outcome for check in profile.checks}


# The run folder.


def test_every_way_to_end_is_recorded(own: Compat) -> None:
    result = own(".", "--llm-profile=sim")

    assert result.ret == 1
    parameters = {
        f"test_has_parameters[{n}-{w}]" for n in (1, 2) for w in ("a/b", "a b", "A b", "")
    }
    assert outcomes(result) == {
        "test_passes": Outcome.PASSED,
        "test_fails": Outcome.FAILED,
        "test_set_up": Outcome.FAILED,
        "test_torn_down": Outcome.FAILED,
        "test_fails_twice": Outcome.FAILED,
        "test_skips": Outcome.NOT_RUN,
        "test_is_skipped": Outcome.NOT_RUN,
        "test_is_known_to_fail": Outcome.NOT_RUN,
        "test_is_better_than_known": Outcome.PASSED,
        "test_is_better_than_allowed": Outcome.FAILED,
        "test_has_parts": Outcome.FAILED,
        **dict.fromkeys(parameters, Outcome.PASSED),
        "TestInClass::test_passes": Outcome.PASSED,
        "test_is_too_late": Outcome.NOT_RUN,
    }
    said = {name: result.check(name).reason for name in ("test_skips", "test_is_skipped")}
    assert said == {"test_skips": "not on Sundays", "test_is_skipped": "never"}
    assert result.check("test_is_known_to_fail").reason == "a known gap"
    late = result.check("test_is_too_late").reason
    assert late == "stage A failed: an assertion failed: assert (40 + 2) == 43"


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("test_fails", "assert (40 + 2) == 43"),
        ("test_set_up", "the set-up is broken"),
        ("test_torn_down", "the teardown is broken"),
        ("test_fails_twice", "the call is broken"),
        ("test_is_better_than_allowed", "[XPASS(strict)] a known gap"),
        ("test_has_parts", "'first' == 'bad'"),
    ],
)
def test_a_failure_says_what_went_wrong_first(own: Compat, name: str, summary: str) -> None:
    result = own(
        "--llm-profile=sim",
        "test_own.py",
        "-k",
        f"{name} and not twice" if name == "test_fails" else name,
    )

    diagnosis = result.check(name).diagnosis
    assert diagnosis is not None
    assert summary in diagnosis.summary
    assert "\n" not in diagnosis.summary


def test_all_of_a_failure_is_in_its_folder(own: Compat) -> None:
    result = own(
        "--llm-profile=sim", ".", "-k", "has_parts or fails_twice or (passes and not Class)"
    )

    assert result.folder is not None
    text = {
        file.relative_to(result.folder).as_posix().split("/")[3].split("~")[0] + "/" + file.name: (
            file.read_text()
        )
        for file in result.files("profiles/*/*/*/*")
    }
    parts = text["test_own-test_has_parts/traceback.txt"]
    assert "'first' == 'bad'" in parts
    assert "'second' == 'bad'" in parts
    twice = text["test_own-test_fails_twice/traceback.txt"]
    assert twice.index("the call is broken") < twice.index("the teardown is broken")
    assert "something was printed" in text["test_own-test_passes/log.txt"]
    assert "test_own-test_passes/traceback.txt" not in text


def test_files_are_the_owners_only_whatever_the_umask_allows(own: Compat) -> None:
    result = own("--llm-profile=sim", ".")
    packaged = own("--llm-profile=sim:parrot", "--llm-stages=A,B,C")

    for run in (result, packaged):
        files = run.files("**/*")
        modes = {stat.S_IMODE(file.stat().st_mode) for file in files if file.is_file()}
        folders = {stat.S_IMODE(file.stat().st_mode) for file in files if file.is_dir()}
        assert (modes, folders) == ({0o600}, {0o700})
        assert run.folder is not None
        assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
        assert not run.files("**/*.tmp"), "nothing half-written is left"


def test_a_check_leaves_the_conversation_the_wire_and_the_result(compat: Compat) -> None:
    result = compat("--llm-profile=sim:parrot", "--llm-stages=A,B,C", "--llm-probes=0")

    assert result.folder is not None
    assert {path.name for path in result.folder.iterdir()} == {
        "run.json",
        "summary.json",
        "report.html",
        "session.json",
        "sdk.json",
        "end.json",
        "events.jsonl",
        "profiles",
    }
    check = result.check("test_the_tool_is_called")
    assert check.outcome is Outcome.FAILED
    folder = result.folder / check.folder
    assert {path.name for path in folder.iterdir()} == {
        "started.json",
        "result.json",
        "transcript.json",
        "exchanges.jsonl",
        "traceback.txt",
    }
    (transcript,) = json.loads((folder / "transcript.json").read_text())[:1]
    exchanges = [json.loads(line) for line in (folder / "exchanges.jsonl").read_text().splitlines()]
    assert [e["request"] for e in transcript["exchanges"]] == [
        e["request"] for e in exchanges[: len(transcript["exchanges"])]
    ]
    assert exchanges[0]["request"]["tools"]
    assert exchanges[0]["status"] == 200
    told = json.loads((folder / "result.json").read_text())
    assert told["diagnosis"]["kind"] == "model_limitation"
    assert told["usage"]["llm_calls"] == len(exchanges)
    events = [
        json.loads(line) for line in (result.folder / "events.jsonl").read_text().splitlines()
    ]
    ends = [e["event"] for e in events if e["event"] in ("started", "finished")]
    assert ends == ["started", "finished"] * (len(ends) // 2)
    assert {e["event"] for e in events} == {"started", "exchange", "spent", "finished"}
    calls = sum(e["usage"]["llm_calls"] for e in events if e["event"] == "finished")
    assert calls == result.run.profiles[0].usage.llm_calls == 9
    gate = json.loads((result.folder / "profiles").glob("*/gate.json").__next__().read_text())
    assert gate["stage"] == "C"


@pytest.mark.parametrize("profile", ["sim", "sim:bad-key", "sim:parrot"])
def test_run_json_is_as_its_schema_says_and_as_it_is_read_back(
    compat: Compat, profile: str
) -> None:
    result = compat(f"--llm-profile={profile}")

    assert result.folder is not None
    about = json.loads((result.folder / "run.json").read_text())
    schema = json.loads(
        resources.files("pytest_ohllm.evidence").joinpath("run.schema.json").read_text()
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(about, schema)
    assert read_run(result.folder).model_dump(mode="json") == about
    assert about.keys() == {
        "schema_version",
        "run_id",
        "started",
        "seconds",
        "sdk",
        "host",
        "packages",
        "profiles",
        "baseline",
        "waivers",
    }
    assert about["sdk"].keys() == {"version", "path", "git_sha", "dirty"}
    assert about["run_id"] == result.folder.name
    assert about["seconds"] > 0
    assert {"litellm", "openai"} <= about["packages"].keys()
    (one,) = about["profiles"]
    assert one.keys() >= {"name", "model", "base_url", "verdict", "tool_mode", "checks", "usage"}
    assert one["usage"].keys() == {
        "llm_calls",
        "prompt_tokens",
        "completion_tokens",
        "cached_tokens",
        "retries",
        "cost",
    }
    for check in one["checks"]:
        assert check.keys() >= {"id", "stage", "outcome", "seconds", "llm_calls", "diagnosis"}
        assert (result.folder / check["folder"] / "result.json").is_file()
        if check["diagnosis"]:
            assert check["diagnosis"].keys() >= {"kind", "summary", "blame", "next_step"}


def test_parametrized_tests_have_ids_and_folders_of_their_own(own: Compat) -> None:
    first = own("--llm-profile=sim", ".", "-k", "has_parameters")
    second = own("--llm-profile=sim", "--llm-profile=sim:chatty", "test_own.py", "-k", "parameters")

    ids = [check.id for check in first.run.profiles[0].checks]
    assert len(set(ids)) == 8
    assert len({check.folder.lower() for check in first.run.profiles[0].checks}) == 8
    for profile in second.run.profiles:
        assert [check.id for check in profile.checks] == ids, "the same with other profiles beside"


# JUnit.

ALWAYS = {"ohllm.profile", "ohllm.stage", "ohllm.check", "ohllm.outcome", "ohllm.folder"}


def check_junit(path: Path, folder: Path) -> None:
    """Assert that every test in the file is described, in whatever way it ended."""
    cases = [(n, about, tags) for n, about, tags in testcases(path) if n != "test_of_somebody_else"]
    assert len(cases) == 21 + 1, "a test that fails twice is two cases"
    for name, about, tags in cases:
        assert about.keys() >= ALWAYS, name
        assert about["ohllm.profile"] == "sim"
        assert (folder / about["ohllm.folder"] / "result.json").is_file()
        if {"failure", "error"} & set(tags):
            assert about["ohllm.outcome"] == "failed"
            assert about.keys() >= {"ohllm.kind", "ohllm.blame", "ohllm.summary"}
        elif "skipped" in tags:
            assert about["ohllm.outcome"] == "not_run"
        else:
            assert (about["ohllm.outcome"], tags) in [("passed", []), ("passed", ["system-out"])]
    by_name = {name: (about, tags) for name, about, tags in cases}
    assert by_name["test_is_too_late[sim]"][0]["ohllm.blocked_by"] == "A"
    assert by_name["test_is_too_late[sim]"][0]["ohllm.stage"] == "D"
    assert by_name["test_has_parts[sim]"][1].count("failure") >= 2
    twice = [about for name, about, _ in cases if name == "test_fails_twice[sim]"]
    assert len(twice) == 2
    assert twice[0] == twice[1]
    others = [about for name, about, _ in testcases(path) if name == "test_of_somebody_else"]
    assert others == [{}]


def suite_properties(path: Path) -> dict[str, str]:
    """The properties of the whole suite."""
    from xml.etree import ElementTree

    found = ElementTree.parse(path).iterfind("testsuite/properties/property")
    return {p.get("name", ""): p.get("value", "") for p in found}


def test_junit_describes_every_test_however_it_ended(own: Compat) -> None:
    result = own("--llm-profile=sim", ".", "--junitxml=out/junit.xml", "-W", "error")

    assert result.folder is not None
    check_junit(own.path / "out/junit.xml", result.folder)
    about = suite_properties(own.path / "out/junit.xml")
    assert about["ohllm.run_id"] == result.folder.name
    assert about["ohllm.run_dir"] == str(result.folder)
    assert about["ohllm.sdk_version"] == result.run.sdk.version
    assert "warning" not in result.output.lower()


def test_a_rerun_command_selects_the_check_that_it_is_for(own: Compat) -> None:
    import shlex

    own("--llm-profile=sim", ".", "--junitxml=own.xml")
    own("--llm-profile=sim:bad-key", "--junitxml=packaged.xml", "--llm-tools=prompt")

    for file in ("own.xml", "packaged.xml"):
        # One of each sort is enough: a failure, a class, a parameter with a blank.
        for name in ("test_fails[", "TestIn", "[sim-1-a b]", "test_the_model_answers["):
            for case, about, _ in testcases(own.path / file):
                command = about.get("ohllm.rerun", "")
                if name not in case and name not in command:
                    continue
                program, *arguments = shlex.split(command)
                assert program == "pytest"
                again = own(*arguments, "--collect-only", "-q")
                assert again.ret == 0, (command, again.output)
                assert "1 test collected" in again.output, (command, again.output)
    (wanted,) = {
        about["ohllm.rerun"].split()[2]
        for case, about, _ in testcases(own.path / "packaged.xml")
        if case.startswith("test_the_model_answers")
    }
    assert wanted == "--llm-tools=prompt"


def test_an_unsaved_profile_is_run_again_by_its_options(
    own: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", "sk-fake-key-of-the-evidence-tests-0123456789")
    options = [
        "--llm-model=openai/some-model",
        "--llm-base-url=http://127.0.0.1:1/v1",
        "--llm-api-key-env=OWN_KEY",
    ]
    own(*options, ".", "--junitxml=j.xml", "-k", "test_fails and not twice")

    ((_, about, _),) = testcases(own.path / "j.xml")
    assert about["ohllm.rerun"] == f"pytest {' '.join(options)} 'test_own.py::test_fails[adhoc]'"


# pytest-html.


def check_html(path: Path) -> None:
    """Assert that the report has the matrix on top, our columns, and capsules below failures."""
    page = path.read_text()
    assert "<title" in page
    assert "LLM compatibility: sim" in page
    assert page.index('aria-label="LLM compatibility"') < page.index("data-jsonblob")
    assert "DOES NOT WORK" in page
    rows = {
        f"{row['testId']}": str(row)
        for tests in html_rows(path).values()
        for row in tests
        if row["result"] != "Error" or "::" in row["testId"]
    }
    failed = next(row for test, row in rows.items() if "test_fails[sim]" in test)
    assert "col-profile" in failed
    assert "ohllm-capsule" in failed
    passed = next(row for test, row in rows.items() if "own.py::test_passes[sim]" in test)
    assert '<td class="col-profile">sim</td>' in passed
    assert "ohllm-capsule" not in passed
    other = next(row for test, row in rows.items() if "somebody_else" in test)
    assert '<td class="col-profile"></td>' in other


def test_the_html_report_shows_matrix_columns_and_capsules(own: Compat) -> None:
    result = own("--llm-profile=sim", ".", "--html=report.html", "--self-contained-html")

    assert result.ret == 1
    assert "INTERNALERROR" not in result.output
    check_html(own.path / "report.html")


def test_a_collection_error_does_not_spoil_the_html_report(own: Compat) -> None:
    own.pytester.makepyfile(test_unreadable="import no_such_module_of_theirs")

    result = own("--llm-profile=sim", ".", "--html=report.html", "--continue-on-collection-errors")

    assert result.ret == 1
    assert "INTERNALERROR" not in result.output
    assert "no_such_module_of_theirs" in (own.path / "report.html").read_text()
    check_html(own.path / "report.html")


def test_what_cannot_be_collected_is_no_success(compat: Compat) -> None:
    compat.pytester.makepyfile(
        test_own="def test_passes(llm_profile): pass",
        test_unreadable="import no_such_module_of_theirs",
    )

    result = compat("--llm-profile=sim", ".", "--continue-on-collection-errors")

    assert result.check("test_passes").outcome is Outcome.PASSED
    assert result.ret == 1


def test_a_collection_error_alone_is_pytests_own_exit_code(own: Compat) -> None:
    own.pytester.makepyfile(test_unreadable="import no_such_module_of_theirs")

    result = own("--llm-profile=sim", ".")

    assert result.ret == 2, "nothing ran, which is what pytest's 2 says"
    assert not result.run.profiles[0].checks


# The terminal.


def test_the_summary_line_has_words_for_what_was_not_judged(own: Compat) -> None:
    result = own("--llm-profile=sim", ".")
    line = result.output.splitlines()[-1]

    for part in ("1 not run", "2 skipped", "1 xfailed", "1 xpassed", "3 errors"):
        assert part in line
    packaged = own("--llm-profile=sim:bad-key").output.splitlines()[-1]
    assert "1 inconclusive" in packaged
    assert "not run" in packaged
    assert "failed" not in packaged


def test_verbose_lines_have_the_same_words(compat: Compat) -> None:
    output = compat("--llm-profile=sim:bad-key", "-v").output

    assert "::test_the_model_answers[sim:bad-key] INCONCLUSIVE" in output
    assert "::test_the_tool_is_called[sim:bad-key] NOT RUN" in output


@pytest.mark.parametrize("option", ["-q", "--no-summary"])
def test_a_quiet_run_is_one_line_for_each_profile(own: Compat, option: str) -> None:
    result = own("--llm-profile=sim", "--llm-profile=sim:chatty", ".", option, "-k", "test_passes")

    lines = [line for line in result.output.splitlines() if "INCONCLUSIVE" in line]
    assert len(lines) == 2, result.output
    assert "sim" in lines[0].split()
    assert "sim:chatty" in lines[1].split()
    assert "evidence in" not in result.output.partition("collected")[2]


def test_without_a_terminal_the_exit_code_and_the_folder_remain(own: Compat) -> None:
    result = own("--llm-profile=sim:bad-key", "-p", "no:terminal")

    assert result.ret == 10
    assert result.run.profiles[0].verdict == "INCONCLUSIVE"
    assert "sim:bad-key" not in result.output


def test_colours_are_pytests_own_choice(own: Compat, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--llm-profile=sim", ".", "-k", "test_fails and not twice")

    def matrix(*more: str) -> str:
        return own(*arguments, *more).output.partition("short test summary")[0][-1500:]

    assert "\x1b[" not in matrix()
    assert "\x1b[" in matrix("--color=yes")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in matrix()


def test_without_other_plugins_the_gate_still_runs(own: Compat) -> None:
    result = own(
        "--llm-profile=sim:bad-key",
        "-p",
        "no:xdist",
        "-p",
        "no:html",
        "-p",
        "no:timeout",
        "-p",
        "no:junitxml",
        "-p",
        "no:logging",
    )

    assert result.ret == 10, result.output
    assert result.run.profiles[0].verdict == "INCONCLUSIVE"


# In processes of their own.


@pytest.fixture(scope="module")
def distributed(make_project: MakeProject) -> tuple[Project, Result]:
    """The tests above on two workers, with JUnit and HTML, in a terminal that knows only ASCII."""
    project = make_project("distributed")
    project.write("test_own.py", OWN)
    result = project.run(
        ".",
        "--llm-profile=sim",
        "-n2",
        "--junitxml=junit.xml",
        "--html=report.html",
        "-Werror",
        env={"PYTHONIOENCODING": "ascii"},
    )
    return project, result


def test_workers_record_what_one_process_does(
    own: Compat, distributed: tuple[Project, Result]
) -> None:
    plain = own("--llm-profile=sim", ".")
    _, result = distributed

    assert result.ret == 1, result.output
    assert outcomes(result) == outcomes(plain)
    assert (
        result.output.splitlines()[-1].split(" in ")[0]
        == (plain.output.splitlines()[-1].split(" in ")[0])
    )


def test_junit_is_the_same_from_workers(distributed: tuple[Project, Result]) -> None:
    project, result = distributed

    assert result.folder is not None
    check_junit(project.path / "junit.xml", result.folder)
    assert suite_properties(project.path / "junit.xml")["ohllm.run_id"] == result.folder.name


def test_html_is_the_same_from_workers(distributed: tuple[Project, Result]) -> None:
    project, _ = distributed

    check_html(project.path / "report.html")


def test_a_terminal_without_unicode_gets_ascii(distributed: tuple[Project, Result]) -> None:
    _, result = distributed
    report = result.output[result.output.index("-- sim ") :]

    assert "DOES NOT WORK" in report
    assert report.isascii()
    assert "\\u" not in report


INTERRUPTED = """
import json, os, pathlib, time
import pytest

stage_a = pytest.mark.llm_stage("A")

@stage_a
def test_ends(llm_driver):
    assert not llm_driver.complete("Say hello in one word.").error

@stage_a
def test_waits(llm_driver):
    llm_driver.complete("Say hello in one word.")
    pathlib.Path("waiting").touch()
    time.sleep(60)

def test_never_begins(llm_profile):
    pass
"""


@pytest.fixture(scope="module")
def ended_early(make_project: MakeProject) -> dict[str, tuple[Project, Result]]:
    """Two runs side by side: one is interrupted while the endpoint hangs, the other is killed."""
    hanging, killed = make_project("hanging"), make_project("killed")
    for project in (hanging, killed):
        project.write("test_own.py", INTERRUPTED)
    processes = {
        "hanging": hanging.start(
            ".", "--llm-profile=sim", "--llm-profile=sim:hang", "-kends", "--junitxml=j.xml"
        ),
        "killed": killed.start(".", "--llm-profile=sim"),
    }
    try:
        # The hanging request is on its way once its check was started for a moment.
        hanging.wait_for(".ohllm/runs/*/profiles/sim-hang*/A/*/started.json")
        killed.wait_for("waiting")
        processes["killed"].send_signal(signal.SIGKILL)
        processes["hanging"].send_signal(signal.SIGINT)
        outputs = {name: p.communicate(timeout=30)[0] for name, p in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    return {
        name: (project, project.result(processes[name].returncode, outputs[name]))
        for name, project in (("hanging", hanging), ("killed", killed))
    }


def test_an_interrupted_run_keeps_what_it_has(
    ended_early: dict[str, tuple[Project, Result]],
) -> None:
    project, result = ended_early["hanging"]

    assert result.ret == 2, result.output
    assert result.folder is not None
    assert (result.folder / "run.json").is_file()
    checks = {profile.name: profile.checks for profile in result.run.profiles}
    assert [check.outcome for check in checks["sim"]] == [Outcome.PASSED]
    (cut,) = checks["sim:hang"]
    assert cut.outcome is Outcome.INCONCLUSIVE
    assert cut.diagnosis is not None
    assert (cut.diagnosis.rule, cut.diagnosis.blame) == ("interrupted", "user")
    assert "interrupted by KeyboardInterrupt" in result.output
    assert [
        (name, about["ohllm.outcome"], tags)
        for name, about, tags in testcases(project.path / "j.xml")
    ] == [
        ("test_ends[sim]", "passed", []),
        ("test_ends[sim:hang]", "inconclusive", ["failure"]),
    ]
    assert re.search(r"1 passed, .*1 inconclusive", result.output.splitlines()[-1])


def test_a_killed_run_can_be_read(ended_early: dict[str, tuple[Project, Result]]) -> None:
    _, result = ended_early["killed"]

    assert result.ret == -signal.SIGKILL
    assert result.folder is not None
    assert not (result.folder / "run.json").exists()
    (profile,) = read_run(result.folder).profiles
    assert [(c.id, c.outcome, c.llm_calls) for c in profile.checks] == [
        ("test_own::test_ends", Outcome.PASSED, 1),
        ("test_own::test_waits", Outcome.INCONCLUSIVE, 1),
    ]
    cut = result.folder / profile.checks[1].folder
    assert (cut / "started.json").is_file()
    (exchange,) = [json.loads(line) for line in (cut / "exchanges.jsonl").read_text().splitlines()]
    assert exchange["status"] == 200
