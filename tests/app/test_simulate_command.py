from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.latency import Latency


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


def _first_words(table: str) -> list[str]:
    """The names in a table's first column; a row that goes on in further lines has one name."""
    lines = table.splitlines()[2:]
    return [line.split()[0] for line in lines if not line.startswith(" ")]


def test_the_personalities_are_listed_with_what_the_suite_must_conclude(ohllm: Any) -> None:
    done = ohllm("simulate", "--list")
    assert (done.code, done.err) == (0, "")
    assert _first_words(done.out) == list(personalities.names())
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert "DOES NOT WORK; fails C (model_limitation)" in rows["parrot"]
    assert "chat: never calls a tool" in rows["parrot"]
    assert "WORKS; fails D vision (model_limitation)" in rows["image-dropped"]
    assert "remedy disable_stop_word=true" in rows["rejects-stop"]
    assert "INCONCLUSIVE; fails A (credentials)" in rows["bad-key"]
    assert "remedy temperature=null" in rows["rejects-temperature"]


def test_the_list_fits_a_terminal_and_names_stay_whole(
    ohllm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = ohllm("simulate", "--list").out
    assert max(map(len, table.splitlines())) <= 80
    assert _first_words(table) == list(personalities.names())
    for verdict in ("WORKS WITH SETTINGS", "DOES NOT WORK", "(model_limitation)"):
        assert verdict in table


def test_the_list_as_json_has_these_keys(ohllm: Any) -> None:
    done = ohllm("simulate", "--list", "--json")
    data = json.loads(done.out)
    assert (done.code, done.err) == (0, "") and set(data) == {"schema_version", "personalities"}
    assert data["schema_version"] == 1
    assert [row["name"] for row in data["personalities"]] == list(personalities.names())
    by_name = {row["name"]: row for row in data["personalities"]}
    assert by_name["rejects-stop"] == {
        "name": "rejects-stop",
        "protocol": "chat",
        "description": by_name["rejects-stop"]["description"],
        "healthy": False,
        "verdict": "WORKS WITH SETTINGS",
        "stage": "B",
        "gate": None,
        "kind": "sdk_gap",
        "remedy": {"disable_stop_word": True},
    }


def test_json_without_the_list_is_a_mistake(ohllm: Any) -> None:
    done = ohllm("simulate", "--json")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("ohllm: error: --json goes with --list")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would have been served."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("pytest_ohllm.simulator.serve.serve", lambda **how: given.update(how))
    return given


def test_pace_and_seed_reach_the_server(ohllm: Any, served: dict[str, Any]) -> None:
    pace = ("--first-token", "1.5", "--tokens-per-second", "40", "--jitter", "0.2")
    assert ohllm("simulate", *pace, "--seed", "7").code == 0
    assert (served["latency"], served["seed"]) == (Latency(1.5, 40.0, 0.2), 7)


def test_without_these_options_nothing_waits(ohllm: Any, served: dict[str, Any]) -> None:
    assert ohllm("simulate").code == 0
    assert (served["latency"], served["seed"]) == (Latency(), 0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--first-token", "-1"),
        ("--first-token", "nan"),
        ("--first-token", "inf"),
        ("--first-token", "soon"),
        ("--tokens-per-second", "0"),
        ("--tokens-per-second", "nan"),
        ("--jitter", "1.01"),
        ("--jitter", "-0.1"),
        ("--jitter", "nan"),
        ("--seed", "x"),
    ],
)
def test_a_pace_that_is_none_is_a_mistake(
    option: str, value: str, ohllm: Any, served: dict[str, Any]
) -> None:
    done = ohllm("simulate", option, value)
    assert (done.code, done.out, served) == (4, "", {})
    assert done.err.startswith("ohllm: error: ") and option in done.err
    assert done.err.count("\n") == 1


def test_an_answer_takes_the_time_that_was_asked_for(folder: Path) -> None:
    with _simulating("--first-token", "0.4", "--tokens-per-second", "1000") as (_, text):
        url = _found(r"(http://127\.0\.0\.1:\d+/v1)", text)
        key = _found(r"^export OHLLM_SIM_KEY=(\S+)\n", text)
        question = {"model": "sim-default", "messages": [{"role": "user", "content": "Say hello."}]}
        started = time.monotonic()
        answer = httpx.post(
            f"{url}/chat/completions", json=question, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 200 and time.monotonic() - started >= 0.4
