"""Pages of docs/ that are made from the code: ``python -m tests.docs_reference`` writes them."""

from __future__ import annotations

from pathlib import Path

from tests.docs_reference import commands, options, providers, run_json

DOCS = Path(__file__).parents[2] / "docs"


def pages() -> dict[Path, str]:
    """All generated pages: where they belong, and their text."""
    made = {
        "reference/options.md": options.page(),
        "reference/commands.md": commands.page(),
        "reference/run-json.md": run_json.page(),
        **{f"providers/{name}": text for name, text in providers.pages().items()},
    }
    return {DOCS / name: text for name, text in made.items()}
