from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.moving import remove, rename
from pytest_ohllm.profiles.store import load, names

LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}


@pytest.fixture
def path(folder: Path) -> Path:
    """The file of a profile called ``p`` with a key variable."""
    add("p", LOCAL, {"api_key": "MY_KEY"}, folder=folder)
    return folder / "p.json"


def test_a_removed_profile_is_gone_with_its_references(path: Path) -> None:
    assert remove("p.json", folder=path.parent).name == "p"
    assert names(path.parent) == [] and references.read(path.parent) == {}


def test_a_renamed_profile_keeps_everything(path: Path, sdk_store: Any) -> None:
    before = path.read_bytes()
    assert rename("p", "q", folder=path.parent) == "q"
    assert (path.parent / "q.json").read_bytes() == before and not path.exists()
    assert references.read(path.parent) == {"q": {"api_key": "env:MY_KEY"}}
    assert sdk_store.list() == ["q.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": 5, "nonsense": 1}'])
def test_a_broken_profile_can_be_renamed_and_removed(content: str, path: Path) -> None:
    path.write_text(content)
    rename("p", "q", folder=path.parent)
    assert (path.parent / "q.json").read_text() == content
    remove("q", folder=path.parent)
    assert names(path.parent) == []


def test_a_link_that_leads_nowhere_can_be_removed(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")
    remove("p", folder=path.parent)
    assert names(path.parent) == []


def test_a_link_is_removed_and_not_what_it_leads_to(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    path.rename(real)
    path.symlink_to(real)
    remove("p", folder=path.parent)
    assert json.loads(real.read_text())["model"] == "openai/x"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nope", "q", "there is no profile 'nope'"),
        ("p", "p", "has that name already"),
        ("p", "taken", "profile 'taken' exists"),
        ("p", "sim", "'sim' is a built-in profile"),
        ("p", "a/b", "is not a profile name"),
        ("p", "x" * 200, "is not a profile name"),
        ("sim", "q", "is a built-in profile"),
        ("p", "ünï", "is not a profile name"),
    ],
)
def test_a_name_that_cannot_be_had_changes_nothing(
    old: str, new: str, message: str, path: Path
) -> None:
    add("taken", LOCAL, {"api_key": "OTHER"}, folder=path.parent)
    with pytest.raises(ProfileError, match=message):
        rename(old, new, folder=path.parent)
    assert names(path.parent) == ["p", "taken"]
    assert references.read(path.parent)["taken"] == {"api_key": "env:OTHER"}
    assert load("p", folder=path.parent).secrets == {"api_key": "env:MY_KEY"}


def test_a_directory_in_place_of_a_profile_is_not_deleted(path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(ProfileError, match=r"cannot remove .*p\.json"):
        remove("p", folder=path.parent)
    assert path.is_dir() and references.read(path.parent)
