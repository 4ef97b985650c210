"""Encrypted profiles and provider connections, written by the real SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.profiles.connection import resolve
from pytest_ohllm.profiles.editing import edit
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.listing import entry
from pytest_ohllm.profiles.sources import Variable
from pytest_ohllm.profiles.store import load

KEY = "sk-canary-0123456789"
CIPHER = {"OH_SECRET_KEY": "a secret of the agent-server"}
URL = "http://localhost:1/v1"


def cipher(key: str = CIPHER["OH_SECRET_KEY"]) -> Any:
    from openhands.sdk.utils.cipher import Cipher

    return Cipher(key)


@pytest.fixture
def connections(sdk: Any, folder: Path) -> Any:
    """The SDK's own store of provider connections, beside the profiles."""
    module = pytest.importorskip("openhands.sdk.llm.provider_connection_store")
    return module.ProviderConnectionStore(folder.parent / "provider-connections")


def shared(connections: Any, with_cipher: Any = None, **fields: Any) -> None:
    from openhands.sdk.llm.provider_connection_store import ProviderConnection

    about = {"id": "shared", "display_name": "Shared", "created_at": 1, "updated_at": 1}
    connections.create(ProviderConnection(**about | fields), cipher=with_cipher)


def value(name: str, folder: Path, environ: dict[str, str]) -> str:
    return resolve(load(name, folder=folder), environ).secrets["api_key"].get_secret_value()


def test_an_encrypted_key_is_read_with_the_cipher_key(
    sdk: Any, sdk_store: Any, folder: Path
) -> None:
    llm = sdk.LLM(model="openai/x", api_key=SecretStr(KEY), aws_session_token=SecretStr("tok"))
    sdk_store.save("p", llm, include_secrets=True, cipher=cipher())
    assert KEY not in (folder / "p.json").read_text()
    secrets = resolve(load("p", folder=folder), CIPHER).secrets
    assert {name: one.get_secret_value() for name, one in secrets.items()} == {
        "api_key": KEY,
        "aws_session_token": "tok",
    }
    assert entry(load("p", folder=folder), CIPHER).problem is None
    assert sdk_store.load("p", cipher=cipher()).api_key.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, "is encrypted: set OH_SECRET_KEY to what it was"),
        ({"OH_SECRET_KEY": "wrong"}, "cannot be decrypted with OH_SECRET_KEY"),
    ],
)
def test_without_the_right_cipher_key_the_reason_is_told(
    environ: dict[str, str], reason: str, sdk: Any, sdk_store: Any, folder: Path
) -> None:
    llm = sdk.LLM(model="openai/x", api_key=SecretStr(KEY))
    sdk_store.save("p", llm, include_secrets=True, cipher=cipher())
    with pytest.raises(ProfileError, match=reason) as caught:
        value("p", folder, environ)
    assert "gAAAA" not in str(caught.value)
    listed = entry(load("p", folder=folder), environ)
    assert listed.key == "encrypted" and reason.split(":")[0] in str(listed.problem)


@pytest.mark.parametrize(
    "environ",
    [
        {"OH_SECRET_KEY": " ", "OH_SESSION_API_KEYS_0": CIPHER["OH_SECRET_KEY"]},
        {"SESSION_API_KEY": CIPHER["OH_SECRET_KEY"], "OH_SESSION_API_KEYS_0": "another"},
        {"OH_SECRET_KEY": "new", "OH_PREVIOUS_SECRET_KEYS_0": CIPHER["OH_SECRET_KEY"]},
        {"OH_PREVIOUS_SECRET_KEYS": json.dumps(["older", CIPHER["OH_SECRET_KEY"]])},
    ],
)
def test_the_key_of_the_cipher_is_looked_for_where_the_agent_server_does(
    environ: dict[str, str], sdk: Any, sdk_store: Any, folder: Path
) -> None:
    llm = sdk.LLM(model="openai/x", api_key=SecretStr(KEY))
    sdk_store.save("p", llm, include_secrets=True, cipher=cipher())
    assert value("p", folder, environ) == KEY


def test_a_list_of_older_keys_that_is_none_is_ignored(
    sdk: Any, sdk_store: Any, folder: Path
) -> None:
    llm = sdk.LLM(model="openai/x", api_key=SecretStr(KEY))
    sdk_store.save("p", llm, include_secrets=True, cipher=cipher())
    for nonsense in ("{", "5", "[5]"):
        assert value("p", folder, CIPHER | {"OH_PREVIOUS_SECRET_KEYS": nonsense}) == KEY


def test_editing_keeps_a_key_that_the_sdk_saved(sdk: Any, sdk_store: Any, folder: Path) -> None:
    llm = sdk.LLM(model="openai/x", api_key=SecretStr(KEY))
    sdk_store.save("secret", llm, include_secrets=True, cipher=cipher())
    sdk_store.save("plain", llm, include_secrets=True)
    for name in ("secret", "plain"):
        edit(name, {"temperature": "0.5"}, [], {}, folder=folder)
        assert value(name, folder, CIPHER) == KEY
        loaded = sdk_store.load(name, cipher=cipher())
        assert (loaded.temperature, loaded.api_key.get_secret_value()) == (0.5, KEY)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_provider_connection_gives_address_and_key(
    encrypted: bool, sdk: Any, sdk_store: Any, connections: Any, folder: Path
) -> None:
    shared(connections, cipher() if encrypted else None, api_key=SecretStr(KEY), base_url=URL)
    sdk_store.save("p", sdk.LLM(model="openai/x", provider_connection_id="shared"))
    profile = load("p", folder=folder)
    assert profile.base_url == URL
    assert profile.secrets == {"api_key": "connection:shared"}
    assert value("p", folder, CIPHER) == KEY
    found = entry(profile, CIPHER)
    assert (found.key, found.problem) == ("encrypted" if encrypted else "stored", None)
    assert sdk_store.load("p", cipher=cipher()).api_key.get_secret_value() == KEY


def test_a_key_of_the_users_own_comes_before_the_connections(
    sdk: Any, sdk_store: Any, connections: Any, folder: Path
) -> None:
    shared(connections, api_key=SecretStr(KEY), base_url=URL)
    sdk_store.save("p", sdk.LLM(model="openai/x", provider_connection_id="shared"))
    edit("p", {}, [], {"api_key": Variable("MY_KEY")}, folder=folder)
    assert value("p", folder, {"MY_KEY": "sk-mine"}) == "sk-mine"
    with pytest.raises(ProfileError, match="comes from the profile's provider connection"):
        edit("p", {"base_url": "http://localhost:2/v1"}, [], {}, folder=folder)
    edit(
        "p",
        {"base_url": "http://localhost:2/v1"},
        ["provider_connection_id"],
        {},
        folder=folder,
    )
    assert load("p", folder=folder).base_url == "http://localhost:2/v1"


def test_a_connection_without_a_key_is_one(
    sdk: Any, sdk_store: Any, connections: Any, folder: Path
) -> None:
    shared(connections, base_url=URL)
    sdk_store.save("p", sdk.LLM(model="openai/x", provider_connection_id="shared"))
    assert resolve(load("p", folder=folder), {"OPENAI_API_KEY": KEY}).secrets == {}


def test_a_connection_that_is_gone_is_told(sdk: Any, sdk_store: Any, folder: Path) -> None:
    sdk_store.save("p", sdk.LLM(model="openai/x", provider_connection_id="shared"))
    with pytest.raises(ProfileError, match=r"'shared', which is not in .*: there is none; `ohllm"):
        load("p", folder=folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        (
            '{"schema_version": 2}',
            "schema_version is 2, this .* reads up to 1",
        ),
        ('{"connections": {}}', "there is none"),
        ('{"connections": [{"id": "sharde"}]}', r"did you mean 'sharde'\?\): known are sharde"),
        ('{"connections": [{"id": "shared", "base_url": 5}]}', "base_url of 'shared' is no string"),
    ],
)
def test_connections_that_are_not_understood_are_told(
    content: str, reason: str, folder: Path
) -> None:
    folder.mkdir(parents=True)
    data = {"model": "openai/x", "provider_connection_id": "shared"}
    (folder / "p.json").write_text(json.dumps(data))
    path = folder.parent / "provider-connections" / "provider_connections.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ProfileError, match=reason):
        load("p", folder=folder)
