"""Which stages and gates the user asked for."""

from __future__ import annotations

import difflib

import pytest

from pytest_ohllm.gates import GATES
from pytest_ohllm.model import Stage


def stages(option: str | None) -> list[Stage]:
    """The stages that ``--llm-stages`` names, in their order; all without it."""
    if option is None:
        return list(Stage)
    letters = [letter.upper() for letter in _names(option)]
    unknown = [letter for letter in letters if letter not in set(Stage)]
    if unknown or not letters:
        raise pytest.UsageError(
            f"--llm-stages={option}: {', '.join(unknown) or 'nothing'} names no stage; "
            "give some of A, B, C, D, separated by commas"
        )
    return [stage for stage in Stage if stage in letters]


def gates(option: str) -> frozenset[str]:
    """The gates that ``--llm-gates`` names; what ``auto`` leaves out is decided by the checks."""
    names = _names(option)
    if names == ["none"]:
        return frozenset()
    if names in (["auto"], ["all"]):
        return frozenset(GATES)
    unknown = [name for name in names if name not in GATES]
    if unknown or not names:
        near = difflib.get_close_matches(unknown[0], GATES, n=1) if unknown else []
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise pytest.UsageError(
            f"--llm-gates={option}: {', '.join(unknown) or 'nothing'} names no gate{hint}; "
            f"there are {', '.join(GATES)}, and auto, all, none"
        )
    return frozenset(names)


def _names(option: str) -> list[str]:
    return [name.strip().lower() for name in option.split(",") if name.strip()]
