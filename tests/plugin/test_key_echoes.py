"""Endpoints that repeat the key wherever they can, over every protocol: nobody else gets to see it.

The suite runs as the user's process, and somebody watches all processes meanwhile. Here is a part
that takes a minute; with OHLLM_WHOLE_SUITE, as in the nox session ``suite``, the whole.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.sources import KeyFile, Source, Variable
from pytest_ohllm.simulator.server import Simulator
from tests.app.conftest import PROGRAM
from tests.conftest import NO_GATES, Result
from tests.plugin.conftest import Project, leaks
from tests.plugin.watch import Watch

pytestmark = pytest.mark.timeout(1500)

WHOLE = bool(os.environ.get("OHLLM_WHOLE_SUITE"))
PROTOCOLS = ("openai", "responses", "anthropic", "gemini", "ollama")
ECHOES = {
    "key-in-answers": "WORKS",
    "bad-key": "INCONCLUSIVE",
    "key-in-error-page": "INCONCLUSIVE",
    "key-in-commands": "DOES NOT WORK",
}
"""What an endpoint does with the key, and the verdict on it."""

OWN = """
import os
from pathlib import Path
import pytest

@pytest.mark.llm_stage("C")
def test_the_tool_prints_the_key(llm_driver):
    files = {"notes.txt": Path(os.environ["KEY_FILE"]).read_text()}
    transcript = llm_driver.converse("Please run `cat notes.txt`", allow=["cat notes.txt"],
                                     files=files)
    assert "REDACTED" in transcript.observations("terminal")[0].text
"""
"""A tool's output with the key in it, which no command of the packaged suite has."""

AUDIT = """
import os, sys
from pathlib import Path

KEY, STARTED = Path(os.environ["KEY_FILE"]).read_text(), Path(os.environ["STARTED"])

def note(event, arguments):
    if event == "subprocess.Popen":
        program, _, _, environ = arguments
        leaked = KEY in str(dict(os.environ if environ is None else environ))
        with STARTED.open("a") as file:
            file.write(f"{os.path.basename(os.fsdecode(program))} {leaked}\\n")

sys.addaudithook(note)
"""
"""Notes the processes that Python starts, for those that end before anybody has looked at them."""

INI = {"junit_logging": "all", "junit_log_passing_tests": "true", "log_file_level": "DEBUG"}
EVERYWHERE = ("--showlocals", "--tb=long", "-rA", *(f"-o{k}={v}" for k, v in INI.items()))
FILES = ("--log-file=debug.log", "--junitxml=junit.xml", "--html=report.html")


@dataclass(frozen=True)
class Canary:
    """What a run with the key left behind, and what was seen of its processes."""

    key: str
    folder: Path
    result: Result
    watch: Watch

    @property
    def verdicts(self) -> dict[str, str]:
        return {profile.name: profile.verdict for profile in self.result.run.profiles}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """With a short name, so that the throw-away homes of the run are made within."""
    folder = Path(tempfile.mkdtemp(prefix="echo-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def canary(folder: Path, personalities: list[str], *options: str, variable: str = "") -> Canary:
    """Run the packaged suite for these personalities, which all have the same key.

    The key stands in the environment of pytest, if there is a ``variable``, else in a file.
    """
    key = f'zebra"~{secrets.token_hex(6)}<77>walrus&otter%31/{secrets.token_hex(6)}'
    for name in ("project", "tmp", "store", "private"):
        (folder / name).mkdir(parents=True)
    key_file = folder / "private" / "key"
    key_file.touch(0o600)
    key_file.write_text(key)
    project = Project(folder / "project")
    project.write("test_own.py", OWN)
    project.write("conftest.py", AUDIT)
    environ = {"KEY_FILE": str(key_file), "TMPDIR": str(folder / "tmp")}
    environ["STARTED"] = str(folder / "started")
    environ |= {"LLM_PROFILES_DIR": str(folder / "store")} | ({variable: key} if variable else {})
    with ExitStack() as running:
        names = []
        for personality in personalities:
            simulator = running.enter_context(Simulator(personality, api_key=key))
            settings = dict(builtin.simulated(f"sim:{personality}").settings)
            settings |= {"base_url": simulator.base_url}
            kept = {field: value for field, value in settings.items() if value is not None}
            names.append(personality.replace("+", "."))
            source: Source = Variable(variable) if variable else KeyFile(key_file)
            add(names[-1], kept, {"api_key": source}, folder=folder / "store")
        arguments = [
            *("test_own.py", "--pyargs", "compat_suite", *EVERYWHERE, *FILES, *options),
            *(f"--llm-profile={name}" for name in names),
        ]
        users_process = (sys.executable, "-m", "pytest", NO_GATES, *arguments)
        with Watch(key, exempt=users_process if variable else ()) as watch:
            result = project.run(*arguments, env=environ, timeout=1200)
    return Canary(key, folder, result, watch)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Canary:
    """One process, in whose environment the user has put the key."""
    echoes = ECHOES if WHOLE else [echo for echo in ECHOES if echo != "key-in-commands"]
    chosen = [f"{protocol}+{echo}" for protocol in PROTOCOLS for echo in echoes]
    gates = "--llm-gates=auto" if WHOLE else "--llm-gates=streaming"
    return canary(folder / "plain", chosen, gates, variable="MY_OWN_KEY")


@pytest.fixture(scope="module")
def distributed(folder: Path) -> Canary:
    """Two workers, and the processes that scenarios start; the key lies in a file."""
    protocols = PROTOCOLS if WHOLE else ("anthropic",)
    chosen = [f"{protocol}+key-in-answers" for protocol in protocols] + ["key-in-commands"]
    return canary(folder / "n2", chosen, "--llm-gates=auto,resume,server,mcp", "-n2")


@pytest.fixture(params=["plain", "distributed"])
def ran(request: pytest.FixtureRequest) -> Canary:
    found: Canary = request.getfixturevalue(request.param)
    return found


def test_every_endpoint_was_asked_and_repeated_the_key(ran: Canary) -> None:
    assert ran.verdicts == {name: ECHOES[name.split(".")[-1]] for name in ran.verdicts}
    for folder in (ran.folder / "project").glob(".ohllm/runs/*/profiles/*"):
        texts = [path.read_text() for path in folder.rglob("*.json*")]
        assert sum(text.count("[REDACTED:") for text in texts) > 3, folder.name
    assert "INTERNALERROR" not in ran.result.output


def test_no_file_and_no_line_of_the_terminal_has_the_key(ran: Canary) -> None:
    private = ran.folder / "private" / "key"
    private.unlink(missing_ok=True)

    assert leaks(ran.key, ran.result.output, ran.folder) == []
    assert Redactor({"it": ran.key}).scan_folder(ran.folder) == []
    assert Redactor({"it": ran.key}).contains(ran.result.output) == []


def test_no_stream_spells_the_key(ran: Canary) -> None:
    """Frame by frame it would stand in pieces, which anybody can put together."""
    streams = [
        exchange["response"]
        for file in ran.result.files("profiles/**/exchanges.jsonl")
        for exchange in map(json.loads, file.read_text().splitlines())
        if isinstance(exchange["response"], str)
    ]
    spelled = [text for stream in streams for text in texts(stream)]

    assert any("[REDACTED" in text for text in spelled)
    assert not [text for text in spelled if leaks(ran.key, text)]


def test_no_arguments_and_no_environment_of_a_child_have_the_key(ran: Canary) -> None:
    started = (ran.folder / "started").read_text().splitlines()
    assert "git False" in started
    # pytest-metadata asks for the name of the machine, as it does without this project.
    assert {line for line in started if line.endswith("True")} <= {"uname True"}
    assert not ran.watch.told
    assert any("bash" in seen or "tmux" in seen for seen in ran.watch.seen), ran.watch.seen
    if ran.folder.name == "n2":
        assert any("pytest_ohllm.sdk.resumption" in seen for seen in ran.watch.seen)
        assert any("mcp_server.py" in seen for seen in ran.watch.seen)


def test_an_export_of_the_profiles_does_not_have_the_key(ran: Canary) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "profiles", "export"],
        capture_output=True,
        text=True,
        env=os.environ | {"LLM_PROFILES_DIR": str(ran.folder / "store"), "MY_OWN_KEY": ran.key},
        check=True,
    )

    assert "key-in-answers" in done.stdout
    assert leaks(ran.key, done.stdout + done.stderr) == []


def test_the_watch_would_see_the_key() -> None:
    program = [sys.executable, "-c", "import time; time.sleep(0.5)"]
    secret = f"canary-{secrets.token_hex(8)}"
    with Watch(secret) as watch:
        subprocess.run([*program, secret], check=True)
        subprocess.run(program, env={"INHERITED": secret}, check=True)
    with Watch(secret, exempt=tuple(program)) as lenient:
        subprocess.run(program, env={"ITS_OWN": secret}, check=True)

    assert {told.split(" of ")[0] for told in watch.told} >= {
        "raw in the arguments",
        "raw in the environment",
    }
    assert not lenient.told


def texts(stream: str) -> list[str]:
    """What the frames of a stream say at each place, put together."""
    said: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)

    def collect(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, str):
            said[path].append(value)
        elif isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, one in items:
                collect(one, (*path, str(key)))

    for line in stream.splitlines():
        data = line.removeprefix("data:").strip()
        if data.startswith("{"):
            collect(json.loads(data), ())
    return ["".join(pieces) for pieces in said.values()]
