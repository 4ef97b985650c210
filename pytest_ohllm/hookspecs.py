"""What others may change, from a conftest.py or a plugin of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ohllm.diagnosis.symptoms import Symptoms
    from pytest_ohllm.model import Diagnosis, Run, Stage


@pytest.hookspec(firstresult=True)
def pytest_ohllm_diagnose(item: pytest.Item, symptoms: Symptoms) -> Diagnosis | None:
    """Return why ``item`` failed, or ``None`` to leave that to the built-in rules."""


@pytest.hookspec
def pytest_ohllm_secrets(config: pytest.Config) -> Iterable[str]:  # type: ignore[empty-body]
    """Return further values that must not appear in any output."""


@pytest.hookspec
def pytest_ohllm_stage_closed(profile: str, stage: Stage, reason: str) -> None:
    """Hear that ``profile`` failed ``stage``, so that its later stages are not run."""


@pytest.hookspec
def pytest_ohllm_run_finished(run: Run, folder: Path) -> None:
    """Hear of the finished run, once, in the process that the user started."""
