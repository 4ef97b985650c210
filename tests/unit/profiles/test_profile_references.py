from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.errors import ProfileError


def test_references_are_read_back_and_forgotten(folder: Path) -> None:
    references.write(folder, "a", {"api_key": "env:A"})
    references.write(folder, "b", {"api_key": "env:B"})
    assert references.read(folder) == {"a": {"api_key": "env:A"}, "b": {"api_key": "env:B"}}
    references.write(folder, "a", {})
    assert references.read(folder) == {"b": {"api_key": "env:B"}}


def test_nothing_to_forget_writes_no_file(folder: Path) -> None:
    references.write(folder, "a", {})
    assert not (folder / references.FILE_NAME).exists()


def test_the_file_is_private_and_has_a_schema_version(folder: Path) -> None:
    references.write(folder, "a", {"api_key": "env:A"})
    path = folder / references.FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "schema_version": 1,
        "profiles": {"a": {"api_key": "env:A"}},
    }
    assert [p.name for p in folder.glob(".ohllm*")] == [references.FILE_NAME]  # no leftovers


def test_the_sdk_does_not_take_the_file_for_a_profile(sdk_store: Any, folder: Path) -> None:
    references.write(folder, "a", {"api_key": "env:A"})
    assert sdk_store.list() == [] and sdk_store.list_summaries() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ('{"schema_version": 2, "profiles": {}}', "schema_version is 2, .* reads 1"),
        ("{}", "schema_version is None"),
        ('{"schema_version": 1, "profiles": []}', "expected"),
        ('{"schema_version": 1, "profiles": {"a": "env:A"}}', "expected"),
        ('{"schema_version": 1, "profiles": {"a": {"api_key": 5}}}', "expected"),
    ],
)
def test_a_file_that_is_not_understood_is_an_error_and_is_not_overwritten(
    content: str, message: str, folder: Path
) -> None:
    folder.mkdir(parents=True)
    path = folder / references.FILE_NAME
    path.write_text(content)
    with pytest.raises(ProfileError, match=message):
        references.read(folder)
    with pytest.raises(ProfileError, match=message):
        references.write(folder, "a", {"api_key": "env:A"})
    assert path.read_text() == content


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="cannot write"):
        references.write(tmp_path / "file" / "profiles", "a", {"api_key": "env:A"})


def test_processes_that_write_at_once_lose_nothing(folder: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pytest_ohllm.profiles import references\n"
        "for i in range(20):\n"
        "    references.write(Path(sys.argv[1]), f'{sys.argv[2]}{i}', {'api_key': 'env:A'})\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(folder), letter]) for letter in "abcd"
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    assert set(references.read(folder)) == {f"{x}{i}" for x in "abcd" for i in range(20)}


@pytest.mark.parametrize("name", ["MY_KEY", "_x", "OPENAI_API_KEY", "a1", "AZUREOPENAIAPIKEY"])
def test_names_of_variables_are_taken(name: str) -> None:
    assert references.check_variable(name, "--api-key-env") == name


@pytest.mark.parametrize(
    "value",
    [
        "sk-proj-abc",
        "sk_live_abcdef",
        "gsk_abcdefgh",
        "AIzaSyA1234567890",
        "hf_abcdefgh",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9",
        "deadbeefdeadbeefdeadbeef12345678",
        "with-dash",
        "1abc",
        "$MY_KEY",
        "env:MY_KEY",
        "MY KEY",
        "",
        "A" * 65,
    ],
)
def test_what_may_be_a_key_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ProfileError, match="give the NAME of an environment variable") as caught:
        references.check_variable(value, "--api-key-env")
    assert not value or value not in str(caught.value)
