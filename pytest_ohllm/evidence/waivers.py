"""The waivers file: failures that a team accepts, each with a reason and a last day.

::

    [[waiver]]
    profile = "vllm-*"
    check = "*::test_the_tool_is_called"
    reason = "the server has no tool parser yet: ticket 123"
    expires = 2027-01-31
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.model import Waiver

_FIELDS = ("profile", "check", "reason", "expires")
_LARGEST = 1024 * 1024


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers in ``path``, in its order. Raises ``RunError`` that says what is wrong where."""
    found = _parsed(path)
    if unknown := sorted(set(found) - {"waiver"}):
        raise RunError(f"{path}: {unknown[0]!r} is unknown: each waiver is a table [[waiver]]")
    tables = found.get("waiver", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RunError(f"{path}: write [[waiver]] in two brackets: there can be several")
    return tuple(_waiver(path, number, table) for number, table in enumerate(tables, 1))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise RunError(f"{path} is larger than {_LARGEST // 1024} KiB: this is no waivers file")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"the waivers file {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are
        raise RunError(f"{path} is not TOML: {error}") from error


def _waiver(path: Path, number: int, table: Mapping[str, Any]) -> Waiver:
    where = f"{path}: waiver {number}"
    for name in table:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise RunError(f"{where} has an unknown field {name!r}{meant}")
    for name in _FIELDS[:3]:
        if not isinstance(table.get(name), str) or not table[name].strip():
            raise RunError(f"{where} needs a {name}, a text that is not empty")
    expires = table.get("expires")
    if isinstance(expires, datetime) or not isinstance(expires, date):
        raise RunError(f"{where} needs a last day, such as expires = 2027-01-31, without quotes")
    return Waiver(
        profile=table["profile"],
        check=table["check"],
        reason=" ".join(table["reason"].split()),
        expires=expires.isoformat(),
    )
