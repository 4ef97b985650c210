"""What the terminal can show, for reports that are made for one."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TypedDict

_PIPED_WIDTH = 100


class Style(TypedDict):
    """How a report is to be rendered."""

    width: int
    color: bool
    ascii: bool


def style() -> Style:
    """For stdout as it is."""
    terminal = sys.stdout.isatty()
    fallback = (_PIPED_WIDTH, 24)
    known = terminal or "COLUMNS" in os.environ
    return {
        "width": shutil.get_terminal_size(fallback).columns if known else _PIPED_WIDTH,
        "color": terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
        "ascii": not str(sys.stdout.encoding or "").lower().startswith("utf"),
    }
