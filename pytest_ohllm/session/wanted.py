"""Which stages and gates the user asked for."""

from __future__ import annotations

import difflib

import pytest

from pytest_ohllm.gates import GATES, WantedGates
from pytest_ohllm.model import Stage

_SETS = ("auto", "all", "none")


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


def gates(option: str) -> WantedGates:
    """The gates that ``--llm-gates`` names: ``auto``, ``all``, ``none``, names, and ``-names``."""
    names = _names(option)
    known = (*GATES, *_SETS)
    unknown = [name for name in names if name.removeprefix("-") not in known]
    if unknown or not names:
        near = difflib.get_close_matches(unknown[0], known, n=1) if unknown else []
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise pytest.UsageError(
            f"--llm-gates={option}: {', '.join(unknown) or 'nothing'} names no gate{hint}; there "
            f"are {', '.join(GATES)}, and auto, all, none; -NAME leaves one out"
        )
    without = frozenset(name[1:] for name in names if name.startswith("-"))
    named = frozenset(GATES if "all" in names else GATES.keys() & set(names)) - without
    # Nothing but exceptions means the usual ones without these.
    usual = "auto" in names or all(name.startswith("-") for name in names)
    return WantedGates(named | (GATES.keys() - without if usual else frozenset()), named)


def _names(option: str) -> list[str]:
    return [name.strip().lower() for name in option.split(",") if name.strip()]
