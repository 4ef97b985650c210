from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles import editing, references
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.editing import edit
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.sources import KeyFile, Variable
from pytest_ohllm.profiles.store import load

LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}


@pytest.fixture
def path(folder: Path) -> Path:
    """The file of a profile called ``p`` with a few settings and a key variable."""
    add("p", LOCAL | {"temperature": 0.5, "seed": 3}, {"api_key": "MY_KEY"}, folder=folder)
    return folder / "p.json"


def test_what_is_not_mentioned_stays(path: Path, sdk_store: Any) -> None:
    before = json.loads(path.read_text())
    edit("p", {"temperature": "0.25", "model": "openai/y"}, ["seed"], {}, folder=path.parent)
    expected = before | {"temperature": 0.25, "model": "openai/y"}
    del expected["seed"]
    assert json.loads(path.read_text()) == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load("p", folder=path.parent).secrets == {"api_key": "env:MY_KEY"}
    llm = sdk_store.load("p")
    assert (llm.model, llm.temperature, llm.seed) == ("openai/y", 0.25, None)


def test_fields_that_the_sdk_does_not_know_are_kept_until_they_are_unset(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"of_a_newer_sdk": {"a": [1]}}))
    edit("p", {"top_p": 0.5}, [], {}, folder=path.parent)
    data = json.loads(path.read_text())
    assert (data["of_a_newer_sdk"], data["top_p"]) == ({"a": [1]}, 0.5)
    edit("p", {}, ["of_a_newer_sdk"], {}, folder=path.parent)
    assert load("p", folder=path.parent).settings["top_p"] == 0.5


def test_null_means_unset_where_it_is_the_default(path: Path) -> None:
    edit("p", {"temperature": None}, [], {}, folder=path.parent)
    assert "temperature" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    ("changes", "gone", "secrets", "message"),
    [
        ({"reasoning_effort": None}, [], {}, "does not keep reasoning_effort=null"),
        ({"temperature": "hot"}, [], {}, "refuses these settings: temperature"),
        ({"temperature": 1, "top_p": 7}, [], {}, "top_p"),
        ({"temprature": 1}, [], {}, r"did you mean 'temperature'\?"),
        ({"api_key": "sk-canary"}, [], {}, "--api-key-env VAR"),
        ({"base_url": "localhost"}, [], {}, "has no scheme"),
        ({"model": ""}, [], {}, "the model is empty"),
        ({}, ["model"], {}, "the model is empty"),
        ({}, ["temprature"], {}, r"--unset: .* no field 'temprature' \(did you mean"),
        ({}, ["schema_version"], {}, "schema_version is no setting"),
        ({}, [], {"api_key": Variable("sk-canary")}, "give the NAME"),
        ({}, [], {"model": Variable("X")}, "'model' is not a secret field"),
        ({}, [], {"api_key": KeyFile(Path("/nowhere/key"))}, "--api-key-file: /nowhere/key cannot"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(
    changes: Any, gone: Any, secrets: Any, message: str, path: Path
) -> None:
    before = path.read_bytes()
    with pytest.raises(ProfileError, match=message) as caught:
        edit("p", changes, gone, secrets, folder=path.parent)
    assert path.read_bytes() == before and "canary" not in str(caught.value)
    assert references.read(path.parent) == {"p": {"api_key": "env:MY_KEY"}}


def test_a_secret_can_be_forgotten(path: Path) -> None:
    edit("p", {}, ["api_key"], {}, folder=path.parent)
    assert load("p", folder=path.parent).secrets == {}


def test_a_key_in_the_file_goes_only_when_it_is_unset(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"api_key": "sk-plain"}))
    edit("p", {"seed": 4}, [], {"api_key": Variable("OTHER")}, folder=path.parent)
    assert json.loads(path.read_text())["api_key"] == "sk-plain"
    edit("p", {}, ["api_key"], {"api_key": Variable("OTHER")}, folder=path.parent)
    assert "api_key" not in json.loads(path.read_text())
    assert load("p", folder=path.parent).secrets == {"api_key": "env:OTHER"}


def test_a_file_that_cannot_be_written_leaves_the_old_reference(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ProfileError("cannot write")

    monkeypatch.setattr(editing, "replace_object", fail)
    with pytest.raises(ProfileError, match="cannot write"):
        edit("p", {"seed": 4}, [], {"api_key": Variable("OTHER")}, folder=path.parent)
    assert references.read(path.parent) == {"p": {"api_key": "env:MY_KEY"}}


def test_a_change_by_another_program_is_not_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated = editing.sdk_store.validated
    seeds = iter((98, 99))

    def slow(*arguments: Any) -> Any:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": next(seeds)}))
        return validated(*arguments)

    monkeypatch.setattr(editing.sdk_store, "validated", slow)
    with pytest.raises(ProfileError, match="was changed by another program just now: try again"):
        edit("p", {"temperature": 1}, [], {}, folder=path.parent)
    assert json.loads(path.read_text())["seed"] == 99


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    path.rename(real)
    path.symlink_to(real)
    edit("p", {"seed": 4}, [], {}, folder=path.parent)
    assert path.is_symlink() and json.loads(real.read_text())["seed"] == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "there is no profile 'nope'"),
        ("sim", "is a built-in profile"),
        ("sim:parrot", "is a built-in profile"),
        ("../x", "is not a profile name"),
    ],
)
def test_only_a_saved_profile_can_be_changed(name: str, message: str, path: Path) -> None:
    with pytest.raises(ProfileError, match=message):
        edit(name, {"seed": 4}, [], {}, folder=path.parent)


def test_a_broken_file_is_not_overwritten(path: Path) -> None:
    path.write_text("{")
    with pytest.raises(ProfileError, match="is not valid JSON"):
        edit("p", {"seed": 4}, [], {}, folder=path.parent)
    assert path.read_text() == "{"
    assert os.listdir(path.parent).count("p.json") == 1


def test_processes_that_change_it_at_once_lose_nothing(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pytest_ohllm.profiles.editing import edit\n"
        "edit('p', {sys.argv[2]: sys.argv[3]}, [], {}, folder=Path(sys.argv[1]))\n"
    )
    wanted = {"seed": 11, "top_p": 0.5, "timeout": 77}
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(path.parent), name, str(value)])
        for name, value in wanted.items()
    ]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    data = json.loads(path.read_text())
    assert {name: data[name] for name in wanted} == wanted
