"""``ohllm profiles edit``, ``remove``, ``rename``, and where ``add`` takes a key from."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles.store import load
from tests.app.conftest import PROGRAM
from tests.app.terminal import dialogue

KEY = "sk-canary-0123456789"
LOCAL = ("--model", "openai/x", "--base-url", "http://localhost:1/v1")


@pytest.fixture
def mine(ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a profile called ``mine`` whose key is in a variable."""
    monkeypatch.setenv("MY_KEY", KEY)
    assert ohllm("profiles", "add", "mine", *LOCAL, "--api-key-env", "MY_KEY").code == 0
    return folder / "mine.json"


def test_a_profile_is_edited(ohllm: Any, mine: Path) -> None:
    done = ohllm(
        *("profiles", "edit", "mine", "--model", "openai/y", "--base-url", "http://localhost:2/v1"),
        *("--set", "temperature=0.5", "--set", "seed=7", "--unset", "timeout"),
    )
    assert (done.code, done.out, done.err) == (0, "changed profile 'mine'\n", "")
    data = json.loads(mine.read_text())
    assert (data["model"], data["base_url"]) == ("openai/y", "http://localhost:2/v1")
    assert (data["temperature"], data["seed"], "timeout" in data) == (0.5, 7, False)
    assert ohllm("profiles", "edit", "mine", "--set", "temperature=null").code == 0
    assert "temperature" not in json.loads(mine.read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to change"),
        (("--set", "seed=1", "--unset", "seed"), "seed is set and unset at once"),
        (("--set", "reasoning_effort=null"), "does not keep reasoning_effort=null"),
        (("--api-key-env", KEY), "give the NAME of an environment variable"),
        (("--set", f"api_key={KEY}"), "--api-key-env VAR"),
        (("--api-key-env", "A", "--api-key-file", "b"), "--api-key-file: api_key is given twice"),
        (("--api-key-keyring",), "is asked for on a terminal, and there is none: pipe the key"),
        (("--secret-keyring", "aws_session_token"), "--secret-env aws_session_token=VAR"),
        (("--secret-keyring", "modle"), "'modle' is not a secret field"),
        (("--api-key-keyring", "--api-key-env", "A"), "the keyring: api_key is given twice"),
    ],
)
def test_a_bad_edit_changes_nothing(
    arguments: tuple[str, ...], message: str, ohllm: Any, mine: Path
) -> None:
    before = mine.read_bytes()
    done = ohllm("profiles", "edit", "mine", *arguments)
    assert (done.code, done.out) == (4, "") and message in done.err
    assert done.err.count("\n") == 1 and "canary" not in done.err
    assert mine.read_bytes() == before


@pytest.mark.parametrize("command", ["edit", "remove", "rename"])
@pytest.mark.parametrize("name", ["nope", "a/b", "..", "x" * 200, "nàme", "sim", ""])
def test_a_name_that_no_profile_has_is_one_line(
    command: str, name: str, ohllm: Any, mine: Path
) -> None:
    more = ("new",) if command == "rename" else ("--yes",) if command == "remove" else ()
    done = ohllm("profiles", command, name, *more)
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert len(done.err) < 400 and mine.exists()


def test_a_profile_is_renamed_and_removed(ohllm: Any, mine: Path, folder: Path) -> None:
    done = ohllm("profiles", "rename", "mine", "yours")
    assert (done.code, done.out) == (0, "renamed profile 'mine' to 'yours'\n")
    assert "$MY_KEY (set)" in ohllm("profiles", "show", "yours").out
    refused = ohllm("profiles", "remove", "yours")
    assert refused.code == 4 and "There is no terminal to ask on: say so with --yes" in refused.err
    done = ohllm("profiles", "remove", "yours", "--yes")
    assert (done.code, done.out, done.err) == (0, "removed profile 'yours'\n", "")
    assert list(folder.glob("*.json")) == []


def test_what_changes_a_profile_tells_it_as_json_with_these_keys(ohllm: Any, mine: Path) -> None:
    entry = json.loads(ohllm("profiles", "list", "--json").out)["profiles"][0]
    added = ohllm("profiles", "add", "other", *LOCAL, "--api-key-env", "NOT_SET_HERE", "--json")
    other = json.loads(added.out)
    assert set(other) == {"schema_version", *entry, "notes"} and added.err == ""
    assert other["notes"] == ["$NOT_SET_HERE is not set now: export NOT_SET_HERE=…"]
    edited = json.loads(ohllm("profiles", "edit", "mine", "--set", "seed=1", "--json").out)
    assert edited == {"schema_version": 1, **entry, "notes": []}
    renamed = json.loads(ohllm("profiles", "rename", "mine", "new", "--json").out)
    assert renamed == edited | {"name": "new", "source": str(mine.with_name("new.json"))}
    removed = json.loads(ohllm("profiles", "remove", "new", "--yes", "--json").out)
    assert removed == {
        "schema_version": 1,
        "name": "new",
        "keyring_deleted": [],
        "keyring_left": [],
    }


def test_a_key_comes_from_a_private_file(ohllm: Any, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(0o644)
    arguments = ("profiles", "add", "p", *LOCAL, "--api-key-file", str(path))
    refused = ohllm(*arguments)
    assert refused.code == 4 and "chmod 600" in refused.err
    path.chmod(0o600)
    assert ohllm(*arguments).code == 0
    assert f"{path} (set)" in ohllm("profiles", "show", "p").out


@pytest.mark.usefixtures("keyring")
class TestTheKeyring:
    def test_takes_a_key_from_a_pipe(
        self, ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
        added = ohllm("profiles", "add", "piped", *LOCAL, "--api-key-stdin")
        assert (added.code, added.err) == (0, "")
        shown = ohllm("profiles", "show", "piped")
        assert "keyring entry pytest-ohllm/piped.api_key (set)" in shown.out
        assert "(not asked)" in ohllm("profiles", "list").out
        assert KEY not in added.out + shown.out
        removed = ohllm("profiles", "remove", "piped", "--yes")
        assert removed.out.endswith("deleted keyring:pytest-ohllm/piped.api_key\n")

    def test_takes_a_key_that_is_typed_unseen(self, folder: Path, ohllm: Any) -> None:
        asked = dialogue(
            ["profiles", "add", "typed", *LOCAL, "--api-key-keyring"], [("the api_key", KEY)]
        )
        assert asked.code == 0 and "saved profile 'typed'" in asked.shown
        assert KEY not in asked.shown
        files = [path for path in folder.parent.rglob("*") if path.is_file()]
        assert not [path for path in files if KEY.encode() in path.read_bytes()]
        assert "(set)" in ohllm("profiles", "show", "typed").out

    def test_what_is_typed_cannot_be_a_key_and_is_not_shown(self, folder: Path) -> None:
        asked = dialogue(
            ["profiles", "add", "typed", *LOCAL, "--api-key-keyring"], [("the api_key", "sk-a b")]
        )
        assert asked.code == 4 and "holds a space" in asked.shown and "sk-a b" not in asked.shown


def test_without_a_keyring_the_way_out_is_told(folder: Path, tmp_path: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if k != "DBUS_SESSION_BUS_ADDRESS"}
    arguments = ("profiles", "add", "p", *LOCAL, "--api-key-stdin")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        input=KEY,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert "no keyring here that protects" in done.stderr and "--api-key-env VAR" in done.stderr
    assert not list(folder.glob("*.json"))


class TestOnATerminal:
    def test_a_new_profile_is_asked_for(self, folder: Path) -> None:
        asked = dialogue(
            ["profiles", "add", "p"],
            [
                ("name of the model", "openai/x"),
                ("base URL", "http://localhost:1/v1"),
                ("NAME of the environment variable", "MY_KEY"),
            ],
        )
        assert asked.code == 0, asked.shown
        data = json.loads((folder / "p.json").read_text())
        assert (data["model"], data["base_url"]) == ("openai/x", "http://localhost:1/v1")
        assert load("p", folder=folder).secrets == {"api_key": "env:MY_KEY"}

    def test_a_key_in_place_of_a_name_is_refused(self, folder: Path) -> None:
        answers = [("name of the model", "openai/x"), ("base URL", ""), ("NAME of", KEY)]
        asked = dialogue(["profiles", "add", "p"], answers)
        assert asked.code == 4 and "give the NAME of an environment variable" in asked.shown
        assert not list(folder.glob("*.json"))

    def test_removing_is_asked_for(self, mine: Path) -> None:
        asked = dialogue(["profiles", "remove", "mine"], [("Remove profile 'mine'", "n")])
        assert asked.code == 130 and mine.exists()
        asked = dialogue(["profiles", "remove", "mine"], [("Remove profile 'mine'", "y")])
        assert asked.code == 0 and not mine.exists()

    def test_a_name_that_is_taken_is_told_before_anything_is_asked(self, mine: Path) -> None:
        asked = dialogue(["profiles", "add", "mine"], [])
        assert asked.code == 4 and "profile 'mine' exists" in asked.shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ohllm profiles edit m", ["mine"]),
        ("ohllm profiles show s", ["sim"]),
        ("ohllm profiles remove x", []),
    ],
)
def test_a_shell_completes_the_names_of_profiles(
    words: str, expected: list[str], mine: Path
) -> None:
    environ = {"_OHLLM_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=os.environ | environ
    )
    offered = [
        word.strip("\"' ") for word in done.stdout.split() if "mine" in word or "sim" in word
    ]
    assert [word for name in expected for word in offered if name in word] == offered
    assert bool(offered) == bool(expected) and done.stderr == ""
