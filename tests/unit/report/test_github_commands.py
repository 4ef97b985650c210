"""Workflow commands: one for each root cause, and none by anybody else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from pytest_ohllm.model import Diagnosis, ProfileReport, Run
from pytest_ohllm.report.github_commands import MOST, github_commands, without_commands
from tests.unit.report.hostile import TEXTS

type Make[T] = Callable[..., T]

COMMAND = re.compile(r"::(error|warning|notice) ((?:[^:,=]+=[^:,\r\n]*,?)+)::([^\r\n]*)\Z")


def commands(run: Run, file: str | None = None) -> list[str]:
    return github_commands(run, lambda _: file)


def test_a_failure_is_an_error_and_what_says_nothing_of_the_model_a_warning(
    run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis]
) -> None:
    first, second = commands(
        run(
            profile("bad", "Ax", why=diagnosis("100% wrong, always: yes", next_step="stop")),
            profile("key", "A?"),
            profile("good"),
        ),
        "tests/test_own.py",
    )

    assert first == (
        "::error file=tests/test_own.py,title=bad%3A A connects%3A model limitation%2C "
        "blame%3A model::100%25 wrong, always: yes%0A→ stop"
    )
    assert second.startswith("::warning file=tests/test_own.py,title=key%3A A connects")


def test_without_a_file_in_the_repository_none_is_named(
    run: Make[Run], profile: Make[ProfileReport]
) -> None:
    assert commands(run(profile("bad", "Ax")))[0].startswith("::error title=bad")


def test_there_are_no_more_than_github_shows(run: Make[Run], profile: Make[ProfileReport]) -> None:
    many = [profile(f"p{n}", "Ax") for n in range(3 * MOST)]

    assert len(commands(run(*many, profile("key", "A?")))) == MOST + 1


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS)
def test_a_command_stays_one_whatever_is_said(
    run: Make[Run],
    profile: Make[ProfileReport],
    diagnosis: Make[Diagnosis],
    said: str,
    name: str,
) -> None:
    why = diagnosis(said, next_step=said)

    (command,) = commands(run(profile(name or "x", "Ax", why=why)), said or None)

    parts = COMMAND.match(command)
    assert parts is not None, command
    assert [one.partition("=")[0] for one in parts[2].split(",")][-1] == "title"
    assert not re.search(r"%(?!25|0D|0A|3A|2C)", command)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  ::error::x\n::stop-commands::y", "  : :error::x\n: :stop-commands::y"),
        ("see a::b", "see a::b"),
        ("said ##[error]x", "said ## [error]x"),
    ],
)
def test_text_that_looks_like_a_command_is_none(text: str, shown: str) -> None:
    assert without_commands(text) == shown
