from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.connection import resolve
from pytest_ohllm.profiles.creation import add, adhoc
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.store import load, names

LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}


def test_a_profile_that_was_added_is_one_that_the_sdk_reads(
    sdk: Any, sdk_store: Any, folder: Path
) -> None:
    settings = LOCAL | {
        "temperature": "0.5",
        "native_tool_calling": "false",
        "extra_headers": {"X-Org": "7"},
        "seed": 3,
    }
    added = add("mine", settings, {"api_key": "MY_KEY"}, folder=folder)
    llm = sdk_store.load("mine")
    assert (llm.model, llm.base_url, llm.api_key) == ("openai/x", "http://localhost:1/v1", None)
    assert (llm.temperature, llm.native_tool_calling, llm.seed) == (0.5, False, 3)
    assert llm.extra_headers == {"X-Org": "7"}
    assert added == load("mine", folder=folder)
    assert added.secrets == {"api_key": "env:MY_KEY"}
    assert sdk_store.list() == ["mine.json"]


def test_no_key_of_the_environment_gets_into_any_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "LLM_API_KEY", "MY_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sk-canary-0123456789")
    profile = add("mine", LOCAL, {"api_key": "MY_KEY"}, folder=folder)
    written = [path for path in folder.parent.rglob("*") if path.is_file()]
    assert folder / "mine.json" in written
    assert not [path for path in written if b"canary" in path.read_bytes()]
    assert resolve(profile).secrets["api_key"].get_secret_value() == "sk-canary-0123456789"


def test_a_model_with_a_small_context_is_saved_since_that_is_for_a_run_to_judge(
    folder: Path,
) -> None:
    small = {"model": "ollama/llama3", "base_url": "http://localhost:1"}
    assert add("small", small, {}, folder=folder).model == "ollama/llama3"


def test_the_files_are_private(folder: Path) -> None:
    add("mine", LOCAL, {"api_key": "MY_KEY"}, folder=folder)
    modes = {
        name: stat.S_IMODE((folder / name).stat().st_mode)
        for name in ("mine.json", references.FILE_NAME)
    }
    assert set(modes.values()) == {0o600}


def test_a_name_that_is_taken_is_refused_and_can_be_overwritten(folder: Path) -> None:
    add("mine", LOCAL, {"api_key": "OLD"}, folder=folder)
    with pytest.raises(ProfileError, match=r"profile 'mine' exists in .* --overwrite"):
        add("mine", LOCAL, {}, folder=folder)
    other = {"model": "openai/y", "base_url": "http://localhost:2/v1"}
    profile = add("mine", other, {}, overwrite=True, folder=folder)
    assert (profile.model, profile.secrets) == ("openai/y", {})


def test_a_reference_left_by_a_deleted_profile_is_not_inherited(
    sdk_store: Any, folder: Path
) -> None:
    add("mine", LOCAL, {"api_key": "OLD"}, folder=folder)
    sdk_store.delete("mine")
    assert add("mine", LOCAL, {}, folder=folder).secrets == {}


@pytest.mark.parametrize(
    ("name", "settings", "variables", "message"),
    [
        ("../x", LOCAL, {}, "is not a profile name"),
        ("sim", LOCAL, {}, "'sim' is a built-in profile"),
        ("adhoc", LOCAL, {}, "'adhoc' is a built-in profile"),
        ("p", {}, {}, "the model is empty"),
        ("p", LOCAL | {"temprature": 1}, {}, r"no field 'temprature' \(did you mean 'temperature'"),
        ("p", LOCAL | {"schema_version": 1}, {}, "no field 'schema_version'"),
        ("p", LOCAL | {"api_key": "sk-canary"}, {}, "api_key is a secret .* --api-key-env VAR"),
        (
            "p",
            LOCAL | {"aws_session_token": "sk-canary"},
            {},
            "--secret-env aws_session_token=VAR",
        ),
        ("p", LOCAL, {"api_key": "sk-canary"}, "give the NAME of an environment variable"),
        ("p", LOCAL, {"model": "X"}, "'model' is not a secret field"),
        ("p", LOCAL, {"apikey": "X"}, r"\(did you mean 'api_key'\?\)"),
        ("p", {"model": "x", "base_url": "localhost:1/v1"}, {}, "has no scheme"),
        ("p", LOCAL | {"temperature": "hot"}, {}, "refuses these settings: temperature: Input"),
        ("p", LOCAL | {"temperature": 1, "top_p": 7}, {}, "top_p: Input should be less than"),
        ("p", LOCAL | {"reasoning_effort": None}, {}, "does not keep reasoning_effort=null"),
        ("p", LOCAL | {"model": 5}, {}, "refuses these settings: AttributeError"),
        (
            "p",
            LOCAL | {"fallback_strategy": {"fallback_llms": ["a"]}},
            {},
            "does not keep fallback_strategy",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    name: str, settings: dict[str, Any], variables: dict[str, str], message: str, folder: Path
) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        add(name, settings, variables, folder=folder)
    assert not folder.exists()
    assert "canary" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_refused_value_is_not_repeated(folder: Path) -> None:
    with pytest.raises(ProfileError, match=r"extra_headers\.Authorization") as caught:
        add("p", LOCAL | {"extra_headers": {"Authorization": ["canary"]}}, {}, folder=folder)
    assert "canary" not in str(caught.value)


def test_references_that_cannot_be_read_stop_it_and_nothing_is_lost(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / references.FILE_NAME).write_text("{")
    with pytest.raises(ProfileError, match="is not valid JSON"):
        add("p", LOCAL, {"api_key": "MY_KEY"}, folder=folder)
    assert names(folder) == []


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="cannot write"):
        add("p", LOCAL, {}, folder=tmp_path / "file" / "profiles")


def test_a_file_that_cannot_be_replaced_is_an_error_and_gets_no_key(folder: Path) -> None:
    (folder / "p.json").mkdir(parents=True)
    with pytest.raises(ProfileError, match="cannot write profile 'p'"):
        add("p", LOCAL, {"api_key": "MY_KEY"}, overwrite=True, folder=folder)
    assert references.read(folder) == {}


def test_profiles_added_at_once_are_all_there(folder: Path) -> None:
    together = threading.Barrier(8)

    def one(number: int) -> None:
        together.wait(30)
        add(f"p{number}", LOCAL, {"api_key": f"KEY_{number}"}, folder=folder)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = {name: load(name, folder=folder).secrets["api_key"] for name in names(folder)}
    assert found == {f"p{number}": f"env:KEY_{number}" for number in range(8)}


def test_processes_that_add_at_once_lose_nothing_and_one_of_two_equal_names_wins(
    folder: Path,
) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pytest_ohllm.profiles.creation import add\n"
        "from pytest_ohllm.profiles.errors import ProfileError\n"
        "settings = {'model': 'openai/x', 'base_url': 'http://localhost:1/v1'}\n"
        "folder, own = Path(sys.argv[1]), sys.argv[2]\n"
        "add(own, settings, {'api_key': own.upper()}, folder=folder)\n"
        "try:\n"
        "    add('same', settings, {'api_key': own.upper()}, folder=folder)\n"
        "except ProfileError as error:\n"
        "    assert 'exists' in str(error)\n"
        "    sys.exit(7)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(folder), own]) for own in ("a", "b")
    ]
    assert sorted(process.wait(120) for process in running) == [0, 7]
    assert names(folder) == ["a", "b", "same"]
    found = {name: load(name, folder=folder).secrets["api_key"] for name in ("a", "b")}
    assert found == {"a": "env:A", "b": "env:B"}
    assert load("same", folder=folder).secrets["api_key"] in ("env:A", "env:B")


def test_of_those_who_add_the_same_name_at_once_one_wins(folder: Path) -> None:
    together = threading.Barrier(4)
    refused: list[str] = []

    def one(number: int) -> None:
        together.wait(30)
        try:
            add("same", LOCAL, {"api_key": f"KEY_{number}"}, folder=folder)
        except ProfileError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) == 3 and all("profile 'same' exists" in text for text in refused)


def test_what_the_sdk_writes_later_keeps_the_reference(
    sdk: Any, sdk_store: Any, folder: Path
) -> None:
    add("mine", LOCAL, {"api_key": "MY_KEY"}, folder=folder)
    llm = sdk_store.load("mine").model_copy(update={"temperature": 0.125})
    sdk_store.save("mine", llm)
    profile = load("mine", folder=folder)
    assert profile.settings["temperature"] == 0.125
    assert profile.secrets == {"api_key": "env:MY_KEY"}
    assert "schema_version" in json.loads((folder / "mine.json").read_text())


@pytest.mark.parametrize(("model", "base_url"), [(" ", None), ("", None), ("openai/x", "")])
def test_an_empty_option_is_refused_rather_than_sent_elsewhere(
    model: str, base_url: str | None
) -> None:
    with pytest.raises(ProfileError, match="is empty"):
        adhoc(model, base_url)
