"""Personalities get the verdict, stage, gate and diagnosis that are declared beside them.

Stages A to C, and the one gate of stage D that a personality is about, for one personality of each
sort; those that settings help are in test_found_settings. The whole pack against all of them,
healthy ones included, is the nox session ``suite``, which writes docs/self-proof.md.
"""

from __future__ import annotations

import pytest

from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities import Row
from tests.conftest import Compat
from tests.suite.proof import KNOWN_GAPS, NOBODY_CAN_PATCH, Judgement, Line

EXIT = {"WORKS": 0, "WORKS WITH SETTINGS": 0, "DOES NOT WORK": 1, "INCONCLUSIVE": 10}
ROWS = personalities.table()
SLOW_GATES = ("resume", "server")
"""Gates that start processes: the nox session plays them."""


def _about(row: Row) -> list[str]:
    gate = row.gate if row.stage == "D" else None
    return [f"--llm-gates={gate or 'none'}"]


def _one_of_each_sort() -> list[Row]:
    wrong = [row for row in ROWS if row.stage and row.verdict != "WORKS WITH SETTINGS"]
    quick = [row for row in wrong if row.gate not in SLOW_GATES and row.name not in KNOWN_GAPS]
    return list({(row.protocol, row.stage, row.gate, row.kind): row for row in quick}.values())


@pytest.mark.parametrize(
    "row",
    _one_of_each_sort(),
    ids=lambda row: row.name,
)
def test_a_personality_gets_what_is_declared_beside_it(compat: Compat, row: Row) -> None:
    result = compat(f"--llm-profile=sim:{row.name}", "--llm-timeout=5", *_about(row))

    (profile,) = result.run.profiles
    found = Judgement.of(profile)
    line = Line(row, found)
    assert line.same_stage, (found, result.output)
    assert line.same_kind, (found, result.output)
    if row.stage != "D":
        assert result.ret == EXIT[row.verdict], result.output
    for check in profile.checks:
        if check.diagnosis is not None:
            assert check.diagnosis.summary
            assert "\n" not in check.diagnosis.summary + check.diagnosis.next_step
            if row.kind in NOBODY_CAN_PATCH:
                assert check.diagnosis.autofix != "offered"
