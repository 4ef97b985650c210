from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.store import load, names
from tests.unit.profiles.conftest import unprivileged


def test_a_profile_that_the_sdk_saved_is_read_with_all_its_fields(
    sdk: Any, sdk_store: Any, folder: Path
) -> None:
    llm = sdk.LLM(
        model="openai/x",
        base_url="http://localhost:1/v1",
        api_key=SecretStr("sk-never-written"),
        temperature=0.25,
        native_tool_calling=False,
        extra_headers={"X-Org": "7"},
        capability_overrides={"supports_vision": False},
        timeout=11,
    )
    sdk_store.save("mine", llm)
    profile = load("mine", folder=folder)
    assert (profile.name, profile.model, profile.base_url) == (
        "mine",
        "openai/x",
        "http://localhost:1/v1",
    )
    assert profile.secrets == {}
    rebuilt = sdk.LLM(**profile.settings, api_key="sk-never-written")
    assert rebuilt.to_persisted() == llm.to_persisted()


def test_a_null_is_kept_since_it_is_not_the_default(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", reasoning_effort=None)
    assert load("p", folder=path.parent).settings == {
        "model": "openai/x",
        "reasoning_effort": None,
    }


def test_json_after_the_name_is_cut_off_as_the_sdk_does(
    write_profile: Callable[..., Path],
) -> None:
    path = write_profile("p", model="openai/x")
    assert load("p.json", folder=path.parent).name == "p"


def test_the_folder_comes_from_the_environment(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x")
    assert load("p", environ={"LLM_PROFILES_DIR": str(path.parent)}).source == str(path)
    home = {"OH_PERSISTENCE_DIR": str(path.parent.parent)}
    assert load("p", environ=home).source == str(path)


def test_an_unknown_profile_is_answered_with_the_nearest_name_and_the_known_ones(
    write_profile: Callable[..., Path],
) -> None:
    write_profile("gpt-4o", model="openai/gpt-4o")
    path = write_profile("other", model="openai/y")
    with pytest.raises(ProfileError) as caught:
        load("gpt4o", folder=path.parent)
    text = str(caught.value)
    assert "there is no profile 'gpt4o'" in text and "did you mean 'gpt-4o'?" in text
    assert "known are gpt-4o, other, sim;" in text and "ohllm profiles add gpt4o" in text


def test_looking_for_a_profile_creates_no_folder(folder: Path) -> None:
    with pytest.raises(ProfileError, match="known are sim;"):
        load("x", folder=folder)
    assert names(folder) == [] and not folder.parent.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{'model': 1}", "is not valid JSON: Expecting property name .* at line 1, column 2"),
        ("", "is not valid JSON: Expecting value at line 1"),
        ("[1]", "holds a list: expected a JSON object"),
        ("null", "holds null: expected a JSON object"),
        ("3", "holds a number: expected a JSON object"),
        ("{}", "names no model"),
        ('{"model": ""}', "names no model"),
        ('{"model": 5}', "names no model"),
        ("[" * 100_000, "is not valid JSON: RecursionError"),
        ('{"model": "openai/x", "schema_version": 99}', "is 99, the installed .* reads up to"),
        ('{"model": "openai/x", "schema_version": "1"}', "expected a whole number"),
        ('{"model": "openai/x", "api_key": 5}', "api_key is int, expected a string"),
        ('{"a": "' + "x" * 1_000_000 + '"}', "has 1,000,009 bytes: that is no profile"),
    ],
)
def test_a_broken_file_is_an_error_of_one_line_that_names_it(
    content: str, message: str, folder: Path
) -> None:
    folder.mkdir(parents=True)
    (folder / "p.json").write_text(content)
    with pytest.raises(ProfileError, match=message) as caught:
        load("p", folder=folder)
    assert str(folder / "p.json") in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_an_error(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "p.json").write_bytes(b'{"model": "\xff"}')
    with pytest.raises(ProfileError, match="byte 11 is not UTF-8"):
        load("p", folder=folder)


def test_a_directory_and_a_pipe_in_place_of_the_file_are_errors_and_do_not_hang(
    folder: Path,
) -> None:
    (folder / "d.json").mkdir(parents=True)
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(ProfileError, match="is a directory"):
        load("d", folder=folder)
    with pytest.raises(ProfileError, match="is not a regular file"):
        load("pipe", folder=folder)


def test_a_file_without_permission_is_an_error(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x")
    path.chmod(0)
    with unprivileged(), pytest.raises(ProfileError, match="cannot be read: Permission denied"):
        load("p", folder=path.parent)


def test_unknown_fields_are_named_each_with_the_nearest_one(
    write_profile: Callable[..., Path],
) -> None:
    path = write_profile("p", model="openai/x", temprature=1, zzzzzzzzzzzz=2)
    with pytest.raises(ProfileError) as caught:
        load("p", folder=path.parent)
    assert "has no fields 'temprature' (did you mean 'temperature'?), 'zzzzzzzzzzzz':" in str(
        caught.value
    )


def test_a_key_in_the_file_is_referred_to_and_not_copied(
    write_profile: Callable[..., Path],
) -> None:
    path = write_profile("p", model="openai/x", api_key="sk-plain", aws_session_token="tok-plain")
    profile = load("p", folder=path.parent)
    assert profile.secrets == {
        "api_key": references.STORED,
        "aws_session_token": references.STORED,
    }
    assert "plain" not in repr(profile) + profile.model_dump_json()


def test_a_masked_or_absent_key_is_no_key(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", api_key="**********", aws_session_token=None)
    assert load("p", folder=path.parent).secrets == {}


def test_a_reference_wins_over_a_key_in_the_file(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", api_key="sk-plain")
    references.write(path.parent, "p", {"api_key": "env:MY_KEY"})
    assert load("p", folder=path.parent).secrets == {"api_key": "env:MY_KEY"}


@pytest.mark.parametrize("table", [{"api_key": "vault:x"}, {"model": "env:X"}])
def test_a_reference_that_cannot_be_followed_is_an_error(
    table: dict[str, str], write_profile: Callable[..., Path]
) -> None:
    path = write_profile("p", model="openai/x")
    references.write(path.parent, "p", table)
    with pytest.raises(ProfileError, match="this version of pytest-ohllm cannot follow"):
        load("p", folder=path.parent)


def test_a_symlink_to_a_profile_is_a_profile(
    write_profile: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_profile("p", model="openai/x")
    elsewhere = tmp_path / "elsewhere.json"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert load("p", folder=path.parent).model == "openai/x"


def test_the_field_values_are_left_to_the_sdk(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", base_url="no scheme", temperature="hot")
    assert load("p", folder=path.parent).settings["temperature"] == "hot"


def test_the_sim_is_always_there_even_beside_a_file_of_that_name(
    write_profile: Callable[..., Path],
) -> None:
    path = write_profile("sim", model="openai/impostor")
    profile = load("sim", folder=path.parent)
    assert (profile.source, profile.model, profile.base_url) == (
        "simulator",
        "openai/sim-default",
        None,
    )


def test_a_personality_brings_its_settings() -> None:
    profile = load("sim:rejects-temperature")
    assert profile.name == "sim:rejects-temperature"
    assert profile.model == "openai/sim-rejects-temperature"
    assert profile.settings["temperature"] == 0.5
    json.dumps(profile.model_dump(mode="json"))


def test_personalities_can_be_combined() -> None:
    assert load("sim:no-native-tools+chatty").model == "openai/sim-no-native-tools+chatty"


@pytest.mark.parametrize("name", ["sim:parot", "sim:chatty+parot"])
def test_an_unknown_personality_is_answered_with_the_nearest(name: str) -> None:
    with pytest.raises(ProfileError, match=r"no personality 'parot' \(did you mean 'parrot'\?\)"):
        load(name)


def test_an_empty_personality_is_an_error() -> None:
    with pytest.raises(ProfileError, match="no personality ''"):
        load("sim:")
