"""A run costs what was planned."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from typing import Any

import pytest

from pytest_ohllm import gates, plan
from tests.conftest import Compat

GATES = "all,-server,-resume"  # a package that is not always there, and a process that takes long


def _judge(check: str, stage: str) -> tuple[str, str | None]:
    """The stage of a check, and the gate that it is marked with."""
    module, _, test = check.partition("::")
    function = getattr(importlib.import_module(module), test.partition("[")[0])
    marks = getattr(function, "pytestmark", [])
    return stage, next((mark.args[0] for mark in marks if mark.name == "llm_gate"), None)


def test_the_suite_asks_as_often_and_as_much_as_planned(compat: Compat) -> None:
    result = compat("--llm-profile=sim:openai", f"--llm-gates={GATES}")
    assert result.ret == 0, result.output

    calls: Counter[tuple[str, str | None]] = Counter()
    tokens: Counter[tuple[str, str | None]] = Counter()
    for file in result.files("profiles/*/*/*/result.json"):
        check: dict[str, Any] = json.loads(file.read_text())
        judge = _judge(check["id"], check["stage"])
        calls[judge] += check["usage"]["llm_calls"]
        tokens[judge] += check["usage"]["prompt_tokens"] or 0

    planned = plan.plan(gates.STAGES, gates.parse_gates(GATES, "--llm-gates").selected)
    for part in planned.parts:
        judges = [(part.stage, gate) for gate in part.gates or (None,)]
        assert all(judge in calls for judge in judges), (part, calls)
        assert sum(calls.pop(judge) for judge in judges) == part.calls, part
        # The SDK counts the tokens of a fallback twice.
        about = pytest.approx(part.prompt_tokens, rel=0.2, abs=20)
        assert sum(tokens[judge] for judge in judges) == about, part
    assert not calls, "checks that are in no plan"
