"""``--llm-baseline`` and ``--llm-waivers``: only what is new is red, and all of it is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.evidence.liveness import Hold
from tests.conftest import Compat
from tests.plugin.conftest import MakeProject, refusal, testcases

OWN = """
import os
import pytest

pytestmark = pytest.mark.llm_stage("D")

def test_bad(llm_profile):
    assert "bad" not in os.environ["OWN"], "the model is bad"

def test_worse(llm_profile):
    assert "worse" not in os.environ["OWN"], "the model is worse"
"""
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


@pytest.fixture
def own(compat: Compat, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs two checks of a user's own, of which those that are named fail."""
    (compat.path / "test_own.py").write_text(OWN)

    def run(fails: str, *arguments: str) -> Any:
        monkeypatch.setenv("OWN", fails)
        return compat("--llm-profile=sim", "--junitxml=junit.xml", *arguments, "test_own.py")

    return run


def waivers(path: Path, check: str, expires: str) -> str:
    """A file that waives one check, as an option."""
    about = f'profile = "sim"\ncheck = "{check}"\nreason = "ticket 7"\nexpires = {expires}\n'
    (path / "waivers.toml").write_text(f"[[waiver]]\n{about}")
    return "--llm-waivers=waivers.toml"


def test_what_was_known_is_not_red_and_what_is_new_is(own: Any, compat: Compat) -> None:
    before = own("bad")
    assert before.ret == 1

    same = own("bad", "--llm-baseline=last")
    assert same.ret == 0
    assert f"known since {before.folder.name}" in same.output
    assert f"only what {before.folder.name} did not fail already" in same.output
    assert "1 passed, 1 known" in same.output and "failed" not in same.output.splitlines()[-1]

    worse = own("bad worse", f"--llm-baseline={before.folder.name[:-2]}")
    assert worse.ret == 1
    assert "1 failed" in worse.output and "1 known" in worse.output

    fixed = own("", f"--llm-baseline={before.folder}")
    assert fixed.ret == 0 and "known since" not in fixed.output


def test_verdicts_stay_honest_and_every_record_says_why(own: Any, compat: Compat) -> None:
    before = own("bad")
    result = own("bad", "--llm-baseline=sim@last")

    assert [p.verdict for p in result.run.profiles] == [p.verdict for p in before.run.profiles]
    known = f"known since {before.folder.name}"
    assert {c.id: (c.outcome, c.known) for c in result.run.profiles[0].checks} == {
        "test_own::test_bad": ("failed", known),
        "test_own::test_worse": ("passed", ""),
    }
    about = json.loads((result.folder / "run.json").read_text())
    assert about["baseline"] == before.folder.name
    cases = {name: (told, tags) for name, told, tags in testcases(compat.path / "junit.xml")}
    assert cases["test_bad[sim]"][0]["ohllm.known"] == known
    assert cases["test_bad[sim]"][1] == ["failure"], "it fails, known or not"
    assert "ohllm.known" not in cases["test_worse[sim]"][0]


def test_a_waiver_holds_until_its_day_and_then_fails_clearly(own: Any, compat: Compat) -> None:
    held = own("bad", waivers(compat.path, "*::test_bad", TOMORROW))
    assert held.ret == 0
    assert f"waived until {TOMORROW}: *::test_bad of sim: ticket 7" in held.output

    expired = own("bad", waivers(compat.path, "*::test_bad", YESTERDAY))
    assert expired.ret == 1 and "1 failed" in expired.output
    assert f"EXPIRED on {YESTERDAY}, which fails the run" in expired.output

    needless = own("", waivers(compat.path, "*::test_bad", YESTERDAY))
    assert needless.ret == 1, "it passes, and the waiver must go"
    assert f"EXPIRED on {YESTERDAY}" in needless.output

    unused = own("", waivers(compat.path, "*::test_bad", TOMORROW))
    assert unused.ret == 0 and "not needed: the waiver" in unused.output
    quiet = own("bad", waivers(compat.path, "*::test_bad", YESTERDAY), "-q")
    assert f"EXPIRED on {YESTERDAY}" in quiet.output


def test_a_waiver_does_not_excuse_another_check(own: Any, compat: Compat) -> None:
    result = own("bad worse", waivers(compat.path, "*::test_bad", TOMORROW))

    assert result.ret == 1 and "1 failed" in result.output


def test_tests_that_are_not_about_a_model_still_decide(own: Any, compat: Compat) -> None:
    own("bad")
    (compat.path / "test_other.py").write_text("def test_other(): assert False")

    result = own("bad", "--llm-baseline=last", "test_other.py")

    assert result.ret == 1 and "1 failed" in result.output


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--llm-baseline=last", "there is no last run in "),
        ("--llm-baseline=nowhere/run", "there is no run folder 'nowhere/run'"),
        ("--llm-waivers=nope.toml", "nope.toml cannot be read: No such file"),
        ("--llm-waivers=bad.toml", "needs a last day, such as expires = 2027-01-31"),
    ],
)
def test_a_mistake_refuses_the_run_before_it_begins(
    make_project: MakeProject, option: str, message: str
) -> None:
    project = make_project("mistake")
    project.write("bad.toml", '[[waiver]]\nprofile = "a"\ncheck = "b"\nreason = "c"')

    assert message in refusal(project.run("--llm-profile=sim", option))


def test_a_run_that_goes_on_is_no_baseline(own: Any, compat: Compat) -> None:
    before = own("bad")
    (before.folder / "end.json").unlink()
    hold = Hold(before.folder)

    result = own("bad", "--llm-baseline=last")

    hold.release()
    assert result.ret == 4 and "names a run that is still going on" in result.output


@pytest.mark.slow
def test_it_holds_with_workers_and_behind_a_closed_gate(compat: Compat) -> None:
    options = ("--llm-profile=sim:parrot", "--llm-profile=sim", "--llm-probes=0")
    before = compat(*options)
    assert before.ret == 1

    same = compat.subprocess(*options, "-n2", "--llm-baseline=last", timeout=200)

    assert same.ret == 0, same.output
    assert "2 known, 2 not run" in same.output.splitlines()[-1]
    parrot, sim = same.run.profiles
    assert (parrot.verdict, sim.verdict) == ("DOES NOT WORK", "WORKS")
    assert sum(bool(check.known) for check in parrot.checks) == 4
