"""What the agent can do beyond one command, judged from what really arrived."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from compat_suite import prompts
from pytest_ohllm.simulator import picture, seal
from tests.simulator.conformance import ENCODED, PICTURE, SEEN, png

Connect = Callable[..., Any]

OK = "[The command completed with exit code 0.]"
FAILED = "[The command completed with exit code 1.]"
FALL_BACK = prompts.FALL_BACK.format(failing="cat none", working="cat some")
TWO = prompts.TWO_COMMANDS.format(first="cat a", second="cat b")


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _answered(call: dict[str, Any], *results: str) -> list[dict[str, Any]]:
    """A message with calls and a result for each."""
    told = zip(call["tool_calls"], results, strict=True)
    return [
        call,
        *({"role": "tool", "tool_call_id": c["id"], "content": text} for c, text in told),
    ]


def test_counting_takes_thirty_lines_and_nothing_else(connect: Connect) -> None:
    lines = connect().message(prompts.COUNT)["content"].split("\n")
    assert lines[0] == "one" and lines[20] == "twenty-one" and lines[-1] == "thirty"
    assert len(lines) == 30


def test_a_word_is_remembered_from_the_history_only(connect: Connect) -> None:
    client = connect()
    told = [_user(prompts.REMEMBER.format(word="plum-7a"))]
    said = client.message(told)
    assert said["content"] == "OK"
    history = [*told, said, _user(prompts.RECALL)]
    assert client.message(history)["content"] == "plum-7a"
    assert "I do not know" in client.message(prompts.RECALL)["content"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"data:image/png;base64,{ENCODED}", SEEN),
        ("https://example.org/x.png", "I see no picture"),
        ("data:image/png;base64,AAAA", "cannot make out the picture: this is not a PNG"),
    ],
)
def test_a_picture_is_judged_by_its_bytes(connect: Connect, url: str, words: str) -> None:
    parts = [
        {"type": "text", "text": prompts.COLOURS},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert words in connect().message([{"role": "user", "content": parts}])["content"]


def test_a_picture_that_did_not_arrive_is_not_described(connect: Connect) -> None:
    assert "no picture" in connect().message(prompts.COLOURS)["content"]


def test_every_row_filter_of_a_png_is_undone() -> None:
    pixels = picture.decode(png("red", "green", "blue", "white", size=20))
    assert {pixels.at(x, y) for x in range(10) for y in range(10)} == {(255, 0, 0)}
    assert {pixels.at(x, y) for x in range(10, 20) for y in range(10, 20)} == {(255, 255, 255)}


@pytest.mark.parametrize(
    "damaged",
    [b"", PICTURE[:-40], PICTURE[:40], PICTURE.replace(b"\x08\x02", b"\x10\x02", 1), b"GIF89a"],
)
def test_a_damaged_picture_is_unreadable(damaged: bytes) -> None:
    with pytest.raises(picture.Unreadable):
        picture.quadrants(damaged)


def test_two_commands_are_called_at_once_and_both_results_told(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect()
    call = client.message(TWO, tools=[terminal])
    assert client.commands(call) == ["cat a", "cat b"]
    history = [_user(TWO), *_answered(call, f"W-1\n{OK}", f"W-2\n{OK}")]
    content = client.message(history, tools=[terminal])["content"]
    assert "`cat a`" in content and "W-1" in content and "W-2" in content


def test_what_a_command_printed_is_remembered_in_the_next_turn(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect()
    history = client.history("Run `cat a` with the terminal.", f"word-1\n{OK}")
    history += [client.message(history, tools=[terminal]), _user(prompts.RECALL_OUTPUT)]
    assert client.message(history, tools=[terminal])["content"] == "word-1"
    assert "I do not know" in client.message(prompts.RECALL_OUTPUT)["content"]


@pytest.mark.parametrize(("first", "then"), [(FAILED, ["cat some"]), (OK, [])])
def test_the_second_command_runs_only_if_the_first_failed(
    connect: Connect, terminal: dict[str, Any], first: str, then: list[str]
) -> None:
    client = connect()
    call = client.message(FALL_BACK, tools=[terminal])
    assert client.commands(call) == ["cat none"]
    history = [_user(FALL_BACK), *_answered(call, f"no such file\n{first}")]
    assert client.commands(client.message(history, tools=[terminal])) == then


def test_of_a_long_output_the_ends_are_told(connect: Connect) -> None:
    prompt = prompts.LONG_OUTPUT.format(command="cat long")
    output = "\n".join(
        [
            "[Previous command outputs are truncated. Showing the last 9 lines of the output.]",
            "\u05e9\u05dc\u05d5\u05dd first",
            *map(str, range(5000)),
            "<response clipped><NOTE>Due to the max output limit</NOTE>",
            "last \U0001f389",
            OK,
        ]
    )
    content = connect().run(prompt, output)["content"]
    assert "The first line is: \u05e9\u05dc\u05d5\u05dd first\n" in content
    assert content.endswith("The last line is: last \U0001f389")
    assert len(content) < 300


def test_a_tool_is_called_by_name_with_the_given_arguments(connect: Connect) -> None:
    arguments = {"order": {"items": [{"name": "x", "tags": []}], "note": None}, "count": 2}
    prompt = prompts.CALL_WITH_JSON.format(tool="place", arguments=json.dumps(arguments, indent=2))
    schema = {"type": "object", "properties": {"order": {}, "security_risk": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "place", "parameters": schema}}
    client = connect()
    call = client.message(prompt, tools=[tool])
    given = json.loads(call["tool_calls"][0]["function"]["arguments"])
    assert given == {**arguments, "security_risk": "LOW"}
    history = [_user(prompt), *_answered(call, "[Tool 'place' executed.]\nRECEIPT-1")]
    assert "RECEIPT-1" in client.message(history, tools=[tool])["content"]
    assert "no tool `place`" in client.message(prompt)["content"]


def test_a_sum_needs_no_tool(connect: Connect, terminal: dict[str, Any]) -> None:
    message = connect().message(prompts.NO_TOOL.format(left=17, right=25), tools=[terminal])
    assert message["content"] == "42" and "tool_calls" not in message


CONDENSER = {"role": "system", "content": "You are maintaining a context-aware state summary for"}


def _events(*events: str) -> dict[str, Any]:
    shown = "\n\n".join(f"<EVENT>\n{event}\n</EVENT>" for event in events)
    return _user(f"{shown}\n\nNow summarize the events using the rules above.")


def test_a_summary_keeps_the_word_and_the_open_request(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect()
    told = "MessageEvent (user)\n  user: " + prompts.REMEMBER.format(word="plum-7a")
    asked = "MessageEvent (user)\n  user: Run `cat a` with the terminal."
    events = _events(told, "MessageEvent (agent)\n  assistant: OK", asked)
    summary = client.message([CONDENSER, events])["content"]
    assert summary.index("plum-7a") < 500, "the condenser shows no more of it the next time"
    history = [_user(summary)]
    assert client.commands(client.message(history, tools=[terminal])) == ["cat a"]
    history += [{"role": "assistant", "content": "done"}, _user(prompts.RECALL)]
    assert client.message(history)["content"] == "plum-7a"


def test_a_summary_in_one_message_with_the_next_request_is_told_apart(connect: Connect) -> None:
    client = connect()
    told = "MessageEvent (user)\n  user: " + prompts.REMEMBER.format(word="plum-7a")
    done = "MessageEvent (agent)\n  assistant: OK"
    summary = client.message([CONDENSER, _events(told, done)])["content"]
    parts = [{"type": "text", "text": text} for text in (summary, "Please echo 'next'")]
    assert client.message([{"role": "user", "content": parts}])["content"] == "next"


def test_a_result_that_was_condensed_is_not_asked_for_again(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect()
    result = f"ObservationEvent (environment)\n  Tool: terminal\n  Result: W-1\n{OK}"
    summary = client.message([CONDENSER, _events(result)])["content"]
    history = [_user("Run `cat a` with the terminal."), _user(summary)]
    message = client.message(history, tools=[terminal])
    assert "tool_calls" not in message and "W-1" in message["content"]


def test_a_seal_gives_back_its_text_and_nothing_else_does() -> None:
    sealed = seal.seal("a thought \u05e9")
    assert seal.unseal(sealed) == "a thought \u05e9"
    assert seal.unseal(sealed[:-8] + "AAAAAAA=") is None
    assert seal.unseal("not base64!") is None
    assert seal.unseal("c29tZXRoaW5nIGVsc2U=") is None
