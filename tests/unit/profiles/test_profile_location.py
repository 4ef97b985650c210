from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.location import check_name, directory


def test_an_explicit_folder_wins_over_both_variables(tmp_path: Path) -> None:
    environ = {"LLM_PROFILES_DIR": "/a", "OH_PERSISTENCE_DIR": "/b", "HOME": "/h"}
    assert directory(tmp_path, environ) == tmp_path


def test_llm_profiles_dir_is_that_very_folder_and_wins_over_the_persistence_dir() -> None:
    environ = {"LLM_PROFILES_DIR": "/a", "OH_PERSISTENCE_DIR": "/b", "HOME": "/h"}
    assert directory(None, environ) == Path("/a")


def test_the_persistence_dir_holds_a_folder_of_profiles() -> None:
    assert directory(None, {"OH_PERSISTENCE_DIR": "/b", "HOME": "/h"}) == Path("/b/profiles")


def test_the_default_is_below_the_home_of_the_given_environment() -> None:
    assert directory(None, {"HOME": "/h"}) == Path("/h/.openhands/profiles")


def test_empty_variables_count_as_not_set() -> None:
    environ = {"LLM_PROFILES_DIR": "", "OH_PERSISTENCE_DIR": "", "HOME": "/h"}
    assert directory(None, environ) == Path("/h/.openhands/profiles")


def test_a_tilde_is_the_home_and_a_relative_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert directory(None, {"LLM_PROFILES_DIR": "~/mine", "HOME": "/h"}) == Path("/h/mine")
    assert directory(None, {"LLM_PROFILES_DIR": "mine", "HOME": "/h"}) == tmp_path / "mine"


@pytest.mark.parametrize("value", ["/srv/state", "~/state", None])
def test_the_sdk_looks_in_the_same_folder(
    value: str | None, sdk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openhands.sdk.utils.path import get_user_persistence_dir

    monkeypatch.delenv("LLM_PROFILES_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("OH_PERSISTENCE_DIR", raising=False)
    else:
        monkeypatch.setenv("OH_PERSISTENCE_DIR", value)
    assert directory() == get_user_persistence_dir() / "profiles"


@pytest.mark.parametrize(
    "name", ["a", "gpt-4o", "A.b_c-1", "0", "x" * 64, "claude.json", "a.json.json"]
)
def test_the_names_that_the_sdk_takes_are_taken(name: str, sdk_store: Any, folder: Path) -> None:
    assert folder / f"{check_name(name)}.json" == sdk_store._get_profile_path(name)


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a b", ".hidden", "-x", "é", "x" * 65, "x" * 200, ".json", "a:b"]
)
def test_the_names_that_the_sdk_refuses_are_refused_in_one_line(name: str, sdk_store: Any) -> None:
    with pytest.raises(ValueError):
        sdk_store._get_profile_path(name)
    with pytest.raises(ProfileError, match="is not a profile name: use 1 to 64 letters") as caught:
        check_name(name)
    assert len(str(caught.value)) < 220 and "\n" not in str(caught.value)


def test_a_line_break_after_a_good_name_is_refused() -> None:
    with pytest.raises(ProfileError):
        check_name("good\n")
