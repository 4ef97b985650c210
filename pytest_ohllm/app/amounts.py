"""Lengths of time and sizes as people type them."""

from __future__ import annotations

import re

import typer

_TIMES = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SIZES = {"kb": 1000, "mb": 1000**2, "gb": 1000**3}
_AMOUNT = re.compile(r"(\d{1,6})\s*([a-z]+)", re.IGNORECASE)


def seconds(text: str) -> float:
    """``30d`` in seconds."""
    return _amount(text, _TIMES, "a time such as 12h, 30d or 8w")


def size(text: str) -> int:
    """``500MB`` in bytes."""
    return _amount(text, _SIZES, "a size such as 500MB or 2GB")


def size_text(count: int) -> str:
    """Bytes as ``3.4 MB``."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def _amount(text: str, units: dict[str, int], expected: str) -> int:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2].lower() not in units:
        raise typer.BadParameter(f"expected {expected}, got {text!r}")
    return int(found[1]) * units[found[2].lower()]
