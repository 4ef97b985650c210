"""A stage that failed closes the later ones of its profile.

The gate is a file: it holds across workers of pytest-xdist, and for the one that replaces a crashed
one.
"""

from __future__ import annotations

import pytest

from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.judgement import NotRun
from pytest_ohllm.model import CheckResult, Outcome, Stage
from pytest_ohllm.session.case import CASE

_CLOSING = {Outcome.FAILED, Outcome.FLAKY, Outcome.INCONCLUSIVE}


class Gates:
    """Stops items whose stage is closed, and closes stages."""

    def __init__(self, config: pytest.Config, folder: RunFolder) -> None:
        self._config = config
        self._folder = folder

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        case = item.stash.get(CASE, None)
        if case is None:
            return
        gate = self._folder.gate(case.profile)
        if gate is not None and gate[0] < case.stage:
            raise NotRun(f"stage {gate[0]} failed: {gate[1]}", _use_item_location=True)

    def closed_before(self, profile: str, stage: Stage) -> Stage | None:
        """The failed stage because of which ``stage`` does not run."""
        gate = self._folder.gate(profile)
        return gate[0] if gate is not None and gate[0] < stage else None

    def judge(self, result: CheckResult) -> None:
        """Close the gate behind a stage in which a check did not pass."""
        if result.outcome not in _CLOSING:
            return
        reason = result.diagnosis.summary if result.diagnosis else result.id
        if self._folder.close_gate(result.profile, result.stage, reason):
            self._config.hook.pytest_ohllm_stage_closed(
                profile=result.profile, stage=result.stage, reason=reason
            )
