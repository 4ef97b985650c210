"""The simulator as the real SDK sees it: real litellm, real HTTP, a real shell."""

from __future__ import annotations

import pytest

from tests.simulator.sdk_driver import COMMAND, ECHO, RUN, Drive

# An unknown model has no price, and litellm uses what pydantic has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("native", [True, False], ids=["native", "prompt"])
@pytest.mark.parametrize("personality", ["default", "finish-tool", "chatty"])
def test_a_healthy_model_runs_the_command_and_reports_the_nonce(
    drive: Drive, personality: str, native: bool
) -> None:
    driver = drive(personality)
    run = driver.converse(RUN, native=native)
    assert (run.status, run.error) == ("finished", None)
    assert (run.commands, run.exit_codes) == ([COMMAND], [3])
    assert driver.nonce in run.final
    assert "exit code 3" in run.final
    assert all(("tools" in entry.body) == native for entry in driver.simulator.journal)


@pytest.mark.parametrize("native", [True, False], ids=["native", "prompt"])
@pytest.mark.parametrize("personality", ["default", "finish-tool"])
def test_a_healthy_model_converses_without_a_tool(
    drive: Drive, personality: str, native: bool
) -> None:
    run = drive(personality).converse(ECHO, native=native)
    assert (run.status, run.commands, run.final) == ("finished", [], "Hello!")


@pytest.mark.parametrize("native", [True, False], ids=["native", "prompt"])
def test_streaming_gives_the_sdk_the_same_result(drive: Drive, native: bool) -> None:
    driver = drive("default")
    run = driver.converse(RUN, native=native, stream=True)
    assert (run.commands, run.exit_codes) == ([COMMAND], [3])
    assert driver.nonce in run.final
    assert [entry.body["stream"] for entry in driver.simulator.journal] == [True, True]


def test_the_sdk_reads_the_greeting_and_the_usage(drive: Drive) -> None:
    driver = drive("default")
    llm = driver.llm()
    message = driver.sdk.Message(
        role="user", content=[driver.sdk.TextContent(text="Say hello in one word.")]
    )
    assert llm.generate([message]).message.content[0].text == "hello"
    usage = llm.metrics.accumulated_token_usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (13, 2)


def test_without_native_tools_only_the_prompt_based_format_works(drive: Drive) -> None:
    driver = drive("no-native-tools")
    native = driver.converse(RUN)
    assert native.status == "error"
    assert "--enable-auto-tool-choice" in str(native.error)
    prompted = driver.converse(RUN, native=False)
    assert prompted.commands == [COMMAND]
    assert driver.nonce in prompted.final


@pytest.mark.parametrize("native", [True, False], ids=["native", "prompt"])
def test_the_parrot_finishes_with_the_words_and_without_a_call(drive: Drive, native: bool) -> None:
    driver = drive("parrot")
    run = driver.converse(RUN, native=native)
    assert (run.status, run.commands) == ("finished", [])
    assert COMMAND in run.final
    assert driver.nonce not in run.final


@pytest.mark.parametrize("native", [True, False], ids=["native", "prompt"])
def test_the_wrong_command_runs_and_success_is_claimed(drive: Drive, native: bool) -> None:
    driver = drive("wrong-command")
    run = driver.converse(RUN, native=native)
    assert run.status == "finished"
    assert len(run.commands) == 1 and COMMAND not in run.commands
    assert "exit code 0" in run.final
    assert driver.nonce not in run.final


def test_the_loop_ends_only_because_the_sdk_ends_it(drive: Drive) -> None:
    run = drive("loops").converse(RUN)
    assert run.status in ("stuck", "error")
    assert len(run.commands) >= 3 and set(run.commands) == {COMMAND}


def test_an_empty_model_says_nothing_and_never_finishes(drive: Drive) -> None:
    driver = drive("empty")
    assert driver.say("Say hello in one word.") == ""
    assert driver.converse(ECHO).status in ("stuck", "error")


@pytest.mark.parametrize(
    ("personality", "error", "words"),
    [
        ("bad-key", "LLMAuthenticationError", "Incorrect API key provided"),
        ("rate-limited", "LLMRateLimitError", "Rate limit reached"),
        ("down", "LLMServiceUnavailableError", "overloaded"),
        ("not-found", "NotFoundError", "does not exist"),
        ("error-500", "LLMServiceUnavailableError", "The server had an error"),
        ("truncated-stream", "LLMServiceUnavailableError", None),
        ("empty-body", "LLMServiceUnavailableError", None),
        ("html-200", "LLMServiceUnavailableError", None),
        ("html-404", "NotFoundError", "404 Not Found"),
    ],
)
def test_a_refusal_reaches_the_sdk_as_the_real_one_would(
    drive: Drive, personality: str, error: str, words: str | None
) -> None:
    with pytest.raises(Exception, match=words) as caught:
        drive(personality).say("Say hello in one word.")
    assert type(caught.value).__name__ == error
