"""When a change counts as proved: what each line of the table says, without running any of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.autofix import proofs, sdk_tests
from pytest_ohllm.autofix.proofs import HEALTHY, Proof, State
from pytest_ohllm.autofix.sandbox import Finished, Sandbox
from pytest_ohllm.autofix.sdk_tests import Ran
from pytest_ohllm.autofix.validation import Validated, Validation
from tests.unit.autofix.records import failure, profile

BASE = Sandbox(Path("/base"), Path("/git"), Path("/scratch"))
CHANGED = Sandbox(Path("/changed"), Path("/git"), Path("/scratch"))
REPRO, CHECKS = Proof("repro", ("repro.py",)), Proof("the failed checks", ("pytest",))
GOOD = {
    ("repro", BASE): "red",
    ("repro", CHANGED): "green",
    ("the failed checks", BASE): "red",
    ("the failed checks", CHANGED): "green",
    ("the suite on healthy models", CHANGED): "green",
}
PASSED = Ran(10, frozenset({"a::old"}), 1, 1.0)


def validated(
    monkeypatch: pytest.MonkeyPatch,
    words: dict[Any, str],
    *,
    shown: tuple[Proof, ...] = (REPRO, CHECKS),
    before: Ran = PASSED,
    after: Ran = PASSED,
    files: tuple[str, ...] = ("tests/test_x.py",),
) -> Validated:
    def play(proof: Proof, sandbox: Sandbox, name: str) -> State:
        return State(words[proof.step, sandbox], 1.0, f"output of {proof.step}")

    monkeypatch.setattr(Proof, "play", play)
    monkeypatch.setattr(sdk_tests, "choose", lambda *_: list(files))
    monkeypatch.setattr(sdk_tests, "run", lambda *_: after)
    monkeypatch.setattr(sdk_tests, "baseline", lambda *_: before)
    validation = Validation(shown, BASE, "c" * 40, lambda _: None)
    validation.red()
    return validation.of(CHANGED, ["x.py"])


def failed(result: Validated) -> list[str]:
    return [row.step for row in result.rows if not row.passed]


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    result = validated(monkeypatch, GOOD)

    assert result.passed
    assert result.output == ""
    assert [(row.step, row.before, row.after) for row in result.rows] == [
        ("repro", "red", "green"),
        ("the failed checks", "red", "green"),
        ("the suite on healthy models", "green", "green"),
        ("tests of the SDK: tests/test_x.py", "10 tests, 1 failed", "10 tests, 1 failed"),
        ("repro, with the change taken back", "red", "red"),
    ]


@pytest.mark.parametrize("step", ["repro", "the failed checks", "the suite on healthy models"])
@pytest.mark.parametrize("word", ["red", "unclear", "no end", "wrong SDK"])
def test_a_step_that_is_not_green(monkeypatch: pytest.MonkeyPatch, step: str, word: str) -> None:
    result = validated(monkeypatch, GOOD | {(step, CHANGED): word})

    assert not result.passed
    assert failed(result) == [step]
    assert f"output of {step}" in result.output


def test_what_could_not_be_seen_before_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    result = validated(monkeypatch, GOOD | {("the failed checks", BASE): "unclear"})

    assert result.passed
    assert "the failed checks" not in [row.step for row in result.rows]


def test_red_again_without_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    words = GOOD | {("repro", BASE): "red"}
    seen = iter(["red", "green"])

    def play(proof: Proof, sandbox: Sandbox, name: str) -> State:
        first = (proof.step, sandbox) == ("repro", BASE)
        return State(next(seen) if first else words[proof.step, sandbox], 1.0, "")

    monkeypatch.setattr(sdk_tests, "choose", lambda *_: [])
    monkeypatch.setattr(sdk_tests, "run", lambda *_: PASSED)
    monkeypatch.setattr(sdk_tests, "baseline", lambda *_: PASSED)
    monkeypatch.setattr(Proof, "play", play)
    validation = Validation((REPRO, CHECKS), BASE, "c" * 40, lambda _: None)
    validation.red()

    assert failed(validation.of(CHANGED, [])) == ["repro, with the change taken back"]


def test_proofs_with_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failed checks of two profiles; only those of the second one can be seen."""
    words = GOOD | {
        ("the failed checks", BASE): "unclear",
        ("the failed checks (2)", BASE): "red",
        ("the failed checks (2)", CHANGED): "red",
    }

    result = validated(monkeypatch, words, shown=(REPRO, CHECKS, CHECKS))

    assert failed(result) == ["the failed checks (2)"]


class TestTheTestsOfTheSdk:
    @pytest.mark.parametrize(
        "after",
        [
            pytest.param(Ran(10, frozenset({"a::old", "a::new"}), 1, 1.0), id="a new failure"),
            pytest.param(Ran(10, frozenset(), 2, 1.0), id="not collected"),
            pytest.param(Ran(0, frozenset(), -1, 1.0), id="no report"),
            pytest.param(Ran(9, frozenset({"a::old"}), 1, 1.0), id="a test less"),
            pytest.param(Ran(0, frozenset(), 0, 1.0), id="no tests any more"),
        ],
    )
    def test_they_got_worse(self, monkeypatch: pytest.MonkeyPatch, after: Ran) -> None:
        result = validated(monkeypatch, GOOD, after=after)

        assert failed(result) == ["tests of the SDK: tests/test_x.py"]

    @pytest.mark.parametrize(
        "after",
        [
            pytest.param(Ran(10, frozenset(), 0, 1.0), id="an old failure less"),
            pytest.param(Ran(12, frozenset({"a::old"}), 1, 1.0), id="more tests"),
        ],
    )
    def test_they_got_no_worse(self, monkeypatch: pytest.MonkeyPatch, after: Ran) -> None:
        assert validated(monkeypatch, GOOD, after=after).passed

    def test_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        result = validated(monkeypatch, GOOD, files=())

        assert result.passed
        assert "none is about what was changed" in [row.after for row in result.rows]


class TestTheCommands:
    def test_checks_with_the_same_options_are_one_command(self) -> None:
        (proof,) = proofs.checks([failure("test_a"), failure("test_b"), failure("test_a")])

        assert proof.arguments[-4:] == (
            "--llm-profile=gpt",
            "--pyargs",
            "compat_suite.test_b::test_a",
            "compat_suite.test_b::test_b",
        )
        assert "--llm-probes=0" in proof.arguments, "no setting may help them"
        assert proof.own_folder

    def test_checks_with_other_options_are_another_one(self) -> None:
        other = failure("test_b", of=profile("mini"))

        assert len(proofs.checks([failure(), other])) == 2

    def test_a_name_with_spaces_and_quotes(self) -> None:
        (proof,) = proofs.checks([failure(rerun="pytest --llm-profile=x --pyargs 'a::b[c d]'")])

        assert proof.arguments[-1] == "a::b[c d]"

    @pytest.mark.parametrize("rerun", ["", "pytest", "pytest 'unfinished"])
    def test_a_check_that_nobody_knows_how_to_run(self, rerun: str) -> None:
        assert proofs.checks([failure(rerun=rerun)]) == []

    def test_healthy_models_of_every_kind_of_protocol(self) -> None:
        arguments = proofs.healthy().arguments

        assert [f"--llm-profile={name}" for name in HEALTHY] == list(arguments[-4:-1])

    @pytest.mark.parametrize(
        ("code", "timed_out", "word"),
        [
            (0, False, "green"),
            (1, False, "red"),
            (3, False, "unclear"),
            (10, False, "unclear"),
            (97, False, "wrong SDK"),
            (0, True, "no end"),
            (-9, True, "no end"),
        ],
    )
    def test_what_an_exit_code_means(self, code: int, timed_out: bool, word: str) -> None:
        assert proofs._word(Finished(code, "", timed_out, 1.0)) == word
