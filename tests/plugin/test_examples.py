"""The examples run as their texts say."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import Compat

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_own_tests_pass_against_the_embedded_provider(compat: Compat) -> None:
    shutil.copytree(EXAMPLES / "own_tests", compat.path / "own_tests")

    result = compat("own_tests", "--llm-profile=sim")

    assert result.ret == 0, result.output
    stages = {check.id.rpartition("::")[2]: check.stage for check in result.run.profiles[0].checks}
    assert stages == {
        "test_it_greets": "A",
        "test_it_counts_files": "D",
        "test_the_sdk_can_be_driven_directly": "D",
    }
    assert all(check.llm_calls for check in result.run.profiles[0].checks)


def test_an_own_diagnosis_is_used(compat: Compat) -> None:
    shutil.copytree(EXAMPLES / "own_diagnosis", compat.path / "own_diagnosis")

    result = compat("own_diagnosis", "--llm-profile=sim:down")

    diagnosis = result.check("test_the_gateway_answers").diagnosis
    assert diagnosis is not None
    assert diagnosis.summary == "our gateway is overloaded, as every night"
    assert result.ret == 10, "an outage is inconclusive"
