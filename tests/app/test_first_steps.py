"""What the README shows to somebody new, typed into a terminal as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_ohllm.simulator.server import Simulator
from tests import secret_service
from tests.app.conftest import PROGRAM
from tests.app.terminal import typed

README = Path(__file__).parents[2] / "README.md"
PROGRAMS = {
    "ohllm": [sys.executable, "-c", PROGRAM],
    "pytest": [sys.executable, "-m", "pytest", "--llm-stages=A,B,C"],
}


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with secret_service.running() as address, secret_service.used(address, monkeypatch):
        yield


def shown_commands() -> list[list[str]]:
    """The lines of the README's example that keeps the key in the keyring."""
    block = re.search(r"```\n([^`]*--api-key-keyring[^`]*)```", README.read_text(encoding="utf-8"))
    assert block is not None
    return [shlex.split(line)[2:] for line in block[1].strip().splitlines()]


@pytest.mark.usefixtures("keyring")
def test_add_check_and_run_with_the_key_in_the_keyring(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    commands = shown_commands()
    assert len(commands) <= 4
    with Simulator() as simulator:
        ours = {
            "openai/some-model": f"openai/{simulator.model}",
            "http://host/v1": simulator.base_url,
        }
        shown = []
        for program, *arguments in commands:
            words = [ours.get(word, word) for word in arguments]
            answers = [("the api_key", simulator.api_key)] if "--api-key-keyring" in words else []
            done = typed([*PROGRAMS[program], *words], answers)
            assert done.code == 0, done.shown
            shown.append(done.shown)
    assert "the key is accepted, the model is there" in shown[1]
    assert "WORKS" in shown[2]
    assert simulator.api_key not in "".join(shown)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if simulator.api_key.encode() in path.read_bytes()]
