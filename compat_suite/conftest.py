"""The scenarios that the checks judge, each played once for a profile."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest

from compat_suite import prompts
from compat_suite.tooling import Tooling
from pytest_ohllm.model import Transcript
from pytest_ohllm.sdk.driver import Driver


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
