"""The scenarios that the checks judge, each played once for a profile."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from compat_suite import prompts
from compat_suite.scenarios import SCENARIOS, NotClaimed, Play, Played, Stage
from compat_suite.tooling import Tooling
from pytest_ohllm.gates import WantedGates
from pytest_ohllm.judgement import not_run
from pytest_ohllm.model import Profile, Transcript
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.sdk.ensemble import Ensemble

SIDE_BY_SIDE = 4
"""Scenarios of stage D that are played at once: few enough for the rate limits of a free tier."""

USES = {"usage": "reasoning"}
"""Gates that judge the scenario of another one."""


class Repertoire:
    """What was played for a profile, kept for as long as its settings are the same.

    A check that fails may be run again, with other settings or to see whether it always fails, and
    must not judge what was played before.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._played: dict[tuple[str, str, int, int], Any] = {}

    def get[T](self, name: str, play: Callable[[], T], *, each_round: bool = True) -> T:
        """What ``play`` gave when it was asked for first, in this round of a run that repeats."""
        driver = self._driver
        key = (name, driver.settings_id, driver.times_forgotten, each_round and driver.round)
        if key not in self._played:
            self._played[key] = play()
        found: T = self._played[key]
        return found


@pytest.fixture(scope="session")
def repertoire(llm_driver: Driver) -> Repertoire:
    """Every scenario of the profile that has been played."""
    return Repertoire(llm_driver)


@pytest.fixture
def hello(llm_driver: Driver, repertoire: Repertoire) -> Transcript:
    """One direct answer, without an agent."""
    return repertoire.get("hello", lambda: llm_driver.complete(prompts.HELLO))


@pytest.fixture
def wrong_model(llm_driver: Driver, repertoire: Repertoire) -> Transcript:
    """The same question to a model that does not exist: what an error looks like here."""
    model = f"{llm_driver.connection.profile.model}-does-not-exist"
    return repertoire.get(
        "wrong model",
        lambda: llm_driver.complete(prompts.HELLO, changes={"model": model}, timeout=15),
    )


@pytest.fixture
def tooling(llm_driver: Driver, llm_tools: str, repertoire: Repertoire) -> Tooling:
    """Which way of calling tools to use, learnt on the way."""
    return repertoire.get("tooling", lambda: Tooling(llm_driver, llm_tools), each_round=False)


@pytest.fixture
def greeting(tooling: Tooling, repertoire: Repertoire) -> Transcript:
    """A conversation of the agent in which no tool is needed."""
    return repertoire.get(
        "greeting",
        lambda: tooling.converse(prompts.GREETING, allow=[prompts.GREETING_COMMAND]),
    )


@pytest.fixture
def tool_run(tooling: Tooling, repertoire: Repertoire) -> Transcript:
    """The agent runs one command and reports."""
    return repertoire.get(
        "tool run",
        lambda: tooling.converse(
            prompts.MARKER_TASK, allow=[prompts.MARKER_COMMAND], needs_call=True
        ),
    )


@dataclass(frozen=True, slots=True)
class NonceRun:
    """A run whose answer only the tool could know."""

    nonce: str
    transcript: Transcript


@pytest.fixture
def nonce_run(tooling: Tooling, repertoire: Repertoire) -> NonceRun:
    """The agent reads a file that holds a random word, and says the word."""
    return repertoire.get("nonce run", lambda: _nonce_run(tooling))


def _nonce_run(tooling: Tooling) -> NonceRun:
    nonce = f"word-{secrets.token_hex(4)}"
    transcript = tooling.converse(
        prompts.NONCE_TASK,
        allow=[prompts.NONCE_COMMAND],
        files={prompts.NONCE_FILE: f"{nonce}\n"},
        needs_call=True,
    )
    return NonceRun(nonce, transcript)


@pytest.fixture
def ensemble(
    request: pytest.FixtureRequest,
    llm_driver: Driver,
    llm_profile: Profile,
    tooling: Tooling,
    llm_gates: WantedGates,
    repertoire: Repertoire,
) -> Ensemble:
    """All scenarios that the checks of this profile will judge, begun at once."""

    def begin() -> Ensemble:
        wanted = _scenarios(request.session.items, llm_profile.name)
        playing = Ensemble(llm_driver, SIDE_BY_SIDE)
        for name, scenario in SCENARIOS.items():
            if name in wanted:
                claimed_only = not wanted[name] & llm_gates.named
                stage = functools.partial(Stage, mode=tooling.mode, claimed_only=claimed_only)
                playing.start(name, functools.partial(_played, scenario, stage))
        return playing

    return repertoire.get("ensemble", begin)


@pytest.fixture
def play(request: pytest.FixtureRequest, ensemble: Ensemble) -> Play:
    """What a gate's scenario produced; the check is not run if nothing claims what it is about."""

    def result(name: str) -> Played:
        try:
            played: Played = ensemble.result(name)
        except NotClaimed as reason:
            not_run(f"{reason}; --llm-gates={name} asks for it all the same")
        return played

    return result


def _played(scenario: Callable[[Stage], Played], stage: Callable[..., Stage], on: Driver) -> Played:
    return scenario(stage(on))


def _scenarios(items: list[pytest.Item], profile: str) -> dict[str, set[str]]:
    """The scenarios that ``items`` about ``profile`` judge, each with the gates that need it."""
    found: dict[str, set[str]] = {}
    for item in items:
        marker = item.get_closest_marker("llm_gate")
        callspec = getattr(item, "callspec", None)
        if marker and callspec and callspec.params.get("llm_profile") == profile:
            gate: str = marker.args[0]
            found.setdefault(USES.get(gate, gate), set()).add(gate)
    return found
