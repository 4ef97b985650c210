"""Run folders whose redactor knows one secret, and results to put into them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import CheckResult, Outcome, Profile, Stage, Usage

SECRET = "canary-7f3a-9b2e-5d41"
NOW = datetime(2026, 11, 21, 7, 49, 5, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, None, NOW, Redactor({"api_key": SECRET}))


@pytest.fixture
def begun(folder: RunFolder) -> RunFolder:
    """A run folder whose session tests the profile ``gpt``."""
    settings = {"model": "openai/gpt", "base_url": "http://localhost/v1"}
    folder.begin(NOW, [Profile(name="gpt", settings=settings)], host={"python": "3.12"})
    return folder


@pytest.fixture
def result() -> Callable[..., CheckResult]:
    """Makes a passed result of a check of ``gpt``, with whatever else is given."""

    def make(stage: str = "A", name: str = "hello", **fields: Any) -> CheckResult:
        given: dict[str, Any] = {
            "id": f"suite.test_{stage.lower()}::test_{name}",
            "node": f"suite/test_{stage.lower()}.py::test_{name}[gpt]",
            "profile": "gpt",
            "stage": Stage(stage),
            "outcome": Outcome.PASSED,
            "seconds": 1.5,
            "usage": Usage(llm_calls=1, prompt_tokens=10, completion_tokens=5, cost=0.25),
        }
        return CheckResult(**(given | fields))

    return make


@pytest.fixture
def leave(begun: RunFolder) -> Callable[[CheckResult], None]:
    """Puts a result into the run folder, started and finished."""

    def write(result: CheckResult, attempt: int = 1) -> None:
        check = begun.check_folder(result.profile, result.stage, result.id, attempt)
        check.start({"node": result.node})
        check.finish(result)

    return write
