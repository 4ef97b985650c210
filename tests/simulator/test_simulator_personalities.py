from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pytest_ohllm import model
from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities.declaration import GATES

Connect = Callable[..., Any]

RUN = "Run `echo TOOL_OK` with the terminal tool."
DONE = "OTHER\n[Command finished with exit code 0]"


@pytest.mark.parametrize("name", personalities.names())
def test_expectations_use_the_words_of_the_model(name: str) -> None:
    personality = personalities.get(name)
    verdict = model.Verdict(personality.verdict)
    assert personality.stage is None or model.Stage(personality.stage)
    assert (personality.kind is None) == (personality.stage is None)
    assert personality.healthy == (personality.stage in (None, "D"))
    assert (personality.gate is None) == (personality.stage != "D")
    assert personality.gate is None or personality.gate in GATES
    assert personality.description
    if personality.healthy:
        assert verdict in (model.Verdict.WORKS, model.Verdict.WORKS_WITH_SETTINGS)
    if personality.kind is not None:
        kind = model.Kind(personality.kind)
        assert (verdict is model.Verdict.INCONCLUSIVE) <= kind.inconclusive


def test_listing_personalities_imports_no_web_server_and_no_pydantic() -> None:
    program = (
        "import sys\n"
        "from pytest_ohllm.simulator import personalities\n"
        "personalities.names()\n"
        "print([m for m in ('starlette', 'uvicorn', 'pydantic', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_an_unknown_name_comes_with_the_nearest_one() -> None:
    with pytest.raises(personalities.UnknownPersonality, match="did you mean 'parrot'") as caught:
        personalities.get("default+parot")
    assert caught.value.nearest == "parrot"
    assert isinstance(caught.value, ValueError)


def test_a_name_like_no_other_lists_those_that_exist() -> None:
    with pytest.raises(personalities.UnknownPersonality, match="known are default, ") as caught:
        personalities.get("")
    assert caught.value.nearest is None


def test_a_combination_has_both_quirks_and_the_earlier_failure() -> None:
    both = personalities.get("parrot+bad-key")
    assert both.name == "parrot+bad-key"
    assert (both.healthy, both.verdict) == (False, "INCONCLUSIVE")
    assert (both.stage, both.kind) == ("A", "credentials")
    assert personalities.get("no-native-tools+chatty").verdict == "WORKS WITH SETTINGS"


def test_a_combination_behaves_like_both(connect: Connect, terminal: dict[str, Any]) -> None:
    client = connect("chatty+finish-tool+no-native-tools")
    assert client.post(RUN, tools=[terminal]).status_code == 400
    words = client.message("Please echo 'Hello!'")["content"]
    assert "Hello!" in words and len(words) > 100


def test_the_parrot_says_the_words_but_calls_nothing(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    message = connect("parrot").message(RUN, tools=[terminal])
    assert "tool_calls" not in message
    assert "TOOL_OK" in message["content"] and "exit code 0" in message["content"]


def test_the_wrong_command_is_called_and_success_claimed(connect: Connect) -> None:
    client = connect("wrong-command")
    history = client.history(RUN, DONE)
    assert client.commands(history[1]) not in ([], ["echo TOOL_OK"])
    claim = client.run(RUN, DONE)["content"]
    assert "TOOL_OK" in claim and "OTHER" not in claim


def test_the_loop_never_ends_by_itself(connect: Connect, terminal: dict[str, Any]) -> None:
    client = connect("loops")
    assert client.message("Please echo 'Hello!'", tools=[terminal])["content"] == "Hello!"
    assert client.commands(client.run(RUN, DONE)) == ["echo TOOL_OK"]


def test_an_empty_answer_is_empty_in_both_forms(connect: Connect) -> None:
    client = connect("empty")
    assert client.message("Say hello.")["content"] == ""
    deltas = [event["choices"][0]["delta"] for event in client.events("Say hello.")[:-1]]
    assert [delta["content"] for delta in deltas if "content" in delta] == [""]


def test_the_finish_tool_ends_the_task_where_it_is_offered(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("finish-tool")
    finish = {"type": "function", "function": {"name": "finish"}}
    message = client.message("Please echo 'Hello!'", tools=[terminal, finish])
    assert message["tool_calls"][0]["function"] == {
        "name": "finish",
        "arguments": '{"message": "Hello!"}',
    }
    assert client.commands(client.message(RUN, tools=[terminal, finish])) == ["echo TOOL_OK"]
    assert client.message("Please echo 'Hello!'")["content"] == "Hello!"


def test_chatter_stands_around_an_answer_that_is_still_right(connect: Connect) -> None:
    content = connect("chatty").run(RUN, DONE)["content"]
    assert "exit code 0" in content and "OTHER" in content
    assert not content.startswith("The command")


def test_native_tools_are_rejected_and_the_prompt_without_them_is_not(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("no-native-tools")
    response = client.post(RUN, tools=[terminal])
    assert response.status_code == 400
    assert "--enable-auto-tool-choice" in response.json()["error"]["message"]
    assert client.message("Please echo 'Hello!'")["content"] == "Hello!"


def test_temperature_is_rejected_by_name_unless_it_is_the_default(connect: Connect) -> None:
    client = connect("rejects-temperature")
    error = client.post("Say hello.", temperature=0.5).json()["error"]
    assert (error["param"], error["code"]) == ("temperature", "unsupported_value")
    assert "does not support 0.5" in error["message"]
    assert client.post("Say hello.", temperature=1).status_code == 200
    assert client.post("Say hello.").status_code == 200


def test_a_bad_key_is_echoed_in_body_and_header(connect: Connect) -> None:
    client = connect("bad-key")
    for response in (client.post("Say hello."), client.http.get("models")):
        assert response.status_code == 401
        assert client.simulator.api_key in response.json()["error"]["message"]
        assert response.headers["x-received-key"] == client.simulator.api_key


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("rate-limited", 429, '"code":"rate_limit_exceeded"'),
        ("down", 503, "overloaded"),
        ("forbidden", 403, "insufficient permissions"),
        ("forbidden-region", 403, "unsupported_country_region_territory"),
        ("billing", 402, "Insufficient Balance"),
        ("not-found", 404, '"code":"model_not_found"'),
        ("html-404", 404, "<h1>404 Not Found</h1>"),
        ("html-200", 200, "<h1>It works!</h1>"),
        ("empty-body", 200, ""),
        ("error-500", 500, "server_error"),
        ("overloaded", 529, "overloaded_error"),
    ],
)
def test_a_refusal_looks_like_the_real_one_for_documents_and_streams(
    connect: Connect, name: str, status: int, words: str
) -> None:
    client = connect(name)
    for stream in (False, True):
        response = client.post("Say hello.", stream=stream)
        assert response.status_code == status
        assert words in response.text
        assert (response.text == "") == (words == "")
        html = response.headers["content-type"].startswith("text/html")
        assert html == name.startswith("html")
    assert client.post("Say hello.").headers.get("retry-after") == (
        "20" if name == "rate-limited" else None
    )


def test_a_truncated_document_is_shorter_than_announced(connect: Connect) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        connect("truncated-stream").post("Say hello.")


def test_a_truncated_stream_ends_without_finish_or_done(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    events = connect("truncated-stream").events(RUN, tools=[terminal])
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "[DONE]" not in events
    assert not any(event["choices"][0]["finish_reason"] for event in events)


def test_a_hanging_endpoint_accepts_and_says_nothing(connect: Connect) -> None:
    client = connect("hang")
    with pytest.raises(httpx.ReadTimeout):
        client.http.post("chat/completions", json={}, timeout=0.2)
    assert [entry.status for entry in client.simulator.journal] == [None]


def test_a_dripping_body_outlives_the_read_timeout(connect: Connect) -> None:
    client = connect("drip")
    received = b""
    started = time.perf_counter()
    with client.http.stream("POST", "chat/completions", json={}, timeout=0.2) as response:
        assert response.status_code == 200
        for chunk in response.iter_bytes():
            received += chunk
            if time.perf_counter() - started > 0.5:
                break
    assert len(received) > 3
    assert received.strip() == b""
