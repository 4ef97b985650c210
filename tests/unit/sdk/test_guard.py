from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_ohllm.sdk.guard import CommandGuard, shorten

WORKSPACE = Path("/somewhere/workspace-1")

WORD = st.text(
    st.sampled_from("ab1 -_./:,=%+@!'\"\\$`*?[]{}~#&|;<>()^\u00a0é"), min_size=1, max_size=6
)
COMMANDS = st.lists(WORD, min_size=1, max_size=3)


def allows(command: str, *allowed: str) -> bool:
    guard = CommandGuard(allowed, WORKSPACE)
    return guard.refusal("terminal", {"command": command}) is None


def argv(command: str) -> list[str] | None:
    """The arguments that bash makes of ``command`` in an empty folder, ``None`` if it refuses."""
    done = subprocess.run(
        ["bash", "--norc", "-c", f"printf '%s\\0' {command}"],
        capture_output=True,
        text=True,
        cwd="/var/empty" if Path("/var/empty").is_dir() else "/",
        check=False,
    )
    return done.stdout.split("\0")[:-1] if done.returncode == 0 else None


@st.composite
def spellings(draw: st.DrawFn) -> tuple[list[str], str]:
    """Words, and a command that consists of them in one of the ways in which models write."""
    words = draw(COMMANDS)
    written = [
        draw(
            st.sampled_from(
                [word, shlex.quote(word), f'"{word}"', f"'{word}'", f"./{word}", f"\\{word}"]
            )
        )
        for word in words
    ]
    return words, " ".join(written)


@settings(max_examples=400, deadline=None)
@given(spellings())
@example((["echo", "a;b"], "echo a;b"))
@example((["echo", "$HOME"], 'echo "$HOME"'))
@example((["echo", "*"], "echo *"))
@example((["echo", "a>b"], "echo a>b"))
@example((["echo", "{a,b}"], "echo {a,b}"))
@example((["echo", "a", "#"], "echo a #"))
@example((["echo", "~"], "echo ~"))
def test_what_is_allowed_is_what_a_shell_makes_of_it(case: tuple[list[str], str]) -> None:
    words, command = case
    allowed = shlex.join(words)
    if not allows(command, allowed) or command.strip() == allowed:
        return

    seen = argv(command)

    assert seen is not None, command
    first, *others = words
    expected = [first, *(word.removeprefix("./") for word in others)]
    assert [seen[0], *(word.removeprefix("./") for word in seen[1:])] == expected


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("|&;<>()$`*?[]{}~#\n\r\t"), min_size=1, max_size=4), st.booleans())
def test_nothing_can_be_added_to_a_command(more: str, before: bool) -> None:
    allowed = "cat nonce.txt"

    command = f"{more}{allowed}" if before else f"{allowed}{more}"

    assert not allows(command, allowed) or command.strip("\n") == allowed


@settings(max_examples=200, deadline=None)
@given(COMMANDS)
def test_the_command_itself_is_always_allowed(words: list[str]) -> None:
    allowed = shlex.join(words)

    assert allows(allowed, allowed)


@pytest.mark.parametrize(
    "command",
    [
        "echo 'Hello!'",
        'echo "Hello!"',
        "echo Hello!",
        "echo Hello\\!",
        "  echo   'Hello!'  ",
        "echo 'Hello!'\n",
        "cd . && echo 'Hello!'",
        f"cd {WORKSPACE} && echo 'Hello!'",
        f"cd '{WORKSPACE}'&&echo Hello!",
    ],
)
def test_harmless_spellings_of_a_command_run(command: str) -> None:
    assert allows(command, "echo 'Hello!'")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "echo",
        "echo hello!",
        "echo Hello! there",
        "echo 'Hello!' > file",
        "echo 'Hello!' | cat",
        "echo 'Hello!'; id",
        "echo 'Hello!' & id",
        "echo 'Hello!' && id",
        "echo 'Hello!'\nid",
        "echo 'Hello!'\rid",
        "\techo 'Hello!'",
        "echo 'Hello!'\x03",
        "echo 'Hello!",
        "echo $(echo 'Hello!')",
        "echo $'Hello!'",
        "FOO=1 echo 'Hello!'",
        "/bin/echo 'Hello!'",
        "cd /etc && echo 'Hello!'",
        "cd && echo 'Hello!'",
        "cd . && cd . && echo 'Hello!'",
        "cd . || echo 'Hello!'",
        "cd $(id) && echo 'Hello!'",
        "id && echo 'Hello!'",
        f"cd {WORKSPACE}/.. && echo 'Hello!'",
        "\u00a0echo 'Hello!'",
    ],
)
def test_everything_else_is_refused(command: str) -> None:
    assert not allows(command, "echo 'Hello!'")


def test_a_command_with_shell_syntax_runs_only_to_the_letter() -> None:
    allowed = "cat nonce.txt; (exit 3)"

    assert allows(allowed, allowed)
    assert not allows("cat nonce.txt ; (exit 3)", allowed)
    assert not allows("cat 'nonce.txt;' '(exit' '3)'", allowed)


def test_a_path_may_be_written_with_or_without_the_current_folder() -> None:
    assert allows("cat ./nonce.txt", "cat nonce.txt")
    assert allows("cat nonce.txt", "cat ./nonce.txt")
    assert not allows("./cat nonce.txt", "cat nonce.txt")


def test_other_tools_and_keystrokes_are_refused() -> None:
    guard = CommandGuard(["ls"], WORKSPACE)

    assert guard.refusal("finish", {"message": "done"}) is None
    assert "'browser'" in str(guard.refusal("browser", {"command": "ls"}))
    assert "typing" in str(guard.refusal("terminal", {"command": "ls", "is_input": True}))
    assert guard.refusal("terminal", {}) is not None


def test_a_refusal_is_one_short_line() -> None:
    refusal = CommandGuard(["ls"], WORKSPACE).refusal("terminal", {"command": "x\n" * 500})

    assert refusal is not None
    assert "\n" not in refusal
    assert len(refusal) < 200


def test_texts_are_shortened_to_one_line() -> None:
    assert shorten("a\n b") == "a b"
    assert shorten("abcdef", 4) == "abc…"
