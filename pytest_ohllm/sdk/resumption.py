"""Interrupt a persisted conversation, and let a new process go on with it.

Run as a module it is that process: a job comes on standard input, so that the key is in no argument
and in no environment, and the transcript leaves on standard output.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from pydantic import SecretStr

from pytest_ohllm.model import End, Profile, ToolMode, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk.conversation import Persistence, Production, play
from pytest_ohllm.sdk.scene import Scene

START_SECONDS = 60.0
"""Beyond the time for the scene: a new process imports the SDK."""


class ResumptionFailed(Exception):
    """The new process ended without a transcript; the message is the end of what it said."""


def interrupted(
    scene: Scene, production: Production, connection: Connection, redact: Callable[[Any], Any]
) -> tuple[End, Transcript | None]:
    """Play all turns but the last here, and the last one in a new process.

    How it ended, and the transcript of the new process. ``production.facts`` tells how many files
    were persisted, and which of them hold something that ``redact`` takes out.
    """
    folder = production.workspace.parent / f"{production.workspace.name}-persisted"
    production.persistence = Persistence(folder, uuid4())
    end = play(dataclasses.replace(scene, turns=scene.turns[:-1], resume=False), production)
    if end != "finished":
        return end, None
    sequel = _in_new_process(scene, production, connection)
    files = [path for path in folder.rglob("*") if path.is_file()]
    production.facts["persisted_files"] = len(files)
    production.facts["files_with_secrets"] = [
        path.name for path in files if redact(text := path.read_text(errors="replace")) != text
    ]
    return sequel.end, sequel


def _in_new_process(scene: Scene, production: Production, connection: Connection) -> Transcript:
    kept = production.persistence
    assert kept is not None
    remaining = production.tape.remaining
    seconds = 120.0 if remaining is None else remaining
    job = {
        "profile": connection.profile.model_dump(mode="json"),
        "secrets": {name: value.get_secret_value() for name, value in connection.secrets.items()},
        "turn": scene.turns[-1],
        "allow": list(scene.allow),
        "tool_mode": scene.tool_mode,
        "workspace": str(production.workspace),
        "folder": str(kept.folder),
        "conversation": str(kept.conversation),
        "seconds": seconds,
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest_ohllm.sdk.resumption"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=seconds + START_SECONDS,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    if done.returncode != 0:
        raise ResumptionFailed(done.stderr.strip()[-2000:] or f"exit code {done.returncode}")
    return Transcript.model_validate_json(done.stdout.splitlines()[-1])


def main() -> None:
    """Play one turn of a persisted conversation, as the job on standard input says."""
    from pytest_ohllm.sdk.driver import Driver

    job = json.load(sys.stdin)
    secrets = {name: SecretStr(value) for name, value in job["secrets"].items()}
    connection = Connection(Profile.model_validate(job["profile"]), secrets)
    scene = Scene(
        turns=(job["turn"],),
        allow=tuple(job["allow"]),
        tool_mode=job["tool_mode"] and ToolMode(job["tool_mode"]),
    )
    # The parent redacts: what leaves through this pipe is seen by nobody else.
    driver = Driver(connection, timeout=job["seconds"], redact=lambda value: value)
    kept = Persistence(Path(job["folder"]), UUID(job["conversation"]))
    transcript = driver.perform(scene, workspace=Path(job["workspace"]), persistence=kept)
    print(transcript.model_dump_json())


if __name__ == "__main__":
    main()
