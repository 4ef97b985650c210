"""Every protocol through the real SDK: the healthy personalities, and the remedies of others."""

from __future__ import annotations

import pytest

from pytest_ohllm.simulator import personalities
from tests.simulator.conformance import COLOURS, COUNT, ENCODED, HELLO, SEEN
from tests.simulator.sdk_driver import COMMAND, RUN, Drive

pytestmark = pytest.mark.filterwarnings("ignore")

HEALTHY = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/sim-gemini:generateContent",
    "ollama": "/api/chat",
    "litellm-proxy": "/chat/completions",
}
REMEDIED = [row for row in personalities.table() if row.remedy]


@pytest.mark.parametrize("personality", HEALTHY)
def test_a_healthy_model_answers_sees_and_streams(drive: Drive, personality: str) -> None:
    driver = drive(personality)
    assert driver.say(HELLO) == "hello"
    assert driver.simulator.journal[-1].path == HEALTHY[personality]
    assert driver.say(COLOURS, pictures=[f"data:image/png;base64,{ENCODED}"]) == SEEN
    assert len(driver.say(COUNT, stream=True).splitlines()) == 30
    assert {entry.status for entry in driver.simulator.journal} == {200}


@pytest.mark.parametrize(
    ("personality", "stream"),
    [(p, s) for p in ("responses", "anthropic", "gemini", "ollama") for s in (False, True)],
)
def test_a_healthy_model_runs_the_command_and_gets_its_thoughts_back(
    drive: Drive, personality: str, stream: bool
) -> None:
    driver = drive(personality)
    run = driver.converse(RUN, stream=stream)
    assert (run.status, run.commands, run.exit_codes) == ("finished", [COMMAND], [3])
    assert driver.nonce in run.final
    conversations = [e for e in driver.simulator.journal if "messages" in str(e.body)[:2000]]
    assert all(entry.status == 200 for entry in driver.simulator.journal), conversations


def test_litellm_drops_the_stream_of_responses_for_names_that_it_does_not_know(
    drive: Drive,
) -> None:
    driver = drive("responses")
    driver.say(COUNT, stream=True)
    assert "stream" not in driver.simulator.journal[-1].body


def test_litellm_doubles_a_streamed_thought_that_it_sends_back(drive: Drive) -> None:
    driver = drive("signature-compared")
    assert driver.converse(RUN).status == "finished"
    streamed = driver.converse(RUN, stream=True)
    assert streamed.status == "error"
    assert "cannot be modified" in str(streamed.error)


@pytest.mark.parametrize("row", REMEDIED, ids=lambda row: row.name)
def test_a_remedy_makes_it_work_and_nothing_else_does(drive: Drive, row: personalities.Row) -> None:
    driver = drive(row.name)
    remedy = dict(row.remedy)
    if path := remedy.get("base_url"):
        remedy["base_url"] = driver.simulator.origin + path
    if row.stage == "A":
        with pytest.raises(Exception):  # noqa: B017 - what is raised differs from one to the other
            driver.say(HELLO)
        assert driver.say(HELLO, **remedy) == "hello"
        return
    assert driver.think() != driver.think(**remedy) == "finished"
