"""Runs in processes of their own, shared by the tests of a module: each costs seconds."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from tests.conftest import NO_GATES, Result

_FOREIGN = ("OHLLM_", "OPENHANDS_", "LLM_", "OH_", "PYTEST_", "PY_COLORS")


class Project:
    """A folder with tests of a user, in which pytest is run as the user does.

    The packaged checks of stage D are left out unless the arguments hold a ``--llm-gates``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        """Put a file there; ``text`` may be indented."""
        (self.path / name).write_text(textwrap.dedent(text))

    def run(
        self, *arguments: str, env: dict[str, str] | None = None, timeout: float = 90
    ) -> Result:
        """Run pytest to its end."""
        process = self.start(*arguments, env=env)
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return self.result(process.returncode, output)

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start pytest in a process group of its own; its output is one stream."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        home = self.path / "home"
        home.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", NO_GATES, *arguments],
            cwd=self.path,
            env=kept | {"HOME": str(home)} | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def result(self, ret: int, output: str) -> Result:
        """What the latest run left."""
        runs = sorted((self.path / ".ohllm/runs").glob("*"), key=lambda run: run.stat().st_mtime)
        return Result(ret, output, runs[-1] if runs else None)

    def wait_for(self, pattern: str, seconds: float = 60) -> Path:
        """The first file below the project that matches, as soon as there is one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := sorted(self.path.glob(pattern)):
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no {pattern} within {seconds} s")


type MakeProject = Callable[[str], Project]


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> MakeProject:
    """Make an empty project with the given name."""

    def make(name: str) -> Project:
        return Project(tmp_path_factory.mktemp(name))

    return make


def refusal(result: Result) -> str:
    """The one line with which pytest refused to run."""
    lines = [line for line in result.output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    assert result.ret == 4, result.output
    assert len(errors) == 1, result.output
    assert "Traceback" not in result.output
    assert "INTERNALERROR" not in result.output
    assert result.folder is None, "a run that was refused leaves no folder"
    return errors[0]


def testcases(path: Path) -> list[tuple[str, dict[str, str], list[str]]]:
    """Each ``<testcase>`` of a JUnit file: its name, its properties, the tags of what it holds."""
    return [
        (
            case.get("name", ""),
            {p.get("name", ""): p.get("value", "") for p in case.iterfind("properties/property")},
            [element.tag for element in case if element.tag != "properties"],
        )
        for case in ElementTree.parse(path).iter("testcase")
    ]


testcases.__test__ = False  # type: ignore[attr-defined]


def html_rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The tests in a pytest-html report, which lie in one attribute as JSON."""
    found = re.search(r'data-jsonblob="([^"]*)"', path.read_text(encoding="utf-8"))
    assert found is not None, "this is no report of pytest-html"
    tests: dict[str, list[dict[str, Any]]] = json.loads(html.unescape(found[1]))["tests"]
    return tests


def disguises(secret: str) -> dict[str, bytes]:
    """The forms in which a secret would still be one, by name."""
    data = secret.encode()
    forms = {
        "raw": data,
        "reversed": data[::-1],
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "url": "".join(f"%{byte:02X}" for byte in data).encode(),
        "start": data[: len(data) // 2],
        "end": data[len(data) // 2 :],
    }
    for shift in range(3):
        # Without the characters that depend on what stands before and after it.
        encoded = base64.b64encode(bytes(shift) + data)
        forms[f"base64+{shift}"] = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
    return forms


def leaks(secret: str, output: str, *folders: Path) -> list[str]:
    """Where ``secret`` can be read, in the output or any file, in whatever form."""
    places = {"the output": output.encode()}
    for folder in folders:
        places |= {
            str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()
        }
        places |= {
            f"the name of {f.name}": str(f.relative_to(folder)).encode() for f in folder.rglob("*")
        }
    found = []
    for place, content in places.items():
        readings = {content, unquote(content.decode("utf-8", "replace")).encode()}
        for name, form in disguises(secret).items():
            if any(form in reading for reading in readings):
                found.append(f"{name} in {place}")
    return found
