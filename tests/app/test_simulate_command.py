from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pytest_ohllm.simulator import personalities


@contextmanager
def _simulating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    program = "from pytest_ohllm.app.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "simulate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if "Ctrl-C" in line:
                break
        yield process, text
    finally:
        process.kill()
        process.communicate()


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


def test_the_endpoint_answers_under_the_address_model_and_key_that_were_printed(
    folder: Path,
) -> None:
    with _simulating("--personality", "parrot") as (process, text):
        key = _found(r"^export OHLLM_SIM_KEY=(\S+)\n", text)
        url = _found(r"(http://127\.0\.0\.1:\d+/v1)", text)
        model = _found(r"openai/(sim-parrot)", text)
        question = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]}
        answers = [
            httpx.post(
                f"{url}/chat/completions", json=question, headers={"Authorization": f"Bearer {k}"}
            )
            for k in (key, "sk-wrong")
        ]
        assert [answer.status_code for answer in answers] == [200, 401]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_an_unknown_personality_is_a_mistake_with_the_nearest_one(ohllm: Any) -> None:
    done = ohllm("simulate", "--personality", "parot")
    assert (done.code, done.out) == (4, "")
    assert "no personality 'parot' (did you mean 'parrot'?)" in done.err


def test_a_port_that_is_taken_is_a_mistake(ohllm_process: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = ohllm_process("simulate", "--port", str(taken.getsockname()[1]))
    assert done.code == 4 and done.err.startswith("ohllm: error: ") and done.err.count("\n") == 1


def test_the_personalities_are_listed_with_what_they_do(ohllm: Any) -> None:
    lines = ohllm("simulate", "--list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(personalities.names())
    assert all(len(line.split()) > 2 for line in lines)
