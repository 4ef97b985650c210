from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.listing import Secret, folder_problem, listing
from tests.unit.profiles.conftest import unprivileged


def test_without_a_folder_there_is_the_simulator_and_no_folder_is_made(folder: Path) -> None:
    (entry,) = listing(folder, {})
    assert (entry.name, entry.key, entry.problem) == ("sim", "not needed", None)
    assert not folder.exists()


def test_the_key_of_each_profile_is_located_and_its_variable_looked_up(
    write_profile: Callable[..., Path],
) -> None:
    local = {"model": "openai/x", "base_url": "http://u:hush@localhost:1/v1"}
    for name in ("set", "unset", "keyless"):
        write_profile(name, **local)
    write_profile("stored", **local, api_key="sk-canary")
    path = write_profile("none", model="openai/x")
    for name in ("set", "unset"):
        references.write(path.parent, name, {"api_key": f"env:{name.upper()}"})
    entries = {entry.name: entry for entry in listing(path.parent, {"SET": "sk-canary"})}
    assert {name: entry.key for name, entry in entries.items()} == {
        "set": "set",
        "unset": "not set",
        "keyless": "not needed",
        "stored": "stored",
        "none": "missing",
        "sim": "not needed",
    }
    assert entries["set"].secrets == (Secret("api_key", "env:SET", "set"),)
    assert entries["set"].base_url == "http://***@localhost:1/v1"
    assert {name for name, entry in entries.items() if entry.problem} == {"unset", "none"}
    assert "canary" not in repr(entries) and "hush" not in repr(entries)


def test_broken_files_are_listed_with_the_reason_and_hide_nothing(
    write_profile: Callable[..., Path],
) -> None:
    folder = write_profile("good", model="openai/x", base_url="http://localhost:1/v1").parent
    (folder / "corrupt.json").write_text("{")
    (folder / "empty.json").write_text("")
    (folder / "folder.json").mkdir()
    (folder / "huge.json").write_text("[" + "1," * 1_000_000 + "1]")
    (folder / "dangling.json").symlink_to(folder / "nowhere")
    (folder / "circle.json").symlink_to(folder / "circle.json")
    (folder / ("n" * 200 + ".json")).write_text("{}")
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00")
    (folder / "deep.json").write_text("[" * 100_000)
    os.mkfifo(folder / "pipe.json")
    write_profile("foreign", theme="dark")
    write_profile("newer", model="openai/x", schema_version=99)
    write_profile("bad name", model="openai/x")
    write_profile("twice.json", model="openai/x")
    write_profile("sim", model="openai/x")
    write_profile("url", model="openai/x", base_url="localhost:1/v1")
    entries = listing(folder, {})
    reasons = {entry.name: entry.problem or "" for entry in entries[:-1]}
    expected = {
        "corrupt": "not valid JSON",
        "empty": "not valid JSON",
        "folder": "is a directory",
        "huge": "bytes: that is no profile",
        "dangling": "is a link to a file that does not exist",
        "circle": "cannot be read",
        "n" * 200: "is not a profile name",
        "binary": "is not UTF-8",
        "deep": "not valid JSON",
        "pipe": "not a regular file",
        "foreign": "no field 'theme'",
        "newer": "schema_version is 99",
        "bad name": "is not a profile name",
        "twice.json": "cannot be addressed",
        "sim": "hidden by the built-in profile",
        "url": "has no scheme",
    }
    assert reasons.pop("good") == ""
    assert {name: expected[name] in reason for name, reason in reasons.items()} == dict.fromkeys(
        expected, True
    )
    assert entries[-1].name == "sim" and entries[-1].problem is None


def test_a_file_and_a_folder_that_may_not_be_read_are_told() -> None:
    # pytest's own folder is closed to all but its owner, whom this test stops being.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for profile in ("closed", "good"):
            text = '{"model": "openai/x", "base_url": "http://localhost:1/v1"}'
            (folder / f"{profile}.json").write_text(text)
        folder.chmod(0o755)
        (folder / "closed.json").chmod(0)
        with unprivileged():
            found = {entry.name: entry.problem for entry in listing(folder, {})}
        assert found["good"] is None
        assert "cannot be read: Permission denied" in str(found["closed"])
        folder.chmod(0)
        with unprivileged():
            assert [entry.name for entry in listing(folder, {})] == ["sim"]
            assert folder_problem(folder) == f"{folder} cannot be listed: Permission denied"
        folder.chmod(0o700)
        assert folder_problem(folder) is folder_problem(folder / "none") is None
        assert "Not a directory" in str(folder_problem(folder / "good.json"))


def test_broken_references_are_shown_at_every_profile(write_profile: Callable[..., Path]) -> None:
    folder = write_profile("p", model="openai/x", base_url="http://localhost:1/v1").parent
    (folder / references.FILE_NAME).write_text("{")
    entry = listing(folder, {})[0]
    assert entry.problem is not None and references.FILE_NAME in entry.problem
