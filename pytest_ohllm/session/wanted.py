"""Which stages and gates the user asked for; a mistake becomes pytest's own kind of it."""

from __future__ import annotations

import pytest

from pytest_ohllm.gates import WantedGates, parse_gates, parse_stages
from pytest_ohllm.model import Stage


def stages(option: str | None) -> list[Stage]:
    """The stages that ``--llm-stages`` names, in their order; all without it."""
    try:
        return [Stage(letter) for letter in parse_stages(option, "--llm-stages")]
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def gates(option: str) -> WantedGates:
    """The gates that ``--llm-gates`` names: ``auto``, ``all``, ``none``, names, and ``-names``."""
    try:
        return parse_gates(option, "--llm-gates")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
