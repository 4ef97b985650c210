"""A real shell completes commands, options, and the names of profiles and providers."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import PROGRAM

COMPLETE = """
source ~/.bashrc
COMP_WORDS=({words}) COMP_CWORD={last}
_ohllm_completion ohllm
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def environ(folder: Path, tmp_path: Path) -> dict[str, str]:
    """With the command ``ohllm``, and a home in which nothing is installed."""
    program = tmp_path / "bin" / "ohllm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    return os.environ | {
        "HOME": str(tmp_path),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }


def run(environ: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env=environ, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_what_is_typed(ohllm: Any, environ: dict[str, str], tmp_path: Path) -> None:
    for name in ("mine", "more", "other"):
        ohllm("profiles", "add", name, "--model", "openai/x", "--base-url", "http://h/v1")
    assert "bash completion installed" in run(environ, "ohllm", "--install-completion", "bash")
    expected = {
        "ohllm prof": ["profiles"],
        "ohllm profiles ex": ["export"],
        "ohllm profiles show m": ["mine", "more"],
        "ohllm profiles show si": ["sim"],
        "ohllm profiles remove si": [],
        "ohllm profiles add x --preset gr": ["groq"],
        "ohllm profiles edit mine --uns": ["--unset"],
    }

    for typed, offered in expected.items():
        words = typed.split()
        script = COMPLETE.format(words=shlex.join(words), last=len(words) - 1)
        found = run(environ, "bash", "--norc", "-c", script).split()
        assert sorted(found) == offered, typed
