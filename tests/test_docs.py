"""The documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_ohllm.gates import GATES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]

    missing = [link for link in relative if not (page.parent / link).exists()]

    assert not missing


def test_every_gate_is_named_where_the_option_is_explained() -> None:
    lines = (ROOT / "docs/usage.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith("| `--llm-gates=")]

    assert all(f"`{gate}`" in row for gate in GATES)
