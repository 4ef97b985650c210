"""Two runs are compared check by check, with as much certainty as there are attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ohllm.evidence.attempts import Rate, read_rates
from pytest_ohllm.evidence.comparison import Change, Comparison, compare_runs, compare_within
from pytest_ohllm.evidence.reader import read_run
from tests.run_folders import check_id, leave_run


def compared(tmp_path: Path, before: object, after: object) -> Comparison:
    """The comparison of two runs of ``gpt`` with these pictures."""
    paths = [
        leave_run(tmp_path, picture if isinstance(picture, dict) else {"gpt": picture}, hours=n)
        for n, picture in enumerate((before, after))
    ]
    runs, rates = [read_run(path) for path in paths], [read_rates(path) for path in paths]
    return compare_runs(*runs, *rates)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("A+", "A+", Change.SAME),
        ("Ax", "Ax", Change.SAME),
        ("A+", "Ax", Change.BROKEN),
        ("A?", "Ax", Change.BROKEN),
        ("A-", "Ax", Change.BROKEN),
        ("A+", "Au", Change.BROKEN),  # what a mandatory stage asks for cannot be missing
        ("Du", "Dx", Change.BROKEN),
        ("Ax", "A+", Change.FIXED),
        ("Ax", "Ag", Change.CAUSE),
        ("A+", "A?", Change.CHANGED),
        ("A+", "A-", Change.CHANGED),
        ("Ax", "A?", Change.CHANGED),
        ("D+", "Du", Change.CHANGED),
    ],
)
def test_what_became_of_a_check(tmp_path: Path, before: str, after: str, change: Change) -> None:
    found = compared(tmp_path, before, after)

    (profile,) = found.profiles
    assert [check.change for check in profile.checks] == [change]
    assert profile.checks[0].chance is None, "one attempt says nothing of chance"
    assert found.broken == (change is Change.BROKEN)


def test_checks_that_only_one_side_has_are_told(tmp_path: Path) -> None:
    (profile,) = compared(tmp_path, "A++ Bx", "A+ B+ C+").profiles

    assert [(check.id, check.change) for check in profile.checks] == [
        (check_id("A", 1), Change.SAME),
        (check_id("A", 2), Change.REMOVED),
        (check_id("B", 1), Change.FIXED),
        (check_id("C", 1), Change.ADDED),
    ]


def test_profiles_that_only_one_side_has_are_told(tmp_path: Path) -> None:
    found = compared(tmp_path, {"a": "A+", "b": "A+"}, {"b": "Ax", "c": "A+"})

    assert (found.only_before, found.only_after) == (("a",), ("c",))
    assert [profile.after.profile for profile in found.profiles] == ["b"]


def test_the_worst_comes_first(tmp_path: Path) -> None:
    (profile,) = compared(tmp_path, "Ax B+ C+x", "A+ B? Cxx").profiles

    assert [check.change for check in profile.changed] == [
        Change.BROKEN,
        Change.CHANGED,
        Change.FIXED,
    ]


def test_repeats_say_how_likely_chance_is(tmp_path: Path) -> None:
    (profile,) = compared(tmp_path, ["C+"] * 5, ["C+"] * 4 + ["Cx"]).profiles
    (check,) = profile.checks

    assert check.before is not None and check.after is not None
    assert (str(check.before.rate), str(check.after.rate)) == ("5/5", "4/5")
    assert (check.change, check.by_chance) == (Change.BROKEN, True)
    assert check.chance == pytest.approx(1.0)


def test_many_repeats_are_hardly_chance(tmp_path: Path) -> None:
    (profile,) = compared(tmp_path, ["C+"] * 6, ["Cx"] * 6).profiles

    assert profile.checks[0].chance == pytest.approx(0.00216, abs=1e-5)
    assert not profile.checks[0].by_chance


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [(9, 2, Change.RARER), (2, 9, Change.OFTENER), (5, 6, Change.SAME)],
)
def test_what_is_flaky_in_both_can_still_have_changed(
    tmp_path: Path, before: int, after: int, change: Change
) -> None:
    pictures = [["C+"] * passed + ["Cx"] * (10 - passed) for passed in (before, after)]

    (profile,) = compared(tmp_path, *pictures).profiles

    assert profile.checks[0].change is change


def test_two_profiles_of_a_run_are_compared(tmp_path: Path) -> None:
    path = leave_run(tmp_path, {"official": "A+ B+ C++++++", "vendor": "A+ B+ Cxxxxxx"})

    found = compare_within(read_run(path), "official", "vendor", read_rates(path))

    (profile,) = found.profiles
    assert (profile.before.profile, profile.after.profile) == ("official", "vendor")
    assert (profile.broken, profile.fixed) == (6, 0)
    assert profile.chance == pytest.approx(0.03125)


def test_what_says_nothing_about_the_model_is_no_attempt(tmp_path: Path) -> None:
    path = leave_run(tmp_path, {"gpt": ["C+x", "C?-", "C++"]})
    first = min(
        file for file in path.glob("profiles/gpt/C/*/result.json") if "test_1" in file.read_text()
    )
    first.write_text("{")

    rates = read_rates(path)

    assert rates["gpt", check_id("C", 2)] == Rate(1, 2)
    assert rates["gpt", check_id("C", 1)] == Rate(1, 1), "the damaged one is left out"
