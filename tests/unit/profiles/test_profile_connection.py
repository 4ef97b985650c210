from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.connection import Connection, missing_key, resolve
from pytest_ohllm.profiles.creation import adhoc
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.store import load

KEY = "sk-canary-0123456789"


def profile(**settings: Any) -> Profile:
    return Profile(
        name="p", settings={"model": "openai/x"} | settings, secrets={"api_key": "env:MY_KEY"}
    )


def test_the_key_comes_from_the_variable_that_is_named() -> None:
    connection = resolve(profile(), {"MY_KEY": KEY, "OPENAI_API_KEY": "sk-other"})
    assert connection.secrets["api_key"].get_secret_value() == KEY


def test_a_key_is_never_shown() -> None:
    connection = resolve(profile(), {"MY_KEY": KEY})
    assert KEY not in repr(connection) + str(connection) + f"{connection.secrets}"


def test_a_connection_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve(profile(), {"MY_KEY": KEY}).profile = profile()  # type: ignore[misc]


def test_a_connection_can_be_sent_to_another_process() -> None:
    connection = resolve(profile(), {"MY_KEY": KEY})
    assert pickle.loads(pickle.dumps(connection)) == connection


@pytest.mark.parametrize(("environ", "state"), [({}, "not set"), ({"MY_KEY": ""}, "empty")])
def test_a_variable_without_a_value_is_an_error_that_says_what_to_do(
    environ: dict[str, str], state: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        resolve(profile(), environ)
    assert str(caught.value) == (
        f"profile 'p' reads its api_key from $MY_KEY, which is {state}: export MY_KEY=…"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (KEY + "\n", "starts or ends with a space or a line break"),
        (" " + KEY, "starts or ends with"),
        ("sk-canary-0123 456789", "holds a space or a line break"),
        ("sk-canary-0123\n456789", "holds a space or a line break"),
        ("sk-canary-é0123456789", "other than printable ASCII"),
        ("sk-canary-\u200b0123456789", "other than printable ASCII"),
        ("sk-canary-\x000123456789", "other than printable ASCII"),
        ("   ", "is empty"),
        ("**********", "is a placeholder"),
        ("***", "is a placeholder"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(value: str, reason: str) -> None:
    with pytest.raises(ProfileError, match=reason) as caught:
        resolve(profile(), {"MY_KEY": value})
    assert "canary" not in str(caught.value) and "api_key of profile 'p', from $MY_KEY" in str(
        caught.value
    )


def test_the_sdk_and_its_http_client_agree_about_those_keys(sdk: Any) -> None:
    import httpx

    assert sdk.LLM(model="openai/x", api_key="**********").api_key is None
    with pytest.raises(UnicodeEncodeError):
        httpx.Headers({"Authorization": "Bearer é"})


def test_a_key_in_the_file_is_used_as_it_is(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", api_key=KEY, aws_session_token="tok")
    connection = resolve(load("p", folder=path.parent), {})
    values = {name: secret.get_secret_value() for name, secret in connection.secrets.items()}
    assert values == {"api_key": KEY, "aws_session_token": "tok"}


def test_an_empty_key_in_the_file_is_an_error(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", base_url="http://localhost:1/v1", api_key="")
    with pytest.raises(ProfileError, match="is empty: give the key, or name none if none is"):
        resolve(load("p", folder=path.parent), {})


def test_a_file_that_went_away_between_load_and_use_is_an_error(
    write_profile: Callable[..., Path],
) -> None:
    path = write_profile("p", model="openai/x", api_key=KEY)
    loaded = load("p", folder=path.parent)
    path.unlink()
    with pytest.raises(ProfileError, match="is gone"):
        resolve(loaded, {})


def test_an_unknown_kind_of_reference_is_an_error() -> None:
    odd = Profile(name="p", settings={"model": "x"}, secrets={"api_key": "vault:x"})
    with pytest.raises(ProfileError, match="unknown reference for its api_key"):
        resolve(odd, {})


def test_an_endpoint_of_ones_own_needs_no_key(write_profile: Callable[..., Path]) -> None:
    path = write_profile("p", model="openai/x", base_url="http://localhost:1/v1")
    loaded = load("p", folder=path.parent)
    assert resolve(loaded, {"OPENAI_API_KEY": KEY}) == Connection(loaded, {})


def test_no_key_and_no_address_is_refused_although_the_environment_holds_a_key(
    write_profile: Callable[..., Path],
) -> None:
    path = write_profile("p", model="openai/gpt-4o")
    with pytest.raises(ProfileError, match="--api-key-env VAR") as caught:
        resolve(load("p", folder=path.parent), {"OPENAI_API_KEY": KEY})
    assert "by accident" in str(caught.value) and KEY not in str(caught.value)


def test_an_unsaved_profile_without_key_and_address_names_the_options() -> None:
    with pytest.raises(ProfileError, match="--llm-api-key-env=VAR, or --llm-base-url"):
        resolve(adhoc("openai/gpt-4o"), {})


def test_an_aws_profile_or_the_simulator_needs_no_key() -> None:
    aws = Profile(name="p", settings={"model": "bedrock/x", "aws_profile_name": "work"})
    assert missing_key(aws) is None
    assert resolve(load("sim"), {}).secrets == {}


def test_what_this_version_cannot_do_is_said() -> None:
    with pytest.raises(ProfileError, match=r"a subscription, which this version .* not support"):
        resolve(profile(auth_type="subscription"), {"MY_KEY": KEY})


def test_an_unsaved_profile_has_the_given_address_and_variable() -> None:
    made = adhoc("openai/x", "http://localhost:1/v1", "MY_KEY")
    assert made.name == "adhoc"
    assert made.settings == {"model": "openai/x", "base_url": "http://localhost:1/v1"}
    assert made.secrets == {"api_key": references.ENV + "MY_KEY"}
    assert adhoc("openai/x", "http://localhost:1/v1").secrets == {}


def test_a_key_in_place_of_the_variable_is_refused_and_not_shown() -> None:
    with pytest.raises(ProfileError, match="--llm-api-key-env: give the NAME") as caught:
        adhoc("openai/x", None, KEY)
    assert KEY not in str(caught.value)


def test_all_confidential_values_are_listed_longest_first() -> None:
    connection = resolve(
        profile(
            base_url="http://user:p%40ss@localhost:1/v1",
            extra_headers={"Authorization": "Bearer tok-1", "X-Title": "Demo"},
            litellm_extra_body={"nested": {"proxy_token": "tok-2"}, "return_token_ids": True},
        ),
        {"MY_KEY": KEY},
    )
    assert connection.confidential() == (KEY, "Bearer tok-1", "p%40ss", "tok-1", "tok-2", "p@ss")
