"""Known and waived failures change the exit code and nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pytest_ohllm.evidence import verdict
from pytest_ohllm.evidence.allowances import Allowances, allowances
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.waivers import read_waivers
from pytest_ohllm.model import Run, Waiver
from tests.run_folders import check_id, leave_run

TODAY = date(2026, 11, 21)


def waiver(check: str = "*", profile: str = "gpt", expires: str = "2026-12-31") -> Waiver:
    return Waiver(profile=profile, check=check, reason="ticket 7", expires=expires)


def run_with(tmp_path: Path, picture: str, allowed: Allowances | None) -> Run:
    """A run of ``gpt`` with this picture, as its folder tells it."""
    return read_run(leave_run(tmp_path, {"gpt": picture}, hours=5, allowances=allowed))


def after(tmp_path: Path, before: str, now: str) -> Run:
    """A run whose baseline had the picture ``before``."""
    baseline = read_run(leave_run(tmp_path, {"gpt": before}))
    return run_with(tmp_path, now, allowances(TODAY, baseline, ()))


@pytest.mark.parametrize(
    ("before", "now", "code"),
    [
        ("A+ B+ Cx D-", "A+ B+ Cx D-", 0),
        ("A+ B+ Cx D-", "A+ B+ Cg D-", 0),  # told as having another reason
        ("A+ B+ Cx D-", "A+ B+ C+ D+", 0),
        ("A+ B+ Cx D-", "A+ B+ C? D-", 0),
        ("A+ B+ Cx+ D-", "A+ B+ C+x D-", 1),
        ("A+ B+ C+ D+", "A+ B+ C+ Dx", 1),
        ("A+ B+ C+ D+", "A+ B+ C+ D~", 1),
        ("A? B- C-", "A? B- C-", 0),
        ("A? B- C-", "Ax B- C-", 1),  # what was not known to fail, fails now
        ("A+ B+ C-", "A+ B+ C?", 10),
        ("A+ B+ C+", "A? B- C-", 10),
        ("A+ B+ C+", "Ax B- C-", 1),
        ("A+ B+ Cx", "Ax B- C-", 1),
        ("Du", "Du", 0),
        ("A+ B+ Cu", "A+ B+ Cu", 0),
        ("A+ B+ Cx", "A+ B+ Cu", 0),
    ],
)
def test_only_what_is_new_decides_the_exit_code(
    tmp_path: Path, before: str, now: str, code: int
) -> None:
    run = after(tmp_path, before, now)

    assert verdict.exit_code(run) == code
    honest = run_with(tmp_path, now, None)
    assert [p.verdict for p in run.profiles] == [p.verdict for p in honest.profiles]
    outcomes = [[c.outcome for c in p.checks] for p in run.profiles]
    assert outcomes == [[c.outcome for c in p.checks] for p in honest.profiles]


def test_a_known_failure_says_since_when_and_whether_its_reason_is_another(tmp_path: Path) -> None:
    run = after(tmp_path, "A+ Bx Cx", "A+ Bx Cg")

    told = {check.id: check.known for check in run.profiles[0].checks}
    assert told == {
        check_id("A", 1): "",
        check_id("B", 1): f"known since {run.baseline}",
        check_id("C", 1): f"known since {run.baseline}, then as model limitation",
    }


def test_a_profile_that_the_baseline_does_not_have_has_nothing_known(tmp_path: Path) -> None:
    baseline = read_run(leave_run(tmp_path, {"other": "Ax"}))

    run = run_with(tmp_path, "Ax", allowances(TODAY, baseline, ()))

    assert verdict.exit_code(run) == 1


@pytest.mark.parametrize(
    ("picture", "one", "code", "state"),
    [
        ("A+ B+ Cx D-", waiver("*test_c::test_1"), 0, "used"),  # what is behind it counts neither
        ("A+ B+ Cx D-", waiver("*test_c*", profile="g*"), 0, "used"),
        ("A+ B+ Cx D-", waiver("*test_b*"), 1, "unused"),
        ("A+ B+ Cxx D-", waiver("*::test_1"), 1, "used"),
        ("A+ B+ C+ D+", waiver("*test_c*"), 0, "unused"),
        ("A? B- C-", waiver("*test_a*"), 0, "used"),
        ("A+ B+ Cx D-", waiver("*test_c*", expires="2026-11-21"), 0, "used"),  # the last day
        ("A+ B+ Cx D-", waiver("*test_c*", expires="2026-11-20"), 1, "expired"),
        ("A+ B+ C+ D+", waiver("*test_c*", expires="2026-11-20"), 1, "expired"),
        ("A+ B+ C+ D+", waiver("*test_x*", expires="2026-11-20"), 0, "unused"),
    ],
)
def test_a_waiver_holds_until_its_last_day(
    tmp_path: Path, picture: str, one: Waiver, code: int, state: str
) -> None:
    run = run_with(tmp_path, picture, allowances(TODAY, None, [one]))

    assert verdict.exit_code(run) == code
    assert [(found.state, found.reason) for found in run.waivers] == [(state, "ticket 7")]


def test_waivers_for_other_profiles_are_nobodys_business_here(tmp_path: Path) -> None:
    others = waiver(profile="vllm-*", expires="2020-01-01")

    run = run_with(tmp_path, "A+ B+ C+", allowances(TODAY, None, [others]))

    assert (run.waivers, verdict.exit_code(run)) == ((), 0)


def test_what_is_waived_says_why_and_until_when(tmp_path: Path) -> None:
    run = run_with(tmp_path, "A+ Bx C-", allowances(TODAY, None, [waiver("*test_b*")]))

    assert [check.known for check in run.profiles[0].checks] == [
        "",
        "waived until 2026-12-31: ticket 7",
        "behind stage B, whose failure is known or waived",
    ]


def test_a_run_says_the_same_whenever_it_is_read(tmp_path: Path) -> None:
    path = leave_run(tmp_path, {"gpt": "Ax"}, allowances=allowances(TODAY, None, [waiver()]))

    assert (
        read_run(path)
        == read_run(path)
        == Run.model_validate_json((path / "run.json").read_bytes())
    )


def test_damaged_allowances_allow_nothing(tmp_path: Path) -> None:
    path = leave_run(tmp_path, {"gpt": "Ax"}, allowances=allowances(TODAY, None, [waiver()]))
    (path / "allowances.json").write_text('{"today": 3}')

    assert verdict.exit_code(read_run(path)) == 1


GOOD = """
[[waiver]]
profile = "vllm-*"
check = "*::test_1"
reason = "no tool parser:\\n ticket 7"
expires = 2027-01-31
"""


def test_a_waivers_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(GOOD + GOOD.replace("vllm-*", "gpt"))

    first, second = read_waivers(path)

    assert (first.profile, second.profile) == ("vllm-*", "gpt")
    assert first.reason == "no tool parser: ticket 7"
    assert first.expires == "2027-01-31"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("reason", "resaon"),
            r"waiver 1 has an unknown field 'resaon' \(did you mean",
        ),
        (GOOD.replace('reason = "no tool parser:\\n ticket 7"', ""), "needs a reason, a text"),
        (GOOD.replace('"vllm-*"', '" "'), "needs a profile, a text that is not empty"),
        (GOOD.replace('"*::test_1"', "3"), "needs a check, a text"),
        (GOOD.replace("2027-01-31", '"2027-01-31"'), "needs a last day, such as .*without quotes"),
        (GOOD.replace("2027-01-31", "2027-01-31T10:00:00"), "needs a last day"),
        (GOOD.replace("expires = 2027-01-31", ""), "needs a last day"),
        (GOOD + GOOD.replace("expires", "expiry"), "waiver 2 has an unknown field 'expiry'"),
        (GOOD.replace("[[waiver]]", "[waiver]"), r"write \[\[waiver\]\] in two brackets"),
        (GOOD.replace("[[waiver]]", "[[waivers]]"), r"'waivers' is unknown"),
        ("waiver = 3", r"write \[\[waiver\]\]"),
        ("[[waiver", "is not TOML: Expected"),
        ("x" * 2_000_000, "larger than 1024 KiB"),
        ("\udce9", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_waivers_file_is_told_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(text, errors="surrogateescape")

    with pytest.raises(RunError, match=message):
        read_waivers(path)


def test_a_missing_waivers_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the waivers file .*nope.toml cannot be read: No such"):
        read_waivers(tmp_path / "nope.toml")


def test_an_empty_waivers_file_waives_nothing(tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").touch()

    assert read_waivers(tmp_path / "waivers.toml") == ()
