"""The scenarios that the checks judge, each played once for a profile."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass

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


@pytest.fixture(scope="session")
def hello(llm_driver: Driver) -> Transcript:
    """One direct answer, without an agent."""
    return llm_driver.complete(prompts.HELLO)


@pytest.fixture(scope="session")
def wrong_model(llm_driver: Driver, hello: Transcript) -> Transcript:
    """The same question to a model that does not exist: what an error looks like here."""
    model = f"{llm_driver.connection.profile.model}-does-not-exist"
    return llm_driver.complete(prompts.HELLO, changes={"model": model}, timeout=15)


@pytest.fixture(scope="session")
def tooling(llm_driver: Driver, llm_tools: str) -> Tooling:
    """Which way of calling tools to use, learnt on the way."""
    return Tooling(llm_driver, llm_tools)


@pytest.fixture(scope="session")
def greeting(tooling: Tooling) -> Transcript:
    """A conversation of the agent in which no tool is needed."""
    return tooling.converse(prompts.GREETING, allow=[prompts.GREETING_COMMAND])


@pytest.fixture(scope="session")
def tool_run(tooling: Tooling) -> Transcript:
    """The agent runs one command and reports."""
    return tooling.converse(prompts.MARKER_TASK, allow=[prompts.MARKER_COMMAND], needs_call=True)


@dataclass(frozen=True, slots=True)
class NonceRun:
    """A run whose answer only the tool could know."""

    nonce: str
    transcript: Transcript


@pytest.fixture(scope="session")
def nonce_run(tooling: Tooling) -> NonceRun:
    """The agent reads a file that holds a random word, and says the word."""
    nonce = f"word-{secrets.token_hex(4)}"
    transcript = tooling.converse(
        prompts.NONCE_TASK,
        allow=[prompts.NONCE_COMMAND],
        files={prompts.NONCE_FILE: f"{nonce}\n"},
        needs_call=True,
    )
    return NonceRun(nonce, transcript)


@pytest.fixture(scope="session")
def ensemble(
    request: pytest.FixtureRequest,
    llm_driver: Driver,
    llm_profile: Profile,
    tooling: Tooling,
    llm_gates: WantedGates,
) -> Ensemble:
    """All scenarios that the checks of this profile will judge, begun at once."""
    wanted = _scenarios(request.session.items, llm_profile.name)
    playing = Ensemble(llm_driver, SIDE_BY_SIDE)
    for name, scenario in SCENARIOS.items():
        if name in wanted:
            claimed_only = not wanted[name] & llm_gates.named
            stage = functools.partial(Stage, mode=tooling.mode, claimed_only=claimed_only)
            playing.start(name, functools.partial(_played, scenario, stage))
    return playing


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
