"""Gaps of old releases are what they are said to be: red, green with the fix, red without it.

The gaps of a release share a repository and its runs, each of which costs the import of the SDK.
They are played with OHLLM_WHOLE_SUITE only: test_pipeline.py plays one of them in every run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_ohllm.model import Confidence, Outcome, ProfileReport, Run
from tests.autofix.gaps import GAPS, Gap, endpoints, environment_of, play
from tests.autofix.releases import git, repository

WHOLE = bool(os.environ.get("OHLLM_WHOLE_SUITE"))
PLAYED = GAPS

pytestmark = pytest.mark.skipif(not WHOLE, reason="takes minutes; a part of test_pipeline.py")


@dataclass(frozen=True)
class Played:
    """A release as it is, with wrong edits, and with the right ones."""

    gaps: tuple[Gap, ...]
    checkout: Path
    before: Run
    wrong: Run
    fixed: Run


@pytest.fixture(scope="module", params=sorted({gap.release for gap in PLAYED}))
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("gaps")
    gaps = tuple(gap for gap in PLAYED if gap.release == request.param)
    checkout = repository(request.param, folder / "sdk")
    with endpoints(gaps, folder / "profiles") as environment:

        def run(name: str) -> Run:
            return play(gaps, checkout, environment, folder / name)

        before = run("before")
        for gap in gaps:
            gap.wrong_edit.make(checkout)
        wrong = run("wrong")
        git(checkout, "reset", "--quiet", "--hard")
        for gap in gaps:
            for edit in gap.edits:
                edit.make(checkout)
        yield Played(gaps, checkout, before, wrong, run("fixed"))


def _profile(run: Run, gap: Gap) -> ProfileReport:
    (profile,) = [one for one in run.profiles if one.name == gap.name]
    return profile


def _offered(profile: ProfileReport) -> list[str]:
    """The checks for whose failure a fix of the SDK is offered."""
    return [
        check.id.rpartition("::")[2]
        for check in profile.checks
        if check.diagnosis is not None
        and (check.diagnosis.kind, check.diagnosis.autofix) == ("sdk_gap", "offered")
        and check.diagnosis.confidence is Confidence.EXPERIMENT
    ]


def test_the_release_has_the_gap_and_a_fix_is_offered(played: Played) -> None:
    for gap in played.gaps:
        profile = _profile(played.before, gap)
        assert (profile.verdict, _offered(profile)) == (gap.verdict, [gap.check])
        assert (profile.remedy.settings if profile.remedy else {}) == gap.remedy


def test_what_a_later_release_does_fills_it(played: Played) -> None:
    for gap in played.gaps:
        profile = _profile(played.fixed, gap)
        assert (profile.verdict, profile.remedy, _offered(profile)) == ("WORKS", None, [])
        assert {check.outcome for check in profile.checks} == {Outcome.PASSED}


def test_an_edit_beside_the_point_changes_nothing(played: Played) -> None:
    for gap in played.gaps:
        profile = _profile(played.wrong, gap)
        assert (profile.verdict, _offered(profile)) == (gap.verdict, [gap.check])


def test_the_run_knows_the_checkout_and_not_the_installed_version(played: Played) -> None:
    for run, dirty in ((played.before, False), (played.wrong, True), (played.fixed, True)):
        assert run.sdk.version == played.gaps[0].release
        assert run.sdk.git_sha == git(played.checkout, "rev-parse", "HEAD")
        assert run.sdk.dirty is dirty


@pytest.mark.skipif(not WHOLE, reason="validation of a fix runs them, too")
def test_the_tests_of_the_sdk_pass_with_the_fix(played: Played) -> None:
    files = {file for gap in played.gaps for file in gap.tests}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sorted(files)],
        cwd=played.checkout,
        env=environment_of(played.checkout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
