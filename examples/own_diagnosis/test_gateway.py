"""A test whose failure is diagnosed by the conftest.py beside it."""

from __future__ import annotations

from pytest_ohllm.judgement import require_answer
from pytest_ohllm.sdk.driver import Driver


def test_the_gateway_answers(llm_driver: Driver) -> None:
    require_answer(llm_driver.complete("Say hello in one word."))
