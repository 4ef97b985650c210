"""The failed checks run again for real; a key that they take stays outside, behind a relay."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pytest_ohllm.autofix import proofs
from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.autofix.job import Cause
from pytest_ohllm.autofix.proofs import Proof
from pytest_ohllm.autofix.relay import Relay
from pytest_ohllm.autofix.upstream import PLACEHOLDER
from pytest_ohllm.evidence.files import make_folder, replace_file
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.profiles.creation import add

MOST_REQUESTS = 200
"""For all runs of the failed checks of one profile; each takes a few."""

_KEY = "OHLLM_RELAY_KEY"


class Live:
    """The checks that can be run again: those of embedded models, and of ``connections``.

    A check of somebody's own project is none of them: it would need that project in the sandbox.
    ``folder`` holds the relays' sockets, and profiles that lead to them; who can read it can ask
    the models, so the agent cannot.
    """

    def __init__(
        self,
        cause: Cause,
        connections: Mapping[str, Connection],
        folder: Path,
        redactor: Redactor,
    ) -> None:
        self.folder = folder
        self._failures = proofs.packaged(cause)
        self._connections, self._redactor = connections, redactor
        self._relays = ExitStack()

    def __enter__(self) -> Self:
        make_folder(self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._relays.close()

    def proofs(self) -> list[Proof]:
        """The failed checks as commands, with their relays open until the end."""
        embedded = [one for one in self._failures if one.profile.source == builtin.SOURCE]
        found = proofs.checks(embedded)
        for name, connection in self._connections.items():
            failures = [one for one in self._failures if one.profile.name == name]
            if failures and (through := self._through(name, connection)):
                own = {"LLM_PROFILES_DIR": str(self.folder / "profiles"), _KEY: PLACEHOLDER}
                found += [
                    replace(one, environment=own, through=through)
                    for one in proofs.checks(failures)
                ]
        return found

    def _through(self, name: str, connection: Connection) -> tuple[str, ...]:
        """The command that leads to a relay of the profile; nothing if no relay can serve it."""
        path = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:12]}.sock"
        try:
            relay = Relay(path, connection, most_requests=MOST_REQUESTS, redact=self._redactor.text)
        except AutofixError:
            return ()  # its key signs requests, for example
        self._relays.enter_context(relay)
        port = _free_port()
        address = f"http://127.0.0.1:{port}{relay.upstream.path}"
        settings = {**relay.upstream.settings, "base_url": address}
        _save(self.folder / "profiles", name, settings)
        forwarder = (sys.executable, "-m", "pytest_ohllm.autofix.forwarder")
        return (*forwarder, "--port", str(port), str(path), "--")


def _save(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Save a profile as older and newer SDKs can read it: with nothing but what was set."""
    add(name, settings, {"api_key": _KEY}, overwrite=True, folder=folder)
    file = folder / f"{name}.json"
    saved = json.loads(file.read_bytes())
    kept = {key: saved[key] for key in saved if key in {*settings, "schema_version"}}
    replace_file(file, json.dumps(kept).encode())


def _free_port() -> int:
    """A port that nobody has here, and so nobody in a sandbox."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
