"""The real SDK over real HTTP: against the embedded provider, and against endpoints gone wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Exchange, Profile, ToolMode, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.simulator.server import Simulator
from pytest_ohllm.wire.reachability import Unreachable
from tests.endpoints import (
    Endpoint,
    Play,
    commands,
    drips,
    hangs,
    head,
    refusal,
    says,
    unused_port,
)

FAKE_KEY = "fake-key-0123456789-for-tests"
ECHO = "echo TOOL_OK"
RUN_ONCE = "Use the terminal tool to run exactly this command, once: "
TASK = f"{RUN_ONCE}`{ECHO}`\nThen tell me what it printed and its exit code."


class Ear:
    """Keeps what a driver tells."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.transcripts: list[Transcript] = []

    def exchange_ended(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def transcript_made(self, transcript: Transcript) -> None:
        self.transcripts.append(transcript)


def driver_for(base_url: str, *, key: str | None = FAKE_KEY, **options: Any) -> Driver:
    """A driver for an endpoint; ``settings`` are further fields of the profile."""
    settings = {"model": "openai/some-model", "base_url": base_url} | options.pop("settings", {})
    secrets = {} if key is None else {"api_key": SecretStr(key)}
    known = Redactor({"key": key} if key else {})
    options = {"timeout": 20.0, "redact": known.value} | options
    return Driver(Connection(Profile(name="test", settings=settings), secrets), **options)


@pytest.fixture(scope="module", autouse=True)
def _sdk() -> None:
    """Import it first: that is not what is timed here."""
    environment.load()


@pytest.fixture
def simulated() -> Iterator[Callable[..., tuple[Driver, Simulator]]]:
    """Starts the embedded provider with a personality; a driver for it, and itself."""
    running: list[Simulator] = []

    def start(personality: str = "default", **options: Any) -> tuple[Driver, Simulator]:
        simulator = Simulator(personality, api_key=FAKE_KEY).start()
        running.append(simulator)
        settings = {"model": f"openai/{simulator.model}"} | options.pop("settings", {})
        return driver_for(simulator.base_url, settings=settings, **options), simulator

    yield start
    for simulator in running:
        simulator.stop()


class TestCompletion:
    def test_an_answer_with_what_it_took(self, simulated: Any) -> None:
        driver, simulator = simulated()

        transcript = driver.complete("Say hello in one word.")

        assert transcript.error is None
        assert transcript.end == "finished"
        assert transcript.final_text.strip()
        assert transcript.usage.llm_calls == len(simulator.journal) == 1
        assert transcript.usage.prompt_tokens
        assert transcript.usage.completion_tokens
        assert transcript.usage.cost is None, "unknown, which is not zero"
        (exchange,) = transcript.exchanges
        assert exchange.url == f"{simulator.base_url}/chat/completions"
        assert exchange.request == simulator.journal[0].body
        assert "Say hello in one word." in str(exchange.request["messages"])
        assert 0 < exchange.seconds <= transcript.seconds

    def test_changes_hold_for_one_call(self, simulated: Any) -> None:
        driver, simulator = simulated(settings={"max_output_tokens": 25})

        driver.complete("Say hello.", changes={"model": "openai/other", "max_output_tokens": 50})
        driver.complete("Say hello.")

        bodies = [entry.body for entry in simulator.journal]
        sent = [(body["model"], body["max_completion_tokens"]) for body in bodies]
        assert sent == [("other", 50), (simulator.model, 25)]

    def test_the_key_is_sent_and_nowhere_kept(self) -> None:
        with Endpoint(says(f"You said {FAKE_KEY}")) as endpoint:
            transcript = driver_for(endpoint.base_url).complete(f"Is it {FAKE_KEY}?")

        assert endpoint.requests[0].headers["authorization"] == f"Bearer {FAKE_KEY}"
        assert FAKE_KEY not in transcript.model_dump_json()
        assert "You said" in transcript.final_text

    def test_without_a_key_a_placeholder_is_sent_and_never_one_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", FAKE_KEY)
        monkeypatch.setenv("LLM_API_KEY", FAKE_KEY)
        with Endpoint(says("hello")) as endpoint:
            driver_for(endpoint.base_url, key=None).complete("Say hello.")

        assert endpoint.requests[0].headers["authorization"] == "Bearer not-needed"
        assert FAKE_KEY not in str(endpoint.requests)
        assert os.environ["OPENAI_API_KEY"] == FAKE_KEY

    def test_a_failure_is_a_transcript_too(self, simulated: Any) -> None:
        ear = Ear()
        driver, _ = simulated("bad-key", listener=ear)

        transcript = driver.complete("Say hello.")

        assert transcript.end == "error"
        assert transcript.error is not None
        assert transcript.error.status == 401
        assert "Traceback" in transcript.traceback
        assert FAKE_KEY not in transcript.model_dump_json()
        assert ear.transcripts == [transcript]
        assert FAKE_KEY not in ear.exchanges[0].model_dump_json()

    def test_nothing_is_tried_twice(self) -> None:
        with Endpoint(refusal(503, "overloaded")) as endpoint:
            transcript = driver_for(endpoint.base_url).complete("Say hello.")

        assert len(endpoint.requests) == 1
        assert transcript.usage.llm_calls == 1

    def test_settings_that_the_sdk_refuses_are_named_and_nothing_is_sent(self) -> None:
        with Endpoint(says("hello")) as endpoint:
            driver = driver_for(endpoint.base_url, settings={"temperature": "hot"})
            transcript = driver.complete("Say hello.")

        assert transcript.error is not None
        link = next(x for x in transcript.error.links if x.type.endswith("UnusableSettings"))
        assert link.message.startswith("temperature: ")
        assert endpoint.requests == []

    def test_a_change_that_the_sdk_would_ignore_is_unsupported_and_nothing_is_sent(self) -> None:
        with Endpoint(says("hello")) as endpoint:
            driver = driver_for(endpoint.base_url)
            transcript = driver.complete("Say hello.", changes={"of_a_later_sdk": True})

        assert transcript.error is not None
        assert transcript.error.root.type.endswith(".UnsupportedBySdk")
        assert "of_a_later_sdk" in transcript.error.root.message
        assert not endpoint.requests

    def test_an_empty_base_url_is_refused_instead_of_taken_for_the_provider_s_own(self) -> None:
        transcript = driver_for("").complete("Say hello.")

        assert transcript.error is not None
        assert "base_url: it is empty" in transcript.error.root.message
        assert transcript.exchanges == ()

    def test_warnings_that_the_user_makes_errors_are_not_meant_for_the_sdk(
        self, simulated: Any
    ) -> None:
        driver, _ = simulated()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            transcript = driver.complete("Say hello.")

        assert transcript.error is None, transcript.error

    def test_the_profile_s_llm_is_recorded_for_tests_that_drive_the_sdk_themselves(self) -> None:
        from openhands.sdk import Message, TextContent

        ear = Ear()
        question = [Message(role="user", content=[TextContent(text="Say hello.")])]
        with (
            Endpoint(says("hello")) as endpoint,
            driver_for(endpoint.base_url, listener=ear).recorded_llm() as llm,
        ):
            llm.completion(question)
            assert Path("~").expanduser() == environment.home()

        (transcript,) = ear.transcripts
        assert transcript.usage.llm_calls == len(ear.exchanges) == 1
        assert transcript.error is None

    def test_what_such_a_test_raises_is_recorded_and_goes_on(self) -> None:
        ear = Ear()
        driver = driver_for("http://127.0.0.1:1/v1", listener=ear)

        with pytest.raises(ZeroDivisionError), driver.recorded_llm():
            raise ZeroDivisionError

        assert ear.transcripts[0].error is not None
        assert ear.transcripts[0].error.root.type == "builtins.ZeroDivisionError"


class TestTime:
    @pytest.mark.parametrize(
        "play", [hangs(), drips(head(Content_Length=10**6), b" ")], ids=["hangs", "drips"]
    )
    def test_a_scenario_ends_in_its_time(self, play: Play) -> None:
        with Endpoint(play) as endpoint:
            started = time.monotonic()
            transcript = driver_for(endpoint.base_url, timeout=0.8).complete("Say hello.")
            seconds = time.monotonic() - started

        assert transcript.error is not None
        assert 0.5 < seconds < 2
        assert "ReadTimeout" in str(transcript.exchanges[0].error)

    def test_building_the_sdk_s_objects_is_not_the_endpoint_s_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from openhands.sdk import LLM

        def slowly(llm: object, *given: Any, **fields: Any) -> None:
            time.sleep(0.6)  # a busy machine
            construct(llm, *given, **fields)

        construct = LLM.__init__
        monkeypatch.setattr(LLM, "__init__", slowly)
        with Endpoint(says("hello")) as endpoint:
            driver = driver_for(endpoint.base_url, timeout=0.5)
            transcript = driver.complete("Say hello.")

        assert transcript.error is None, transcript.error
        assert driver.left > 0

    def test_a_single_call_can_have_less(self) -> None:
        with Endpoint(hangs()) as endpoint:
            driver = driver_for(endpoint.base_url, timeout=30)
            started = time.monotonic()
            driver.complete("Say hello.", timeout=0.5)

        assert time.monotonic() - started < 2
        assert 28 < driver.left < 29.6

    def test_the_scenarios_of_a_check_share_its_time(self) -> None:
        with Endpoint(hangs()) as endpoint:
            driver = driver_for(endpoint.base_url, timeout=0.6)
            driver.complete("Say hello.")
            started = time.monotonic()
            transcript = driver.complete("Say hello again.")

        assert driver.left == 0
        assert time.monotonic() - started < 0.5
        assert transcript.error is not None

    def test_a_new_check_has_its_own(self) -> None:
        with Endpoint(says("hello")) as endpoint:
            driver = driver_for(endpoint.base_url)
            driver.left = 0.0
            driver.complete("Say hello.")
            driver.left = driver.timeout
            transcript = driver.complete("Say hello.")

        assert transcript.error is None

    def test_a_conversation_ends_in_its_time(self) -> None:
        with Endpoint(hangs()) as endpoint:
            started = time.monotonic()
            transcript = driver_for(endpoint.base_url, timeout=1).converse("Say hello.")

        assert transcript.error is not None
        assert time.monotonic() - started < 4


class TestConversation:
    @pytest.mark.parametrize("mode", list(ToolMode))
    def test_a_command_runs_and_its_output_comes_back(self, simulated: Any, mode: ToolMode) -> None:
        driver, simulator = simulated()

        transcript = driver.converse(TASK, allow=[ECHO], tool_mode=mode)

        assert transcript.error is None, transcript.traceback
        assert transcript.end == "finished"
        assert [call.command for call in transcript.tool_calls("terminal")] == [ECHO]
        (observation,) = transcript.observations("terminal")
        assert observation.exit_code == 0
        assert "TOOL_OK" in observation.text
        assert "TOOL_OK" in transcript.final_text
        assert transcript.rejections == []
        assert transcript.tool_mode is mode
        assert transcript.usage.llm_calls == len(simulator.journal) == 2
        offered = ["tools" in entry.body for entry in simulator.journal]
        assert offered == [mode is ToolMode.NATIVE] * 2

    def test_files_are_there_and_leave_with_the_workspace(self, simulated: Any) -> None:
        driver, _ = simulated()
        task = f"{RUN_ONCE}`cat nonce.txt`\nThen tell me the word that it printed."

        transcript = driver.converse(
            task, allow=["cat nonce.txt"], files={"nonce.txt": "word-17\n"}
        )

        assert "word-17" in transcript.final_text
        assert list(environment.home().glob("workspace-*")) == []

    def test_a_model_that_asks_for_something_else_is_stopped(self, simulated: Any) -> None:
        driver, _ = simulated("wrong-command")

        transcript = driver.converse(TASK, allow=[ECHO])

        assert transcript.rejections
        assert all("was asked for" in event.text for event in transcript.rejections)
        assert [x for x in transcript.observations("terminal") if x.exit_code is not None] == []

    @pytest.mark.parametrize(
        "asked",
        [
            ["touch {target}"],
            ["echo TOOL_OK; touch {target}"],
            ["echo TOOL_OK\ntouch {target}"],
            ["echo TOOL_OK > {target}"],
            ["cd . && touch {target}"],
            ["echo TOOL_OK", "touch {target}"],
        ],
        ids=["another", "chained", "second-line", "redirected", "after-cd", "beside"],
    )
    def test_what_was_not_asked_for_never_runs(self, asked: list[str], tmp_path: Path) -> None:
        target = tmp_path / "the-model-was-here"
        wanted = [command.format(target=target) for command in asked]
        with Endpoint(commands(*wanted)) as endpoint:
            transcript = driver_for(endpoint.base_url).converse(TASK, allow=[ECHO])

        assert not target.exists()
        assert transcript.end == "rejected"
        assert len(transcript.tool_calls("terminal")) >= len(wanted)
        assert transcript.rejections
        assert str(target) in str([call.command for call in transcript.tool_calls("terminal")])

    def test_what_was_asked_for_does_run(self, tmp_path: Path) -> None:
        """The proof that the tests above could fail."""
        target = tmp_path / "the-model-was-here"
        with Endpoint(commands(f"touch {target}")) as endpoint:
            driver_for(endpoint.base_url).converse(TASK, allow=[f"touch {target}"])

        assert target.exists()

    def test_a_shell_of_the_model_finds_no_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "fake-key-of-the-environment")
        with Endpoint(commands("env")) as endpoint:
            driver = driver_for(endpoint.base_url, redact=lambda value: value)
            transcript = driver.converse(TASK, allow=["env"])

        printed = transcript.observations("terminal")[0].text
        assert "PATH=" in printed
        assert "fake-key" not in printed
        assert f"HOME={environment.home()}" in printed

    def test_a_model_that_never_ends_is_ended(self, simulated: Any) -> None:
        driver, _ = simulated("loops")

        transcript = driver.converse(TASK, allow=[ECHO])

        assert transcript.end in ("stuck", "iteration_limit")
        assert transcript.usage.llm_calls <= 8


class TestWhatIsUnreachable:
    PROBLEM = Unreachable("refused", "nothing listens", "start the server")

    def test_ends_at_once_and_says_why(self) -> None:
        ear = Ear()
        driver = driver_for("http://127.0.0.1:1/v1", unreachable=self.PROBLEM, listener=ear)

        for transcript in (driver.complete("Say hello."), driver.converse("Say hello.")):
            assert transcript.error is not None
            assert transcript.error.root.message == "nothing listens"
            assert transcript.exchanges == ()
            assert transcript.usage.llm_calls == 0
        assert len(ear.transcripts) == 2

    def test_needs_no_sdk(self) -> None:
        script = (
            "import sys\n"
            "from tests.unit.sdk.test_driver import TestWhatIsUnreachable as t, driver_for\n"
            "driver = driver_for('http://127.0.0.1:1/v1', unreachable=t.PROBLEM)\n"
            "assert driver.converse('Say hello.').error is not None\n"
            "print('IMPORTED', sorted({'litellm', 'openhands.sdk', 'openai'} & set(sys.modules)))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
            check=False,
        )

        assert done.stdout.strip() == "IMPORTED []", done.stderr

    def test_at_run_time_the_chain_says_what_happened(self) -> None:
        transcript = driver_for(f"http://127.0.0.1:{unused_port()}/v1").complete("Say hello.")

        assert transcript.error is not None
        assert transcript.error.root.type == "builtins.ConnectionRefusedError"


def test_an_sdk_that_cannot_be_imported_is_a_transcript_too(tmp_path: Path) -> None:
    package = tmp_path / "openhands" / "sdk"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('cannot import name X from mcp')\n")
    script = (
        "from tests.unit.sdk.test_driver import driver_for\n"
        "print(driver_for('http://127.0.0.1:1/v1').complete('Say hello.').error.root.type)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        cwd=tmp_path,
        check=False,
    )

    assert done.stdout.strip() == "builtins.ImportError", done.stderr
