"""A command in a pseudo-terminal, with somebody who answers its questions."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.app.conftest import PROGRAM

_SECONDS = 120.0


@dataclass(frozen=True)
class Dialogue:
    """What the terminal showed, and how the command ended."""

    code: int
    shown: str


def dialogue(arguments: Sequence[str], answers: Sequence[tuple[str, str]]) -> Dialogue:
    """Run ``ohllm`` with ``arguments``; each of ``answers`` is a question and what to type then."""
    return typed([sys.executable, "-c", PROGRAM, *arguments], answers)


def typed(command: Sequence[str], answers: Sequence[tuple[str, str]]) -> Dialogue:
    """The same for any command."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=os.environ | {"TERM": "dumb"},
    )
    os.close(theirs)
    try:
        shown = _talk(ours, list(answers))
        return Dialogue(process.wait(_SECONDS), shown)
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()


def _talk(terminal: int, answers: list[tuple[str, str]]) -> str:
    shown, seen, until = "", 0, time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        shown += data.decode(errors="replace").replace("\r\n", "\n")
        if answers and answers[0][0] in shown[seen:]:
            seen = len(shown)
            time.sleep(0.1)  # until it has turned its echo off
            os.write(terminal, answers.pop(0)[1].encode() + b"\n")
    assert not answers, (answers, shown)
    return shown
