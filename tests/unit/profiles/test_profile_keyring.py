"""Keys in the keyring: a real Secret Service, and backends that must not be trusted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from pydantic import SecretStr

from pytest_ohllm.profiles import keyring_entries, references
from pytest_ohllm.profiles.connection import resolve
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.profiles.editing import edit
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.listing import entry, listing
from pytest_ohllm.profiles.moving import remove, rename
from pytest_ohllm.profiles.sources import Typed, Variable
from pytest_ohllm.profiles.store import load, names
from tests import secret_service

KEY = "sk-canary-0123456789"
LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}
TYPED = {"api_key": Typed(SecretStr(KEY))}


def key_of(name: str, folder: Path) -> str:
    return resolve(load(name, folder=folder), {}).secrets["api_key"].get_secret_value()


class Memory(KeyringBackend):
    """A backend that keeps what it is given in this process."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Plaintext(Memory):
    """As keyrings.alt has one."""

    priority = 0.5  # type: ignore[assignment]


class Forgetful(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Talkative(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot store {password}")


class Broken(Memory):
    def get_password(self, service: str, username: str) -> str | None:
        raise AssertionError("asked")


@pytest.mark.usefixtures("keyring")
class TestARealKeyring:
    def test_keeps_a_key_for_other_processes_and_no_file_holds_it(self, folder: Path) -> None:
        profile = add("kept", LOCAL, TYPED, folder=folder)
        assert profile.secrets == {"api_key": "keyring:pytest-ohllm/kept.api_key"}
        program = (
            "import sys; from pathlib import Path\n"
            "from pytest_ohllm.profiles.connection import resolve\n"
            "from pytest_ohllm.profiles.store import load\n"
            "secrets = resolve(load('kept', folder=Path(sys.argv[1]))).secrets\n"
            "print(secrets['api_key'].get_secret_value())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder)], capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == (f"{KEY}\n", "")
        files = [path for path in folder.parent.rglob("*") if path.is_file()]
        assert not [path for path in files if b"canary" in path.read_bytes()]

    def test_takes_every_secret_field(self, folder: Path) -> None:
        fields = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        secrets = {name: Typed(SecretStr(f"{KEY}-{name}")) for name in fields}
        add("aws", {"model": "bedrock/x"}, secrets, folder=folder)
        values = resolve(load("aws", folder=folder), {}).secrets
        assert {name: value.get_secret_value() for name, value in values.items()} == {
            name: f"{KEY}-{name}" for name in fields
        }

    def test_never_overwrites_an_entry_of_another_folder(self, tmp_path: Path) -> None:
        one, two = tmp_path / "one" / "profiles", tmp_path / "two" / "profiles"
        add("twin", LOCAL, TYPED, folder=one)
        add("twin", LOCAL, {"api_key": Typed(SecretStr("sk-other"))}, folder=two)
        assert (key_of("twin", one), key_of("twin", two)) == (KEY, "sk-other")

    def test_a_new_key_replaces_the_old_one(self, folder: Path) -> None:
        old = add("rotated", LOCAL, TYPED, folder=folder).secrets["api_key"]
        edit("rotated", {}, [], {"api_key": Typed(SecretStr("sk-new"))}, folder=folder)
        assert key_of("rotated", folder) == "sk-new"
        assert keyring_entries.fetch(old) is None

    def test_an_entry_goes_when_a_variable_takes_its_place(self, folder: Path) -> None:
        old = add("moved", LOCAL, TYPED, folder=folder).secrets["api_key"]
        edit("moved", {}, [], {"api_key": Variable("MY_KEY")}, folder=folder)
        assert load("moved", folder=folder).secrets == {"api_key": "env:MY_KEY"}
        assert keyring_entries.fetch(old) is None

    def test_removing_a_profile_deletes_its_entries(self, folder: Path) -> None:
        reference = add("gone", LOCAL, TYPED, folder=folder).secrets["api_key"]
        removed = remove("gone", folder=folder)
        assert (removed.keyring_deleted, removed.keyring_left) == ((reference,), ())
        assert keyring_entries.fetch(reference) is None
        assert names(folder) == [] and references.read(folder) == {}

    def test_removing_a_profile_can_leave_them(self, folder: Path) -> None:
        reference = add("left", LOCAL, TYPED, folder=folder).secrets["api_key"]
        removed = remove("left", keep_keys=True, folder=folder)
        assert (removed.keyring_deleted, removed.keyring_left) == ((), (reference,))
        assert keyring_entries.fetch(reference) == KEY

    def test_renaming_a_profile_moves_them(self, folder: Path) -> None:
        old = add("before", LOCAL, TYPED, folder=folder).secrets["api_key"]
        assert rename("before", "after", folder=folder) == "after"
        assert load("after", folder=folder).secrets == {
            "api_key": "keyring:pytest-ohllm/after.api_key"
        }
        assert key_of("after", folder) == KEY and keyring_entries.fetch(old) is None

    def test_somebody_elses_entry_is_read_and_never_deleted(self, folder: Path) -> None:
        import keyring

        keyring.set_password("theirs", "a/b", KEY)
        add("borrower", LOCAL, {}, folder=folder)
        references.write(folder, "borrower", {"api_key": "keyring:theirs/a/b"})
        assert key_of("borrower", folder) == KEY
        rename("borrower", "renamed", folder=folder)
        assert key_of("renamed", folder) == KEY
        assert remove("renamed", folder=folder).keyring_deleted == ()
        assert keyring.get_password("theirs", "a/b") == KEY

    def test_an_entry_that_somebody_deleted_is_told(self, folder: Path) -> None:
        keyring_entries.forget(add("p", LOCAL, TYPED, folder=folder).secrets["api_key"])
        with pytest.raises(ProfileError, match="does not exist: store it again with `ohllm prof"):
            key_of("p", folder)
        assert entry(load("p", folder=folder), {}).key == "not set"

    def test_a_profile_that_cannot_be_saved_leaves_no_entry(self, folder: Path) -> None:
        (folder / "p.json").mkdir(parents=True)
        with pytest.raises(ProfileError, match="cannot write"):
            add("p", LOCAL, TYPED, overwrite=True, folder=folder)
        assert keyring_entries.fetch("keyring:pytest-ohllm/p.api_key") is None


@pytest.mark.usefixtures("locked_keyring")
def test_a_locked_keyring_is_told_with_the_way_out(folder: Path) -> None:
    with pytest.raises(ProfileError, match="is locked: unlock it and try again, or name an env"):
        add("p", LOCAL, TYPED, folder=folder)
    assert names(folder) == []
    add("p", LOCAL, {}, folder=folder)
    references.write(folder, "p", {"api_key": "keyring:pytest-ohllm/p.api_key"})
    with pytest.raises(ProfileError, match=r"is locked: .* --keep-keys leaves"):
        remove("p", folder=folder)
    with pytest.raises(ProfileError, match="is locked"):
        rename("p", "q", folder=folder)
    assert load("p", folder=folder).secrets and names(folder) == ["p"]
    assert remove("p", keep_keys=True, folder=folder).keyring_left


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (fail.Keyring(), r"no keyring here that protects what it keeps \(found: fail\)"),
        (null.Keyring(), r"found: null"),
        (Plaintext(), "no keyring here that protects"),
        (Forgetful(), "does not keep what is stored in it"),
        (Talkative(), r"refuses \(RuntimeError\)"),
    ],
)
def test_a_backend_that_cannot_be_trusted_gets_no_profile(
    found: Any, reason: str, folder: Path
) -> None:
    with secret_service.backend(found), pytest.raises(ProfileError, match=reason) as caught:
        add("p", LOCAL, TYPED, folder=folder)
    assert "--api-key-env VAR" in str(caught.value) and "canary" not in str(caught.value)
    assert names(folder) == [] and getattr(found, "kept", {}) == {}


def test_a_chain_of_backends_falls_back_to_none_that_is_not_real(folder: Path) -> None:
    plain, real = Plaintext(), Memory()

    class Chain(Memory):
        backends = (real, plain)

    with secret_service.backend(Chain()):
        add("p", LOCAL, TYPED, folder=folder)
        assert key_of("p", folder) == KEY
    assert (list(real.kept.values()), plain.kept) == ([KEY], {})


def test_a_keyring_that_never_answers_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    class Asking(Memory):
        def get_password(self, service: str, username: str) -> str | None:
            threading.Event().wait(5)
            return None

    monkeypatch.setattr(keyring_entries, "_SECONDS", 0.1)
    expected = pytest.raises(ProfileError, match=r"did not answer within 0\.1 s: unlock it")
    with secret_service.backend(Asking()), expected:
        add("p", LOCAL, TYPED, folder=folder)


def test_the_list_of_profiles_does_not_ask_the_keyring(folder: Path) -> None:
    add("p", LOCAL, {}, folder=folder)
    references.write(folder, "p", {"api_key": "keyring:pytest-ohllm/p.api_key"})
    with secret_service.backend(Broken()):
        listed, _sim = listing(folder, {})
    assert (listed.key, listed.problem) == ("not asked", None)


def test_a_name_of_a_backend_is_all_that_is_said_of_a_reference(folder: Path) -> None:
    add("p", LOCAL, {}, folder=folder)
    references.write(folder, "p", {"api_key": "keyring:nonsense"})
    with pytest.raises(ProfileError, match="expected keyring:SERVICE/NAME"):
        key_of("p", folder)
    assert json.loads((folder / references.FILE_NAME).read_text())["profiles"]
