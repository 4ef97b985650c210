"""Runs made from pictures such as ``A++ B+ Cx``: a stage and an outcome for each of its checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_ohllm.evidence.verdict import verdict
from pytest_ohllm.model import (
    Blame,
    CheckSummary,
    Diagnosis,
    Kind,
    Outcome,
    ProfileReport,
    Remedy,
    Revision,
    Run,
    Stage,
    ToolMode,
    Usage,
)

OUTCOMES = {
    "+": Outcome.PASSED,
    "x": Outcome.FAILED,
    "~": Outcome.FLAKY,
    "u": Outcome.UNSUPPORTED,
    "?": Outcome.INCONCLUSIVE,
    "-": Outcome.NOT_RUN,
}


@pytest.fixture(scope="session")
def diagnosis() -> Callable[..., Diagnosis]:
    """Makes a diagnosis with whatever is given."""

    def make(summary: str = "no tool was called", **fields: Any) -> Diagnosis:
        given = {
            "kind": Kind.MODEL_LIMITATION,
            "blame": Blame.MODEL,
            "next_step": "choose another model",
        }
        return Diagnosis(summary=summary, **(given | fields))

    return make


@pytest.fixture(scope="session")
def profile(diagnosis: Callable[..., Diagnosis]) -> Callable[..., ProfileReport]:
    """Makes a profile from a picture; checks that did not pass carry ``why``."""

    def make(
        name: str = "gpt",
        picture: str = "A+ B+ C+",
        *,
        why: Diagnosis | None = None,
        remedy: Remedy | None = None,
        selected: tuple[Stage, ...] = tuple(Stage),
        **fields: Any,
    ) -> ProfileReport:
        checks = tuple(
            CheckSummary(
                id=f"suite.test_{word[0].lower()}::test_{number}",
                stage=Stage(word[0]),
                outcome=OUTCOMES[symbol],
                seconds=1.0,
                llm_calls=1,
                folder=f"profiles/{word[0]}/{number}",
                diagnosis=(why or diagnosis()) if symbol in "x?~" else None,
                reason="stage A failed" if symbol == "-" else None,
            )
            for word in picture.split()
            for number, symbol in enumerate(word[1:], 1)
        )
        answer, reason = verdict(checks, selected=selected, remedy=remedy)
        given: dict[str, Any] = {
            "model": "openai/gpt",
            "base_url": None,
            "tool_mode": ToolMode.NATIVE,
            "usage": Usage(llm_calls=9, prompt_tokens=11_800, completion_tokens=512, cost=0.01234),
            "seconds": 8.23,
        }
        return ProfileReport(
            name=name,
            verdict=answer,
            reason=reason,
            remedy=remedy,
            checks=checks,
            **(given | fields),
        )

    return make


@pytest.fixture(scope="session")
def run() -> Callable[..., Run]:
    """Makes a run of the profiles that are given."""

    def make(*profiles: ProfileReport, **fields: Any) -> Run:
        given: dict[str, Any] = {
            "run_id": "20261121T074905Z-6cb64f",
            "started": "2026-11-21T07:49:05+00:00",
            "seconds": 43.2,
            "sdk": Revision(version="1.28.0", path="/sdk", git_sha="3f2a1c9d8e7f", dirty=True),
            "host": {},
            "packages": {},
            "profiles": profiles,
        }
        return Run(**(given | fields))

    return make
