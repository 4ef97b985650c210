"""Real profile files in a folder of the test's own, and the real SDK to write and read them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.sdk import environment
from tests import secret_service

WriteProfile = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _no_home_left() -> Iterator[None]:
    """The SDK runs in a throw-away home, which belongs to the process and goes with it."""
    yield
    environment.remove_home()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root reads everything; as somebody else, permissions count."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of profiles; it does not exist yet."""
    return tmp_path / "persistence" / "profiles"


@pytest.fixture
def write_profile(folder: Path) -> WriteProfile:
    """Write a profile file by hand, as an editor would."""

    def write(name: str, data: Any = None, **fields: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(fields if data is None else data))
        return path

    return write


@pytest.fixture
def sdk() -> Iterator[Any]:
    """The real SDK, with no credential in the environment that it could pick up."""
    environment.load()
    with environment.sealed():
        import openhands.sdk

        yield openhands.sdk


@pytest.fixture
def sdk_store(sdk: Any, folder: Path) -> Any:
    """The SDK's own store over ``folder``."""
    from openhands.sdk.llm.llm_profile_store import LLMProfileStore

    return LLMProfileStore(folder)


@pytest.fixture
def locked_keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real one that is locked, where nobody can be asked to unlock it."""
    with secret_service.running() as address, secret_service.used(address, monkeypatch):
        secret_service.lock()
        yield
