"""Where one check leaves its evidence; nothing is written that was not redacted before."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pytest_ohllm.evidence.files import append_line, encode, make_folder, replace_file
from pytest_ohllm.evidence.plain import as_json, plain
from pytest_ohllm.model import SCHEMA_VERSION, CheckResult


class Redacts(Protocol):
    """What takes the secrets out of everything before it is written."""

    def text(self, text: str, /) -> str:
        """``text`` without secrets."""
        ...

    def value(self, value: Any, /) -> Any:
        """A plain JSON value without secrets, of the same shape."""
        ...


class CheckFolder:
    """The evidence of one attempt of one check."""

    def __init__(self, path: Path, identity: Mapping[str, Any], redactor: Redacts) -> None:
        self.path = path
        self._identity = identity
        self._redactor = redactor

    def start(self, info: Mapping[str, Any] | None = None) -> None:
        """Write ``started.json``: which check, since when (Unix time), which process, ``info``."""
        facts = {"started": time.time(), "pid": os.getpid(), **(info or {})}
        record = {"schema_version": SCHEMA_VERSION, **facts, **self._identity}
        self.write_json("started.json", record)

    def below(self, name: str) -> CheckFolder:
        """A folder in this one, for what belongs to the check and is not its own run."""
        return CheckFolder(self.path / Path(name).name, self._identity, self._redactor)

    def write_json(self, name: str, value: Any) -> None:
        """Write ``value`` (records, containers, anything) as JSON, replacing what was there."""
        replace_file(self._file(name), json_document(value, self._redactor))

    def write_text(self, name: str, text: str) -> None:
        """Write ``text``, replacing what was there."""
        replace_file(self._file(name), encode(self._redactor.text(text)))

    def append_jsonl(self, name: str, value: Any) -> None:
        """Append ``value`` as one line of JSON, at once: what is appended survives a crash."""
        append_line(self._file(name), json_line(value, self._redactor))

    def finish(self, result: CheckResult) -> None:
        """Write ``result.json``, the last file of the folder."""
        self.write_json("result.json", result)

    def _file(self, name: str) -> Path:
        if name in ("", "..") or Path(name).name != name:
            raise ValueError(f"expected the name of a file, got {name!r}")
        make_folder(self.path)
        return self.path / name


def json_document(value: Any, redactor: Redacts) -> bytes:
    """A JSON file's content for any ``value``, redacted before it is serialised."""
    return encode(as_json(redactor.value(plain(value)), indent=1) + "\n")


def json_line(value: Any, redactor: Redacts) -> bytes:
    """One line of JSON, without its line feed, for any ``value``, redacted likewise."""
    return encode(as_json(redactor.value(plain(value))))
