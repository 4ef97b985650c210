"""What docs/troubleshooting.md says of errors is what the program says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from pytest_ohllm.diagnosis.explanation import explain
from pytest_ohllm.diagnosis.symptoms import Pasted

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "`" in line.split("|")[1]
]
ENDPOINTS = [row for row in ROWS if len(row) == 4]
OURS = [row for row in ROWS if len(row) == 3]


@cache
def texts() -> str:
    """All texts of the package, those that are put together of several pieces as well."""
    found = []
    for file in (ROOT / "pytest_ohllm").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row[0][1:40])
def test_an_error_text_has_the_kind_that_the_page_says(row: list[str]) -> None:
    text, status, kind, _ = row
    pasted = Pasted(message=text.strip("`"), http_status=int(status) if status else None)

    found = explain(pasted)

    assert kind == f"[{found.kind.value}](diagnosis/{found.kind.value}.md)", found.summary


@pytest.mark.parametrize("row", OURS, ids=lambda row: row[0][1:40])
def test_a_message_of_ours_is_still_ours(row: list[str]) -> None:
    assert [part for part in re.findall(r"`([^`]+)`", row[0]) if part not in texts()] == []


def test_the_page_is_read() -> None:
    assert len(ENDPOINTS) > 25
    assert len(OURS) > 12
