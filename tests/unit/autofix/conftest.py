"""git that knows nothing of who runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.autofix.repositories import Repository, sdk


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, so that nobody's configuration of git decides how a test ends."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


@pytest.fixture
def repository(home: Path, tmp_path: Path) -> Repository:
    """A checkout of the SDK."""
    return sdk(tmp_path / "sdk")
