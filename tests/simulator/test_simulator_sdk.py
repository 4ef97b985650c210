"""The simulator as the real SDK sees it: real litellm, real HTTP, a real shell."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

# An unknown model has no price, and litellm uses what pydantic has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore")

Connect = Callable[..., Any]

ECHO = "Please echo 'Hello!'"
COMMAND = "cat nonce.txt; (exit 3)"
RUN = f"Use the terminal tool to run `{COMMAND}`. Then report its exit code and its output."


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The SDK's names; its environment must stand before the first import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("OPENHANDS_SUPPRESS_BANNER", "1")
        patch.setenv("LOG_LEVEL", "ERROR")
        patch.setenv("OH_PERSISTENCE_DIR", str(tmp_path_factory.mktemp("openhands")))
        for name in ("DEBUG", "DEBUG_LLM", *(n for n in os.environ if n.endswith("_API_KEY"))):
            patch.delenv(name, raising=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from openhands import sdk as names
            from openhands.sdk import event
            from openhands.sdk.conversation.response_utils import get_agent_final_response
            from openhands.tools.terminal import TerminalTool

            yield SimpleNamespace(
                LLM=names.LLM,
                Agent=names.Agent,
                Conversation=names.Conversation,
                Message=names.Message,
                TextContent=names.TextContent,
                Tool=names.Tool,
                ActionEvent=event.ActionEvent,
                ObservationEvent=event.ObservationEvent,
                final=get_agent_final_response,
                terminal=TerminalTool.name,
            )


@dataclass
class Run:
    """What a conversation left behind."""

    status: str
    commands: list[str]
    exit_codes: list[int]
    final: str
    error: Exception | None


class Driver:
    """Drives the SDK against one simulator."""

    def __init__(self, sdk: SimpleNamespace, client: Any, folder: Path) -> None:
        self.sdk = sdk
        self.simulator = client.simulator
        self.folder = folder
        self.nonce = f"N-{os.urandom(6).hex()}"
        (folder / "nonce.txt").write_text(f"{self.nonce}\n")

    def llm(self, **settings: Any) -> Any:
        from pydantic import SecretStr

        about = {
            "model": self.simulator.personality.model_string,
            "api_key": SecretStr(self.simulator.api_key),
            "base_url": self.simulator.base_url,
            "usage_id": "test",
            "num_retries": 0,
            "timeout": 10,
        }
        return self.sdk.LLM(**about | settings)

    def say(self, prompt: str, **settings: Any) -> str:
        """The text of one answer, as stage A asks for it."""
        message = self.sdk.Message(role="user", content=[self.sdk.TextContent(text=prompt)])
        content = self.llm(**settings).generate([message]).message.content
        return "".join(part.text for part in content)

    def converse(self, prompt: str, *, native: bool = True, **settings: Any) -> Run:
        """One conversation with the terminal tool offered, as stages B and C have it."""
        terminal = self.sdk.Tool(name=self.sdk.terminal, params={"terminal_type": "subprocess"})
        llm = self.llm(native_tool_calling=native, **settings)
        events: list[Any] = []
        chunks: list[Any] = []
        conversation = self.sdk.Conversation(
            agent=self.sdk.Agent(llm=llm, tools=[terminal]),
            workspace=str(self.folder),
            callbacks=[events.append],
            token_callbacks=[chunks.append],
            visualizer=None,
            max_iteration_per_run=6,
        )
        error = None
        try:
            conversation.send_message(prompt)
            conversation.run()
        except RuntimeError as raised:
            error = raised
        finally:
            conversation.close()
        return self._run(conversation, events, error)

    def _run(self, conversation: Any, events: list[Any], error: Exception | None) -> Run:
        calls = [e for e in events if isinstance(e, self.sdk.ActionEvent)]
        results = [e for e in events if isinstance(e, self.sdk.ObservationEvent)]
        return Run(
            status=conversation.state.execution_status.value,
            commands=[e.action.command for e in calls if e.tool_name == self.sdk.terminal],
            exit_codes=[
                e.observation.exit_code for e in results if e.tool_name == self.sdk.terminal
            ],
            final=self.sdk.final(conversation.state.events),
            error=error,
        )


@pytest.fixture
def drive(sdk: SimpleNamespace, connect: Connect, tmp_path: Path) -> Callable[[str], Driver]:
    return lambda personality: Driver(sdk, connect(personality), tmp_path)


Drive = Callable[[str], Driver]


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


def test_temperature_is_sent_and_rejected_with_the_personalitys_settings(drive: Drive) -> None:
    from pytest_ohllm.simulator import personalities

    driver = drive("rejects-temperature")
    assert driver.say("Say hello.") == "hello"
    with pytest.raises(Exception, match=r"'temperature' does not support 0\.5"):
        driver.say("Say hello.", **personalities.get("rejects-temperature").settings)
