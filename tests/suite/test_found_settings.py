"""For every personality that some setting satisfies, it is found, it is small, and it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_ohllm.model import ProfileReport
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities import Row
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat, Result
from tests.suite.proof import Judgement, Line

MOST_REQUESTS = 12
HELPED = [row for row in personalities.table() if row.verdict == "WORKS WITH SETTINGS"]
"""All of them in the nox session ``suite``; here four different settings, to save time."""

if not os.environ.get("OHLLM_WHOLE_SUITE"):
    HELPED = list({str(sorted(row.remedy)): row for row in HELPED}.values())[:4]

type Run = Callable[[str, dict[str, Any]], Result]


@pytest.fixture
def run(
    request: pytest.FixtureRequest, compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Run stages A to C on a saved profile for the personality, with some settings changed."""
    row: Row = request.getfixturevalue("row")
    store = compat.path / "store"
    store.mkdir()
    monkeypatch.setenv("LLM_PROFILES_DIR", str(store))
    with Simulator(row.name) as simulator:
        monkeypatch.setenv("KEY_OF_SIMULATOR", simulator.api_key)

        def on(name: str, changes: dict[str, Any]) -> Result:
            settings = dict(builtin.simulated(f"sim:{row.name}").settings)
            settings |= {"base_url": simulator.base_url} | changes
            kept = {field: value for field, value in settings.items() if value is not None}
            add(name, kept, {"api_key": "KEY_OF_SIMULATOR"}, folder=store)
            return compat(f"--llm-profile={name}", "--llm-gates=none", "--llm-timeout=20")

        yield on


def only(result: Result) -> ProfileReport:
    """The one profile of the run."""
    (profile,) = result.run.profiles
    return profile


def requests_of_the_search(result: Result) -> int:
    """How many requests the examination and the trials of the worst check took."""
    folders = {path.parent for path in result.files("profiles/*/*/*/probes.jsonl")}
    folders |= {path.parent.parent for path in result.files("profiles/*/*/*/trial-*/settings.json")}
    return max((_lines(folder) for folder in folders), default=0)


def _lines(folder: Any) -> int:
    files = [*folder.glob("probes.jsonl"), *folder.glob("trial-*/exchanges.jsonl")]
    return sum(len(file.read_text().splitlines()) for file in files)


@pytest.mark.parametrize("row", HELPED, ids=lambda row: row.name)
def test_the_setting_is_found_and_holds(run: Run, row: Row) -> None:
    found = run("before", {})

    profile = only(found)
    assert profile.verdict == "WORKS WITH SETTINGS", found.output
    assert profile.remedy is not None
    assert len(profile.remedy.settings) == 1, profile.remedy
    line = Line(row, Judgement.of(profile))
    assert line.same_kind or row.gate == "mcp", line.found
    assert requests_of_the_search(found) <= MOST_REQUESTS
    try:
        again = run("after", profile.remedy.settings)
    except ProfileError:
        # What the SDK's profile files cannot hold, `LLM(...)` still can.
        assert None in profile.remedy.settings.values()
        return
    assert (again.ret, only(again).verdict) == (0, "WORKS"), again.output
    assert only(again).remedy is None
