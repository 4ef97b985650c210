"""Profiles side by side with ``-n``: the same answers, and a crash that is paid for once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_ohllm.model import CheckSummary, Outcome, ProfileReport
from pytest_ohllm.session.xdist import ProfileScheduling
from tests.conftest import Compat, Result
from tests.plugin.conftest import MakeProject, Project, html_rows, leaks, testcases

KEY = "canary-of-the-worker-input-0123456789"


def processes(result: Result, profile: ProfileReport) -> list[int]:
    """The process of each check of a profile, in the order in which they were started."""
    assert result.folder is not None
    started = [
        json.loads((result.folder / check.folder / "started.json").read_text())
        for check in profile.checks
    ]
    return [about["pid"] for about in sorted(started, key=lambda about: about["started"])]


# The packaged suite.

PACKAGED = ("--llm-profile=sim:parrot", "--llm-profile=sim:bad-key", "--llm-stages=A,B,C")


@pytest.fixture(scope="module")
def packaged(make_project: MakeProject) -> Result:
    """The packaged suite for two profiles on two workers."""
    project = make_project("packaged")
    return project.run(*PACKAGED, "-n2")


def test_workers_come_to_the_same_verdicts(compat: Compat, packaged: Result) -> None:
    plain = compat(*PACKAGED)

    assert packaged.ret == plain.ret == 1, packaged.output
    for one, other in zip(packaged.run.profiles, plain.run.profiles, strict=True):
        assert (one.name, one.verdict, one.reason, one.tool_mode) == (
            (other.name, other.verdict, other.reason, other.tool_mode)
        )
        assert [(c.id, c.stage, c.outcome) for c in one.checks] == [
            (c.id, c.stage, c.outcome) for c in other.checks
        ]
        assert one.usage.llm_calls == other.usage.llm_calls


def test_a_profile_stays_on_one_worker_and_its_stages_in_order(packaged: Result) -> None:
    by_profile = {p.name: set(processes(packaged, p)) for p in packaged.run.profiles}
    assert all(len(pids) == 1 for pids in by_profile.values()), by_profile
    assert len(set.union(*by_profile.values())) == 2, "and two profiles are side by side"

    assert packaged.folder is not None
    events = [
        json.loads(line) for line in (packaged.folder / "events.jsonl").read_text().splitlines()
    ]
    for name in by_profile:
        stages = [e["stage"] for e in events if e["profile"] == name and e["event"] == "started"]
        assert stages == sorted(stages)
        assert len(stages) > 9


# A user's own tests.

OWN = """
    import os, signal, time
    import pytest

    @pytest.mark.llm_stage("A")
    def test_begins(llm_profile):
        print("in", os.getpid())

    @pytest.mark.llm_stage("B")
    @pytest.mark.parametrize("part", [1, 2, 3])
    def test_crashes(llm_profile, part):
        if part == 2 and llm_profile.name == "sim:parrot":
            with open("crashes", "a") as file:
                file.write("x")
            os._exit(3)
        if part == 3 and llm_profile.name == "sim:empty":
            with open("crashes", "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGSEGV)

    @pytest.mark.llm_stage("C")
    def test_is_later(llm_profile):
        pass

    @pytest.mark.parametrize("number", range(4))
    def test_of_somebody_else(number):
        if number == 2 and os.environ.get("CRASH_OTHERS"):
            os._exit(4)
"""

CONFTEST = """
    import pytest

    @pytest.hookimpl(trylast=True, optionalhook=True)
    def pytest_configure_node(node):
        with open("workerinput", "a") as file:
            file.write(repr(node.workerinput) + repr(vars(node.config.option)))
"""


@pytest.fixture(scope="module")
def crashed(make_project: MakeProject) -> tuple[Project, Result]:
    """Three profiles on two workers; two of them crash their worker in stage B."""
    project = make_project("crashed")
    project.write("test_own.py", OWN)
    result = project.run(
        ".",
        *(f"--llm-profile={name}" for name in ("sim:parrot", "sim", "sim:empty")),
        "-n2",
        "--junitxml=junit.xml",
        "--html=report.html",
        timeout=60,
    )
    return project, result


def checks(result: Result, profile: str) -> dict[str, CheckSummary]:
    """The checks of one profile by their names."""
    (found,) = [one for one in result.run.profiles if one.name == profile]
    return {check.id.partition("::")[2]: check for check in found.checks}


@pytest.mark.parametrize(("profile", "part"), [("sim:parrot", 2), ("sim:empty", 3)])
def test_a_crash_is_one_recorded_failure_and_closes_the_gate(
    crashed: tuple[Project, Result], profile: str, part: int
) -> None:
    project, result = crashed
    found = checks(result, profile)

    assert {name: check.outcome for name, check in found.items()} == {
        "test_begins": Outcome.PASSED,
        **{
            f"test_crashes[{n}]": Outcome.INCONCLUSIVE if n == part else Outcome.PASSED
            for n in (1, 2, 3)
        },
        "test_is_later": Outcome.NOT_RUN,
    }
    crash = found[f"test_crashes[{part}]"]
    assert crash.diagnosis is not None
    assert (crash.diagnosis.rule, crash.diagnosis.kind) == ("worker_crash", "environment")
    assert found["test_is_later"].reason == (
        "stage B failed: the worker process died while this check ran"
    )
    assert (project.path / "crashes").read_text() == "xx", "nothing ran a second time"


def test_other_profiles_and_tests_finish_after_a_crash(crashed: tuple[Project, Result]) -> None:
    _, result = crashed

    assert result.ret == 10, result.output
    assert {check.outcome for check in checks(result, "sim").values()} == {Outcome.PASSED}
    assert [p.verdict for p in result.run.profiles] == [
        "INCONCLUSIVE",
        "WORKS",
        "INCONCLUSIVE",
    ]
    assert re.search(r"15 passed, .*2 inconclusive|2 inconclusive.* 15 passed", result.output)
    assert "2 not run" in result.output.splitlines()[-1]


def test_a_crash_is_in_junit_with_its_properties(crashed: tuple[Project, Result]) -> None:
    project, result = crashed
    cases = testcases(project.path / "junit.xml")

    assert len(cases) == len({name for name, _, _ in cases}) == 3 * 5 + 4
    about = {name: (properties, tags) for name, properties, tags in cases}
    properties, tags = about["test_crashes[sim:parrot-2]"]
    assert tags == ["failure"]
    assert properties["ohllm.outcome"] == "inconclusive"
    assert properties["ohllm.kind"] == "environment"
    assert properties["ohllm.stage"] == "B"
    assert properties["ohllm.rerun"].startswith("pytest --llm-profile=sim:parrot")
    assert result.folder is not None
    assert (result.folder / properties["ohllm.folder"] / "result.json").is_file()
    assert about["test_is_later[sim:empty]"][0]["ohllm.blocked_by"] == "B"


def test_a_crash_is_in_the_html_report(crashed: tuple[Project, Result]) -> None:
    project, _ = crashed
    rows = html_rows(project.path / "report.html")

    crash = next(rows[test] for test in rows if "test_crashes[sim:empty-3]" in test)
    assert any("the worker process died" in str(row) for row in crash)
    assert any('<td class="col-profile">sim:empty</td>' in str(row) for row in crash)


@pytest.fixture(scope="module")
def odd(make_project: MakeProject) -> tuple[Project, Result]:
    """As many workers as profiles, a crash in a test that is not ours, and an unsaved profile."""
    project = make_project("odd")
    project.write("test_own.py", OWN)
    project.write("conftest.py", CONFTEST)
    result = project.run(
        ".",
        "--llm-profile=sim",
        "--llm-model=openai/some-model",
        "--llm-base-url=http://127.0.0.1:1/v1",
        "--llm-api-key-env=OWN_KEY",
        "-nauto",
        "-v",
        env={"OWN_KEY": KEY, "CRASH_OTHERS": "1"},
        timeout=60,
    )
    return project, result


def test_auto_is_one_worker_for_each_profile(odd: tuple[Project, Result]) -> None:
    _, result = odd

    assert "2 workers" in result.output
    assert {c.outcome for name in ("sim", "adhoc") for c in checks(result, name).values()} == {
        Outcome.PASSED
    }


def test_a_crash_in_a_test_of_somebody_else_is_pytests_failure(odd: tuple[Project, Result]) -> None:
    _, result = odd

    assert result.ret == 1, result.output
    assert "1 failed, 13 passed" in result.output.splitlines()[-1]
    assert all(profile.verdict == "WORKS" for profile in result.run.profiles)


def test_workers_are_not_sent_any_secret(odd: tuple[Project, Result]) -> None:
    project, result = odd

    assert "ohllm_run_dir" in (project.path / "workerinput").read_text()
    assert leaks(KEY, result.output, project.path) == []


class Worker:
    """What a scheduler knows of a worker, without a process behind it."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_a_replacement_that_is_not_ready_yet_is_left_alone_while_another_one_is() -> None:
    config = SimpleNamespace(
        option=SimpleNamespace(loadscopereorder=False), getvalue=lambda _: ["2*popen"]
    )
    tests = [f"test_own.py::{test}[{name}]" for name in ("a", "b") for test in ("test_x", "test_y")]
    scheduling = ProfileScheduling(config, None, ["a", "b"])  # type: ignore[arg-type]
    first, second, third, fourth = (Worker(f"gw{number}") for number in range(4))
    for worker in (first, second):
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, tests)
    scheduling.schedule()
    assert (first.given, second.given) == ([0, 1], [2, 3])

    # Both crash in their first test, and both replacements are up before one has its tests.
    assert scheduling.remove_node(first) == tests[0]
    scheduling.add_node(third)
    assert scheduling.remove_node(second) == tests[2]
    scheduling.add_node(fourth)
    for worker in (fourth, third):
        scheduling.add_node_collection(worker, tests)
        scheduling.schedule()

    assert sorted(third.given + fourth.given) == [1, 3], "what is left, and no crash again"
    assert not scheduling.workqueue


def test_running_everything_on_each_worker_is_refused(compat: Compat) -> None:
    result = compat("--llm-profile=sim", "-n2", "--dist=each")

    assert result.ret == 4, result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("ERROR")]
    assert "--dist=each" in line
    assert "INTERNALERROR" not in result.output


@pytest.mark.parametrize("profile", ["no-such-profile", "sim:parot"])
def test_what_is_refused_is_refused_before_any_worker_is_started(
    compat: Compat, profile: str
) -> None:
    result = compat(f"--llm-profile={profile}", "-n2")

    assert result.ret == 4
    assert len([line for line in result.output.splitlines() if line.strip()]) <= 7, result.output
    assert "INTERNALERROR" not in result.output
    assert not list(Path(compat.path).glob(".ohllm"))
