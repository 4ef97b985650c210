"""The generated pages are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_ohllm.profiles.presets import presets
from tests import docs_reference
from tests.docs_reference import options, providers

ROOT = Path(__file__).parents[1]
PAGES = docs_reference.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    written = path.read_text(encoding="utf-8") if path.is_file() else ""

    assert written == PAGES[path], "run python -m tests.docs_reference, and look at what it changed"


def test_no_page_is_left_of_a_provider_that_is_no_more() -> None:
    assert set((docs_reference.DOCS / "providers").glob("*.md")) <= set(PAGES)


def test_every_variable_that_users_may_set_is_explained() -> None:
    inner = {"OHLLM_RELAY_KEY", "OHLLM_RELAY_URL", "OHLLM_EXPECT_SDK_ROOT", "OHLLM_PROCESS_MARK"}
    inner |= {"OHLLM_SIM_KEY"}
    code = "".join(
        file.read_text(encoding="utf-8")
        for package in ("pytest_ohllm", "compat_suite")
        for file in (ROOT / package).rglob("*.py")
    )

    assert set(re.findall(r"\bOHLLM_[A-Z_]+\b", code)) - inner <= set(options.VARIABLES)


def test_every_provider_has_words_by_which_its_behaviour_is_found() -> None:
    assert set(providers.WORDS) == set(presets())
    assert {name for name in presets() if not providers.quirks(name)} <= {
        "lm-studio",
        "xai",
        "moonshot",
        "minimax",
        "fireworks",
        "together",
    }
