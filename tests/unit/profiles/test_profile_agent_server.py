"""Profiles that a real agent-server has saved work here, and it works with what is saved here.

The server is asked over its REST API, as its web client does; both look into the same folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.connection import resolve
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.editing import edit
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.listing import entry, listing
from pytest_ohllm.profiles.moving import rename
from pytest_ohllm.profiles.sources import Variable
from pytest_ohllm.profiles.store import load, names
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.server import is_installed
from pytest_ohllm.sdk.server_process import ServerProcess
from pytest_ohllm.sdk.server_rest import Rest

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="needs openhands-agent-server: pip install 'pytest-ohllm[server]'"
)

KEY = "sk-canary-0123456789"
LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}
PLAIN = {"X-Expose-Secrets": "plaintext"}

KEPT = {
    "cipher key": ("OH_SECRET_KEY", "OH_SESSION_API_KEYS_0"),
    "session key": ("OH_SESSION_API_KEYS_0",),
    "plain text": (),
}
"""How a server keeps secrets -> variables with which it is started, the cipher's first."""


@dataclass(frozen=True)
class Shared:
    """A running server, the folder of its profiles, and what its cipher key is."""

    rest: Rest
    folder: Path
    environ: dict[str, str]

    def save(self, name: str, **fields: Any) -> None:
        """Save a profile as the server's web client does."""
        self.rest.post(f"/api/profiles/{name}", {"llm": LOCAL | fields, "include_secrets": True})

    def read(self, name: str) -> dict[str, Any]:
        """What the server would make a conversation of, secrets and all."""
        config: dict[str, Any] = self.rest.get(f"/api/profiles/{name}", headers=PLAIN)["config"]
        return config

    def key(self, name: str) -> str:
        """The key that a run of ours would use."""
        found = resolve(load(name, folder=self.folder), self.environ)
        return found.secrets["api_key"].get_secret_value()


@pytest.fixture(scope="module", params=KEPT)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    """Servers that encrypt what they save, with a key made for that or not, and one in plain."""
    folder = tmp_path_factory.mktemp("server")
    with environment.sealed(), pytest.MonkeyPatch.context() as patch:
        server = ServerProcess(folder, folder)
        environ = server._environment()
        keys = {name: environ.pop(name) for name in ("OH_SECRET_KEY", "OH_SESSION_API_KEYS_0")}
        kept = KEPT[request.param]
        environ |= {name: keys[name] for name in kept}
        ours = {name: keys[name] for name in kept[:1]}
        patch.setattr(server, "_environment", lambda: environ)
        with server.running() as rest:
            yield Shared(rest, Path(environ["OH_PERSISTENCE_DIR"]) / "profiles", ours)


def test_a_profile_of_the_server_is_one_here(shared: Shared) -> None:
    shared.save("theirs", api_key=KEY, aws_session_token="tok-canary", temperature=0.25)

    written = (shared.folder / "theirs.json").read_text()
    encrypted = bool(shared.environ)
    assert (KEY in written) is not encrypted
    profile = load("theirs", folder=shared.folder)
    assert profile.settings["temperature"] == 0.25
    secrets = resolve(profile, shared.environ).secrets
    assert {name: value.get_secret_value() for name, value in secrets.items()} == {
        "api_key": KEY,
        "aws_session_token": "tok-canary",
    }
    listed = entry(profile, shared.environ)
    assert (listed.key, listed.problem) == ("encrypted" if encrypted else "stored", None)


def test_without_the_servers_cipher_key_the_reason_is_told(shared: Shared) -> None:
    if not shared.environ:
        pytest.skip("this server encrypts nothing")
    shared.save("sealed", api_key=KEY)

    with pytest.raises(ProfileError, match="is encrypted: set OH_SECRET_KEY"):
        resolve(load("sealed", folder=shared.folder), {})


def test_a_profile_of_ours_is_one_there(shared: Shared) -> None:
    settings = LOCAL | {"temperature": 0.5, "native_tool_calling": False}
    add("ours", settings, {"api_key": Variable("MY_KEY")}, folder=shared.folder)

    listed = {one["name"]: one for one in shared.rest.get("/api/profiles")["profiles"]}
    assert (listed["ours"]["model"], listed["ours"]["api_key_set"]) == ("openai/x", False)
    assert shared.read("ours").items() >= settings.items()
    assert not {name for name in listed if "references" in name}, "our side file is no profile"


def test_what_the_server_changes_keeps_our_reference(shared: Shared) -> None:
    add("both", LOCAL, {"api_key": Variable("MY_KEY")}, folder=shared.folder)
    shared.save("both", temperature=0.75)

    profile = load("both", folder=shared.folder)
    assert profile.settings["temperature"] == 0.75
    assert profile.secrets == {"api_key": "env:MY_KEY"}


def test_what_is_changed_here_keeps_the_key_of_the_server(shared: Shared) -> None:
    shared.save("edited", api_key=KEY)
    edit("edited", {"temperature": "0.5"}, [], {}, folder=shared.folder)
    rename("edited", "renamed", folder=shared.folder)

    found = shared.read("renamed")
    assert (found["api_key"], found["temperature"]) == (KEY, 0.5)
    assert shared.key("renamed") == KEY
    assert "edited" not in names(shared.folder)


def test_a_key_can_be_moved_out_of_the_servers_file(shared: Shared) -> None:
    shared.save("moved", api_key=KEY)
    edit("moved", {}, ["api_key"], {"api_key": Variable("MY_KEY")}, folder=shared.folder)

    assert shared.read("moved")["api_key"] is None
    stored = json.loads((shared.folder / "moved.json").read_text())
    assert not stored.get("api_key")
    assert references.read(shared.folder)["moved"] == {"api_key": "env:MY_KEY"}


def test_a_provider_connection_of_the_server_gives_address_and_key(shared: Shared) -> None:
    body = {"display_name": "Shared", "api_key": KEY, "base_url": "http://localhost:2/v1"}
    made = shared.rest.post("/api/llm/provider-connections", body)
    linked = {"model": "openai/x", "base_url": None, "provider_connection_id": made["id"]}
    shared.save("linked", **linked)

    assert load("linked", folder=shared.folder).base_url == "http://localhost:2/v1"
    assert shared.key("linked") == KEY


def test_all_profiles_of_the_server_are_listed_without_a_problem(shared: Shared) -> None:
    shared.save("listed", api_key=KEY)

    found = {one.name: one for one in listing(shared.folder, {**shared.environ, "MY_KEY": "x"})}
    there = {one["name"] for one in shared.rest.get("/api/profiles")["profiles"]}
    assert there == found.keys() - {"sim"}
    assert not {name: one.problem for name, one in found.items() if one.problem}
    assert KEY not in repr(found)
