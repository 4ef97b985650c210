from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Connect = Callable[..., Any]

RESULT = (
    "\x1b[?2004lNONCE-7f3\n  second line\n\x1b[?2004h\n"
    "[The command completed with exit code 3.]\n"
    "[Current working directory: /somewhere]\n"
    "[Python interpreter: /usr/bin/python3]\n"
    "[Command finished with exit code 3]"
)

PROMPT_BASED = """You are an agent.
You have access to the following functions:

---- BEGIN FUNCTION #1: terminal ----
Description: Execute a shell command.
Parameters:
  (1) security_risk (string, optional): Risk.
Allowed values: [`LOW`, `HIGH`]
  (2) command (string, required): The shell command (one, please): any.
---- END FUNCTION #1 ----

---- BEGIN FUNCTION #2: finish ----
Description: Signals the completion.
Parameters:
  (1) message (string, required): Final message.
---- END FUNCTION #2 ----
"""
EXAMPLE = """Here's a running example.
USER: EXECUTION RESULT of [terminal]:
wrong
<function=terminal>
<parameter=command>pwd</parameter>
</function>
--------------------- NEW TASK DESCRIPTION ---------------------
{task}
--------------------- END OF NEW TASK DESCRIPTION ---------------------
PLEASE follow the format strictly!
"""


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Say hello in one word.", "hello"),
        ("Please echo 'Hello!'", "Hello!"),
        ('Please echo "Hello!"', "Hello!"),
        ("Reply with exactly `PONG`.", "PONG"),
        ("Do not run `rm -rf x`. Just say 'ok'.", "ok"),
    ],
)
def test_words_that_a_prompt_asks_for_are_said_without_a_tool(
    connect: Connect, terminal: dict[str, Any], prompt: str, words: str
) -> None:
    message = connect().message(prompt, tools=[terminal])
    assert message["content"] == words
    assert "tool_calls" not in message


@pytest.mark.parametrize(
    ("prompt", "command"),
    [
        ("Run `echo TOOL_OK` with the terminal tool.", "echo TOOL_OK"),
        ("Use the `terminal` tool to run `cat 'a b'`, then answer as `code: N`.", "cat 'a b'"),
        ("What does `cat nonce` print? Use the terminal.", "cat nonce"),
        ("run 'ls -la' in the terminal", "ls -la"),
        ("Execute the command echo hi in the terminal.", "echo hi"),
        ("Run the command: ls -la", "ls -la"),
        ("Use the terminal to echo TOOL_OK.", "echo TOOL_OK"),
        ("Run this in the terminal:\n\n```bash\ncd x\nls\n```\nThanks", "cd x\nls"),
    ],
)
def test_the_command_in_the_prompt_is_the_one_that_is_called(
    connect: Connect, terminal: dict[str, Any], prompt: str, command: str
) -> None:
    client = connect()
    response = client.post(prompt, tools=[terminal]).json()["choices"][0]
    assert client.commands(response["message"]) == [command]
    assert response["finish_reason"] == "tool_calls"
    assert response["message"]["content"] is None


def test_two_commands_are_run_one_after_the_other(connect: Connect) -> None:
    client = connect()
    prompt = "Run `first` and then `second` with the terminal."
    message = client.run(prompt, "one\n[Command finished with exit code 0]")
    assert client.commands(message) == ["second"]


def test_the_report_holds_what_the_tool_printed_and_its_exit_code(connect: Connect) -> None:
    message = connect().run("Run `cat nonce` with the terminal.", RESULT)
    assert "exit code 3" in message["content"]
    assert message["content"].endswith(":\nNONCE-7f3\n  second line")
    assert "tool_calls" not in message


def test_a_long_blank_result_is_reported_at_once(connect: Connect) -> None:
    blank = " \n" * 50_000
    result = f"first\n{blank}[Command finished with exit code 0]{blank}"
    # Within the client's timeout: a careless pattern takes 25 s for this.
    content = connect().run("Run `cat nonce` with the terminal.", result)["content"]
    assert content == ("The command `cat nonce` finished with exit code 0. Its output was:\nfirst")


def test_a_rejected_command_is_reported_and_not_repeated(connect: Connect) -> None:
    message = connect().run("Run `cat nonce` with the terminal.", "Action rejected: not allowed")
    assert "Action rejected: not allowed" in message["content"]
    assert "exit code 0" not in message["content"]


def test_a_nudge_does_not_replace_the_task(connect: Connect, terminal: dict[str, Any]) -> None:
    client = connect()
    nudge = (
        "Your last response did not include a function call or a message. "
        "Please use a tool to proceed with the task."
    )
    history = [
        {"role": "user", "content": "Run `echo hi` with the terminal."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": nudge},
    ]
    assert client.commands(client.message(history, tools=[terminal])) == ["echo hi"]


def test_a_new_request_is_answered_and_not_the_one_before_it(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect()
    history = client.history("Run `cat nonce` with the terminal.", RESULT)
    history += [
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "Please echo 'again'"},
    ]
    assert client.message(history, tools=[terminal])["content"] == "again"


def test_a_title_request_between_two_turns_gets_a_title(connect: Connect) -> None:
    prompt = (
        "Generate a title (maximum 12 characters) for a conversation that starts with this "
        "message:\n\nRun `echo TOOL_OK` with the terminal."
    )
    content = connect().message(prompt)["content"]
    assert 0 < len(content) <= 12


def test_without_a_terminal_nothing_is_claimed(connect: Connect) -> None:
    content = connect().message("Run `echo TOOL_OK` with the terminal.")["content"]
    assert "cannot run" in content
    assert "exit code" not in content


def test_a_tool_is_known_as_a_terminal_by_its_free_text_command(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    editor: dict[str, Any] = {
        "type": "function",
        "function": {
            "name": "editor",
            "parameters": {"properties": {"command": {"enum": ["view", "create"]}}},
        },
    }
    shell = json.loads(json.dumps(terminal).replace('"terminal"', '"my_shell"'))
    message = connect().message("Run `ls` in the shell.", tools=[editor, shell])
    assert message["tool_calls"][0]["function"]["name"] == "my_shell"


def test_tools_described_in_the_prompt_are_called_in_the_prompt_based_format(
    connect: Connect,
) -> None:
    task = EXAMPLE.format(task="Run `echo TOOL_OK` with the terminal.")
    history = [
        {"role": "system", "content": PROMPT_BASED},
        {"role": "user", "content": task},
    ]
    message = connect().message(history)
    assert message["content"] == (
        "<function=terminal>\n<parameter=command>echo TOOL_OK</parameter>\n"
        "<parameter=security_risk>LOW</parameter>\n</function>"
    )
    assert "tool_calls" not in message


def test_results_told_in_the_prompt_based_format_are_reported(connect: Connect) -> None:
    history = [
        {"role": "system", "content": [{"type": "text", "text": PROMPT_BASED}]},
        {"role": "user", "content": EXAMPLE.format(task="Run `cat nonce` with the terminal.")},
        {
            "role": "assistant",
            "content": "<function=terminal>\n<parameter=command>cat nonce</parameter>\n</function>",
        },
        {"role": "user", "content": f"EXECUTION RESULT of [terminal]:\n{RESULT}"},
    ]
    content = connect().message(history)["content"]
    assert content.startswith("The command `cat nonce` finished with exit code 3.")
    assert "NONCE-7f3" in content


def test_a_stop_sequence_ends_the_text_before_it(connect: Connect) -> None:
    history = [
        {"role": "system", "content": PROMPT_BASED},
        {"role": "user", "content": "Run `ls` with the terminal."},
    ]
    content = connect().message(history, stop=["</function"])["content"]
    assert content.endswith("</parameter>\n")


def test_a_token_limit_cuts_the_answer_and_says_so(connect: Connect) -> None:
    body = connect().post("Please echo 'a rather long answer'", max_tokens=1).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == "a ra"


def test_prompt_tokens_grow_with_the_history(connect: Connect) -> None:
    client = connect()
    short = [{"role": "user", "content": "Say hello."}]
    long = [*short, {"role": "assistant", "content": "hello"}, *short]
    sizes = [client.post(history).json()["usage"] for history in (short, long)]
    assert sizes[0]["prompt_tokens"] < sizes[1]["prompt_tokens"]
    assert all(u["total_tokens"] == u["prompt_tokens"] + u["completion_tokens"] for u in sizes)
