"""What one test item is about: which profile, which stage, which check."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from pytest_ohllm.evidence.check_folder import CheckFolder
from pytest_ohllm.evidence.junit import rerun_in
from pytest_ohllm.model import Stage, ToolMode

CASE: pytest.StashKey[Case] = pytest.StashKey()


ATTEMPT = "llm_attempt"
"""The parameter by which a check is run several times."""


def attempt_id(number: int) -> str:
    """What the id of the test says of it."""
    return f"try{number}"


@dataclass(frozen=True, slots=True)
class Case:
    """One check of one profile.

    ``check`` is ``module::name``, the same wherever the suite is installed, while a node id depends
    on where that is.
    """

    profile: str
    stage: Stage
    check: str
    folder: CheckFolder
    rerun: str
    """A command that runs this check alone."""
    attempt: int = 1

    def rerun_in(self, mode: ToolMode | None) -> str:
        """That command after tools were called in ``mode``."""
        return rerun_in(self.rerun, self.stage, mode)


def rerun_command(item: pytest.Item, options: Sequence[str]) -> str:
    """How a user runs ``item`` alone, from the root folder, with ``options``."""
    file, _, name = item.nodeid.partition("::")
    module = item.getparent(pytest.Module)
    where = [item.nodeid]
    if module is not None and item.config.rootpath / file != item.path:
        # Of the packaged suite, wherever it is installed.
        where = ["--pyargs", f"{module.obj.__name__}::{name}"]
    return shlex.join(["pytest", *options, *where])


def check_id(item: pytest.Item) -> str:
    """``module::name``, with parameters other than the profile kept."""
    module = getattr(item, "module", None)
    name = getattr(item, "originalname", None) or item.name
    callspec = getattr(item, "callspec", None)
    others = [] if callspec is None else _other_ids(callspec)
    parameters = f"[{'-'.join(others)}]" if others else ""
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    where = module.__name__ if module else item.path.stem
    return "::".join([where, *classes, f"{name}{parameters}"])


def _other_ids(callspec: object) -> list[str]:
    params = getattr(callspec, "params", {})
    indices = getattr(callspec, "indices", {})
    if set(params) <= {"llm_profile", ATTEMPT}:
        return []
    # These were parametrized first, so their ids are the first parts of the whole.
    whole = str(getattr(callspec, "id", ""))
    profile = str(params.get("llm_profile", ""))
    rest = whole.removeprefix(profile).removeprefix("-")
    if ATTEMPT in params:
        rest = rest.removeprefix(attempt_id(params[ATTEMPT])).removeprefix("-")
    return [rest] if indices and rest else []


def stage_of(item: pytest.Item) -> Stage:
    """The stage its marker names; D, which is not mandatory, without one."""
    marker = item.get_closest_marker("llm_stage")
    if marker is None or not marker.args:
        return Stage.D
    try:
        return Stage(str(marker.args[0]).upper())
    except ValueError:
        raise pytest.UsageError(
            f"{item.nodeid}: llm_stage({marker.args[0]!r}) names no stage: use A, B, C or D"
        ) from None
