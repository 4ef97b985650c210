"""Stage A: does the endpoint answer, in a form that the SDK understands?"""

from __future__ import annotations

import pytest

from pytest_ohllm.diagnosis.engine import diagnose
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.judgement import Shortfall, not_run, require_answer
from pytest_ohllm.model import Blame, Kind, Profile, Transcript
from pytest_ohllm.sdk.driver import Driver

pytestmark = pytest.mark.llm_stage("A")


def test_the_model_answers(hello: Transcript) -> None:
    """The SDK builds an LLM from the profile, sends one message, and an answer comes back.

    If this fails, nothing else can work: look at the diagnosis, it names the key, the address, the
    model's name or the endpoint's own trouble.
    """
    require_answer(hello)


def test_the_answer_has_content(hello: Transcript) -> None:
    """The answer, read as the SDK's own message types, holds text.

    An empty answer is what agents stumble over most: they ask again and again.
    """
    _answered(hello)
    if not hello.final_text.strip():
        raise Shortfall(
            f"the endpoint answered without any text to {hello.exchanges[-1].url}",
            next_step="look at the response in the run folder: where did the text go?",
        )


def test_usage_is_reported(hello: Transcript) -> None:
    """The answer says how many tokens it took: budgets and the condenser rely on it."""
    _answered(hello)
    usage = hello.usage
    said_something = bool(hello.final_text.strip())
    if not usage.prompt_tokens or (said_something and not usage.completion_tokens):
        raise Shortfall(
            f"no usage is reported ({usage.prompt_tokens or 0} prompt tokens, "
            f"{usage.completion_tokens or 0} completion tokens)",
            next_step="have the server report usage: cost and context cannot be tracked without",
            blame=Blame.ENDPOINT,
            avoidable=False,
        )


def test_an_error_is_one_readable_line(
    hello: Transcript, llm_profile: Profile, llm_driver: Driver, request: pytest.FixtureRequest
) -> None:
    """A model name that does not exist ends in an error that a person can act on.

    Servers that ignore the name answer, which is fine. What must not happen is an error that nobody
    can read: a crash in a parser, or silence.
    """
    _answered(hello)
    wrong: Transcript = request.getfixturevalue("wrong_model")
    if wrong.error is None:
        return
    diagnosis = diagnose(Symptoms.of(wrong, settings=llm_profile.settings))
    assert "\n" not in diagnosis.summary
    if diagnosis.kind is Kind.UNKNOWN and not wrong.exchanges:
        raise Shortfall(
            f"a wrong model name ends in an error that says nothing: {diagnosis.summary}",
            next_step="see the traceback in the run folder",
            kind=Kind.UNKNOWN,
            blame=Blame.UNKNOWN,
        )


def _answered(hello: Transcript) -> None:
    if hello.error is not None:
        not_run("the model did not answer")
