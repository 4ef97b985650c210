"""Teach pytest-ohllm what an error of your own gateway means, and what else must stay secret."""

from __future__ import annotations

import pytest

from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Diagnosis, Kind


def pytest_ohllm_diagnose(item: pytest.Item, symptoms: Symptoms) -> Diagnosis | None:
    if symptoms.status != 503 or "overloaded" not in symptoms.text:
        return None  # leave it to the built-in rules
    return Diagnosis(
        kind=Kind.PROVIDER_OUTAGE,
        blame=Blame.ENDPOINT,
        summary="our gateway is overloaded, as every night",
        next_step="try again after 06:00 UTC",
    )


def pytest_ohllm_secrets(config: pytest.Config) -> list[str]:
    return ["internal-project-codename"]
