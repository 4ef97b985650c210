"""Confusable failures are told apart by experiments: the same with every hint of the words off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from compat_suite import prompts
from pytest_ohllm.diagnosis import experiments
from pytest_ohllm.diagnosis.examination import Conclusion, Examination
from pytest_ohllm.diagnosis.laboratory import BUDGET, Laboratory
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import ToolMode, Transcript
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.simulator.server import Simulator
from pytest_ohllm.wire.replay import Replay, Variant


@contextmanager
def connected(personality: str, **changes: Any) -> Iterator[tuple[Driver, dict[str, Any]]]:
    """A driver for a simulator, and the settings that its profile chooses."""
    profile = builtin.simulated(f"sim:{personality}")
    chosen = profile.settings | changes
    with Simulator(personality) as simulator:
        settings = chosen | {"base_url": simulator.base_url}
        connection = Connection(
            profile.model_copy(update={"settings": settings}),
            {"api_key": SecretStr(simulator.api_key)},
        )
        redact = Redactor({"key": simulator.api_key}).value
        yield Driver(connection, timeout=20, redact=redact), settings


def first_failure(driver: Driver) -> Transcript:
    """The first of a few scenarios that ends in an error, as stages A to C play them."""
    failed = driver.complete(prompts.HELLO)
    for prompt, command in (
        (prompts.GREETING, prompts.GREETING_COMMAND),
        (prompts.MARKER_TASK, prompts.MARKER_COMMAND),
    ):
        if failed.error is None:
            failed = driver.converse(prompt, allow=[command], tool_mode=ToolMode.NATIVE)
    assert failed.error is not None
    return failed


def examined(personality: str, *, hints: bool, **changes: Any) -> tuple[Conclusion | None, int]:
    """What experiments conclude, and how many requests they took."""
    with connected(personality, **changes) as (driver, settings):
        failed = first_failure(driver)
        symptoms = Symptoms.of(failed, settings=settings, chosen=frozenset(settings))
        assert symptoms.exchange is not None
        replay = driver.replay(symptoms.exchange, 20)
        assert replay is not None
        lab = Laboratory(symptoms.exchange, replay.body, replay.send)
        return experiments.conclude(Examination(symptoms, lab, hints)), len(lab.probes)


PAIRS = {
    "organization-unverified": "credentials",
    "tools-need-responses": "sdk_gap",
    "rejects-temperature": "configuration",
    "rejects-reasoning-effort": "sdk_gap",
    "wrong-plan": "configuration",
    "html-without-v1": "configuration",
    "missing-v1": "configuration",
    "billing": "credentials",
    "billing-anthropic": "credentials",
    "output-limit-too-high": "configuration",
    "context-openai": "model_limitation",
    "content-must-be-string": "sdk_gap",
    "null-content-rejected": "sdk_gap",
    "reasoning-required": "sdk_gap",
    "no-native-tools": "model_limitation",
    "not-found": "configuration",
}
"""Personalities from the pairs that words confuse, each with what it is."""


@pytest.mark.parametrize("personality", PAIRS)
def test_experiments_alone_tell_what_it_is(personality: str) -> None:
    conclusion, requests = examined(personality, hints=False)

    assert conclusion is not None
    assert conclusion.finding.kind == PAIRS[personality], conclusion
    assert requests <= BUDGET


def test_a_field_is_the_users_fault_if_the_user_set_it_and_the_sdks_if_not() -> None:
    by_sdk, _ = examined("rejects-reasoning-effort", hints=True)
    by_user, _ = examined("rejects-reasoning-effort", hints=True, reasoning_effort="low")

    assert by_sdk is not None
    assert by_user is not None
    assert (by_sdk.finding.kind, by_user.finding.kind) == ("sdk_gap", "configuration")
    assert by_sdk.fields == by_user.fields == ("reasoning_effort",)


@pytest.mark.parametrize("personality", ["billing", "bad-key", "rate-limited", "error-500"])
def test_nothing_is_sent_where_a_code_decides(personality: str) -> None:
    assert examined(personality, hints=True) == (None, 0)


@contextmanager
def replayed(personality: str, body: dict[str, Any]) -> Iterator[tuple[Symptoms, Laboratory]]:
    """The symptoms and the laboratory of a request that an older SDK would have sent."""
    with Simulator(personality) as simulator:
        request = httpx.Request(
            "POST",
            f"{simulator.base_url}/chat/completions",
            headers={"authorization": f"Bearer {simulator.api_key}"},
            json={"model": simulator.model, **body},
        )
        replay = Replay(request, lambda value: value, deadline=time.monotonic() + 20)
        failing = replay.send(Variant())
        lab = Laboratory(failing, replay.body, replay.send)
        yield Symptoms(exchange=failing, chosen=frozenset()), lab


@pytest.mark.parametrize("hints", [True, False])
def test_broken_arguments_that_are_replayed_are_the_clients_fault(hints: bool) -> None:
    """SDK 1.58 repairs them itself; what older ones sent is examined here."""
    tool = {"type": "function", "function": {"name": "terminal", "parameters": {"type": "object"}}}
    broken = {"id": "call_1", "type": "function"} | {
        "function": {"name": "terminal", "arguments": '{"command": "ls'}
    }
    body = {
        "messages": [
            {"role": "user", "content": "list the files"},
            {"role": "assistant", "content": "", "tool_calls": [broken]},
            {"role": "tool", "tool_call_id": "call_1", "content": "invalid arguments"},
        ],
        "tools": [tool],
    }

    with replayed("malformed-then-rejected", body) as (symptoms, lab):
        conclusion = experiments.conclude(Examination(symptoms, lab, hints))

    assert symptoms.status is not None
    assert symptoms.status >= 400
    assert conclusion is not None
    assert conclusion.finding.kind == "sdk_gap"
    assert "valid JSON" in conclusion.finding.summary
