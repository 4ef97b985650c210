from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import pytest


def test_both_console_scripts_lead_to_a_function() -> None:
    scripts = {script.name: script for script in entry_points(group="console_scripts")}
    for name in ("ohllm", "ohllm-autofix"):
        assert scripts[name].load().__name__ == "main"


def test_help_is_quick_and_lists_the_commands(ohllm_process: Any) -> None:
    started = time.perf_counter()
    done = ohllm_process("--help")
    seconds = time.perf_counter() - started
    assert done.code == 0 and done.err == ""
    assert "profiles" in done.out and "simulate" in done.out
    assert seconds < 3, f"took {seconds:.1f} s"  # 0.2 s on an idle machine


def test_help_imports_neither_pytest_nor_the_sdk() -> None:
    program = (
        "import sys\n"
        "from pytest_ohllm.app import cli\n"
        "assert cli.run(['--help']) == 0 and cli.run(['profiles', '--help']) == 0\n"
        "heavy = {'pytest', '_pytest', 'openhands', 'litellm', 'starlette', 'httpx'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


@pytest.mark.parametrize("arguments", [(), ("profiles",)])
def test_without_a_command_there_is_help(arguments: tuple[str, ...], ohllm: Any) -> None:
    done = ohllm(*arguments)
    assert done.code == 0 and "Usage: ohllm" in done.out


def test_the_version_names_the_sdk_too(ohllm: Any) -> None:
    done = ohllm("--version")
    expected = f"ohllm {version('pytest-ohllm')}, openhands-sdk {version('openhands-sdk')}\n"
    assert (done.code, done.out) == (0, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["profilse"], "No such command 'profilse'. Did you mean 'profiles'?"),
        (["profiles", "lsit"], "No such command 'lsit'. Did you mean 'list'?"),
        (["profiles", "add"], "Missing argument"),
        (["profiles", "add", "x"], "Missing option '--model'"),
        (["profiles", "show", "a", "b"], "unexpected extra argument"),
        (["profiles", "add", "x", "--modle", "y"], "--modle"),
        (["simulate", "--port", "many"], "--port"),
        (["simulate", "--port", "65536"], "--port"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_code_4(
    arguments: list[str], message: str, ohllm: Any
) -> None:
    done = ohllm(*arguments)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("ohllm: error: ") and message in done.err
    assert done.err.count("\n") == 1


def test_the_process_ends_with_that_code_and_no_traceback(ohllm_process: Any) -> None:
    done = ohllm_process("profiles", "show", "nope")
    assert done.code == 4 and done.out == ""
    assert done.err.startswith("ohllm: error: there is no profile 'nope'")
    assert done.err.count("\n") == 1


def test_a_reader_that_stops_reading_gets_no_traceback(folder: Path) -> None:
    program = (
        "import sys; from pytest_ohllm.app.cli import run; sys.stdin.read(); "
        "sys.exit(run(['profiles', 'list']))"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", program], text=True, **pipes) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.close()  # only now does it begin
        assert (process.wait(60), process.stderr.read()) == (1, "")  # as click has it
