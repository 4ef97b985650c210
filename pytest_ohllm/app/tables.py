"""Tables for people. Programs get JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_ohllm.report.safe_text import block

_PIPED_WIDTH = 200  # rich would take 80 where there is no terminal, and fold every address


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Collection[str] = ()
) -> None:
    """Print ``rows`` under ``titles`` to stdout. Cells are taken as they are, never as markup.

    Cells under the titles in ``whole`` are never folded: they are there to be copied.
    """
    fits_terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    table = Table(show_edge=False, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in whole)
    for row in rows:
        # Names of files and what stands in them may hold escape sequences.
        table.add_row(*(Text(block(cell)) for cell in row))
    Console(width=None if fits_terminal else _PIPED_WIDTH).print(table)
