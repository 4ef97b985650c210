"""What the user asked for; a mistake becomes pytest's own kind of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_ohllm.evidence.allowances import Allowances
from pytest_ohllm.evidence.allowances import allowances as allowed
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.liveness import state
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.run_store import FOLDER, RunStore
from pytest_ohllm.evidence.waivers import read_waivers
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


def allowances(config: pytest.Config) -> Allowances | None:
    """The failures that ``--llm-baseline`` and ``--llm-waivers`` name; ``None`` without them."""
    baseline, waivers = config.option.llm_baseline, config.option.llm_waivers
    if baseline is None and waivers is None:
        return None
    here = config.invocation_params.dir
    try:
        before = None
        if baseline is not None:
            path = RunStore(config.rootpath / FOLDER).find(baseline, here)
            if state(path) == "running":
                raise RunError(f"--llm-baseline={baseline} names a run that is still going on")
            before = read_run(path)
        found = read_waivers(here / waivers) if waivers is not None else ()
    except RunError as error:
        raise pytest.UsageError(str(error)) from None
    return allowed(datetime.now(UTC).date(), before, found)
