from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_ohllm.profiles.connection import resolve
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.listing import entry
from pytest_ohllm.profiles.sources import KeyFile
from pytest_ohllm.profiles.store import load

KEY = "sk-canary-0123456789"
LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A private file with a key and a line break."""
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


def test_a_key_is_read_from_a_private_file(key_file: Path, folder: Path) -> None:
    profile = add("p", LOCAL, {"api_key": KeyFile(key_file)}, folder=folder)
    assert profile.secrets == {"api_key": f"file:{key_file}"}
    assert resolve(profile, {}).secrets["api_key"].get_secret_value() == KEY
    assert entry(profile, {}).key == "set"
    assert not [p for p in folder.iterdir() if b"canary" in p.read_bytes()]
    key_file.write_text("sk-new")  # rotated
    assert resolve(profile, {}).secrets["api_key"].get_secret_value() == "sk-new"


def test_the_reference_holds_wherever_the_command_was_given(
    key_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    profile = add("p", LOCAL, {"api_key": KeyFile(Path("key"))}, folder=folder)
    monkeypatch.chdir("/")
    assert resolve(profile, {}).secrets


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused(mode: int, key_file: Path, folder: Path) -> None:
    key_file.chmod(mode)
    with pytest.raises(ProfileError, match=rf"may be used by others \(mode {mode:04o}, .* chmod"):
        add("p", LOCAL, {"api_key": KeyFile(key_file)}, folder=folder)
    assert not folder.exists()


def test_a_file_that_becomes_public_is_refused_at_the_next_run(
    key_file: Path, folder: Path
) -> None:
    profile = add("p", LOCAL, {"api_key": KeyFile(key_file)}, folder=folder)
    key_file.chmod(0o644)
    with pytest.raises(ProfileError, match="may be used by others"):
        resolve(profile, {})
    listed = entry(load("p", folder=folder), {})
    assert listed.key == "not set" and "chmod 600" in str(listed.problem)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"two\nlines", "holds a space or a line break"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 70_000, "has 70,000 bytes: that is no key"),
        ("sk-é".encode(), "other than printable ASCII"),
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(
    content: bytes, reason: str, key_file: Path, folder: Path
) -> None:
    key_file.write_bytes(content)
    with pytest.raises(ProfileError, match=reason) as caught:
        add("p", LOCAL, {"api_key": KeyFile(key_file)}, folder=folder)
    assert "lines" not in str(caught.value) and not folder.exists()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, reason in [("pipe", "not a regular file"), (".", "not a regular file|cannot be")]:
        with pytest.raises(ProfileError, match=reason):
            add("p", LOCAL, {"api_key": KeyFile(tmp_path / name)}, folder=folder)
    with pytest.raises(ProfileError, match=r"--api-key-file: .*cannot be read: No such file"):
        add("p", LOCAL, {"api_key": KeyFile(tmp_path / "none")}, folder=folder)
