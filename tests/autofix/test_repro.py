"""The scripts of a capsule, run by themselves: red as the SDK is, green with what helps it.

An earlier tool wrote a script that could not run; nobody had ever run it. Here each kind of
condition is played: a field that is there, one that is not, a type, another operation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.autofix import reading, selection
from pytest_ohllm.evidence.capsule import OFFLINE, REPRO, Capsule, write_capsule
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat

GREEN, RED, OTHER = 0, 1, 3
VARIABLE = "KEY_OF_SIMULATOR"

PLAYED = {
    "rejects-stop": "present",
    "null-content-rejected": "absent",
    "tools-need-responses": "url",
    "content-must-be-string": "type",
    "reasoning-required": "absent",
    "rejects-reasoning-effort": "present",
    "rejects-prompt-cache-key": "present",
    "content-list": None,
}
"""Personalities, and what tells the request that failed from the one that worked.

Of the last one it is the answer that cannot be read, which no setting changes.
"""


@dataclass
class Script:
    """A script of a capsule for a process of its own; ``settings`` go into its case."""

    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None

    def run(self) -> tuple[int, str, str]:
        """The exit code, the standard output and the standard error."""
        source = self.path.read_text(encoding="utf-8")
        more = f"\n\nCASE['settings'].update(json.loads({json.dumps(self.settings)!r}))\n"
        if "native_tool_calling" in self.settings:
            more += "CASE['scene'].pop('tool_mode', None)\n"  # else it wins
        ending = '\n\nif __name__ == "__main__":'
        assert source.count(ending) == 1
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "script.py")
            script.write_text(source.replace(ending, more + ending))
            done = subprocess.run(
                [sys.executable, "-P", str(script)],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": folder}
                | ({VARIABLE: self.key} if self.key else {}),
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
        return done.returncode, done.stdout, done.stderr


def played(scripts: Mapping[str, Script]) -> dict[str, tuple[int, str, str]]:
    """The exit codes, standard outputs and errors of scripts, of which two run side by side."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(scripts, pool.map(Script.run, scripts.values()), strict=True))


@contextmanager
def failing(name: str, compat: Compat, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """An endpoint with the personality, and a saved profile ``m`` that leads to it."""
    store = compat.path / "store"
    store.mkdir()
    monkeypatch.setenv("LLM_PROFILES_DIR", str(store))
    with Simulator(name) as simulator:
        monkeypatch.setenv(VARIABLE, simulator.api_key)
        settings = dict(builtin.simulated(f"sim:{name}").settings)
        settings |= {"base_url": simulator.base_url}
        kept = {field: value for field, value in settings.items() if value is not None}
        add("m", kept, {"api_key": VARIABLE}, folder=store)
        yield simulator


def capsule_of(compat: Compat, key: str) -> Capsule:
    """Run the suite on the profile, and make the capsule of the one cause that it fails of."""
    result = compat("--llm-profile=m", "--llm-timeout=20")
    assert result.folder is not None, result.output
    source, failures = reading.read(result.folder, [])
    (decision,) = selection.decide(source, failures, force=False)
    first = decision.cause.first
    return write_capsule(
        compat.path / "capsule",
        first.folder,
        profile=first.profile,
        sdk=source.sdk,
        packages=source.packages,
        redactor=Redactor({"api_key": key}),
    )


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.slow
def test_the_scripts_show_the_failure_and_that_it_is_gone(
    name: str, compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    online, offline = (compat.path / "capsule" / one for one in (REPRO, OFFLINE))
    with failing(name, compat, monkeypatch) as simulator:
        capsule = capsule_of(compat, simulator.api_key)
        assert (capsule.online, capsule.offline, capsule.gap) == (True, True, "")
        asked = len(simulator.journal)
        remedy = capsule.diagnosis.remedy
        scripts = {
            "online": Script(online, key=simulator.api_key),
            "wrong key": Script(online, key="sk-sim-not-the-right-one"),
            "no key": Script(online),
        }
        if remedy:
            scripts["online, helped"] = Script(online, remedy.settings, key=simulator.api_key)
        ended = played(scripts)
        assert len(simulator.journal) > asked
    # Nothing answers there any more, which the twin does not mind.
    scripts = {"offline": Script(offline)}
    if remedy:
        scripts["offline, helped"] = Script(offline, remedy.settings)
    ended |= played(scripts)

    codes = {name: code for name, (code, _, _) in ended.items()}
    said = "\n".join(f"# {name}\n{out}{err[-2000:]}" for name, (_, out, err) in ended.items())
    expected = {"online": RED, "offline": RED, "wrong key": OTHER, "no key": OTHER}
    helped = {name: GREEN for name in codes if name.endswith("helped")}
    assert codes == expected | helped, said
    assert ended["offline"][1].startswith("RED, as it was seen: ")
    assert ended["wrong key"][1].startswith("OTHER: ")
    assert ended["no key"][1].startswith(f"set {VARIABLE} to a key for http://127.0.0.1:")
    assert simulator.api_key not in said + online.read_text() + offline.read_text()
    assert (remedy is None) is (PLAYED[name] is None)
    assert {one["kind"] for one in conditions(offline)} == ({PLAYED[name]} - {None})


def conditions(script: Path) -> list[dict[str, Any]]:
    """What the twin tells the two requests apart by."""
    names: dict[str, Any] = {}
    exec(compile(script.read_text(), str(script), "exec"), names)
    found: list[dict[str, Any]] = names["CASE"]["answers"]["conditions"]
    return found
