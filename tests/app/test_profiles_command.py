from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

KEY = "sk-canary-0123456789"
LOCAL = ("--model", "openai/x", "--base-url", "http://localhost:1/v1")


def test_a_profile_is_added_listed_and_shown(
    ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    added = ohllm("profiles", "add", "mine", *LOCAL, "--api-key-env", "MY_KEY")
    assert (added.code, added.err) == (0, "") and "pytest --llm-profile=mine" in added.out
    listed = ohllm("profiles", "list")
    shown = ohllm("profiles", "show", "mine")
    for done in (listed, shown):
        assert done.code == 0 and done.err == ""
        for text in ("mine", "openai/x", "http://localhost:1/v1", "$MY_KEY (set)"):
            assert text in done.out
    assert str(folder / "mine.json") in shown.out and "native_tool_calling" in shown.out
    assert KEY not in listed.out + shown.out
    monkeypatch.delenv("MY_KEY")
    assert "$MY_KEY (not set)" in ohllm("profiles", "list").out


def test_the_list_as_json_has_these_keys(ohllm: Any, folder: Path) -> None:
    ohllm("profiles", "add", "mine", *LOCAL, "--api-key-env", "MY_KEY_THAT_IS_NOT_SET")
    done = ohllm("profiles", "list", "--json")
    data = json.loads(done.out)
    assert done.err == "" and set(data) == {"schema_version", "folder", "profiles"}
    assert (data["schema_version"], data["folder"]) == (1, str(folder))
    mine, sim = data["profiles"]
    assert mine == {
        "name": "mine",
        "model": "openai/x",
        "base_url": "http://localhost:1/v1",
        "key": "not set",
        "secrets": [
            {"field": "api_key", "reference": "env:MY_KEY_THAT_IS_NOT_SET", "state": "not set"}
        ],
        "source": str(folder / "mine.json"),
        "problem": mine["problem"],
    }
    assert "which is not set" in mine["problem"]
    assert (sim["name"], sim["problem"]) == ("sim", None)


def test_a_profile_as_json_has_the_settings_too_and_no_secret(
    ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    ohllm(
        *("profiles", "add", "mine", "--model", "openai/x", "--api-key-env", "MY_KEY"),
        *("--base-url", "http://user:hush-1@localhost:1/v1"),
        *("--set", 'extra_headers={"Authorization": "Bearer hush-2"}'),
    )
    done = ohllm("profiles", "show", "mine", "--json")
    data = json.loads(done.out)
    entry = json.loads(ohllm("profiles", "list", "--json").out)["profiles"][0]
    assert data == {"schema_version": 1, **entry, "settings": data["settings"]}
    assert data["settings"]["base_url"] == data["base_url"] == "http://***@localhost:1/v1"
    assert data["settings"]["extra_headers"] == {"Authorization": "***"}
    people = ohllm("profiles", "show", "mine").out
    assert "hush" not in done.out + people and KEY not in done.out + people


def test_settings_are_taken_as_text_or_as_json(ohllm: Any, folder: Path) -> None:
    done = ohllm(
        *("profiles", "add", "mine", *LOCAL),
        *("--set", "temperature=0.5", "--set", "stream=true", "--set", "api_version=2024"),
        *("--set", 'litellm_extra_body={"a": [1, null]}', "--set", "reasoning_effort=none"),
        *("--set", 'usage_id="x=y"', "--set", "top_p=null"),
    )
    assert done.code == 0
    settings = json.loads((folder / "mine.json").read_text())
    assert "top_p" not in settings
    assert {
        name: settings[name]
        for name in (
            "temperature",
            "stream",
            "api_version",
            "litellm_extra_body",
            "reasoning_effort",
            "usage_id",
        )
    } == {
        "temperature": 0.5,
        "stream": True,
        "api_version": "2024",
        "litellm_extra_body": {"a": [1, None]},
        "reasoning_effort": "none",
        "usage_id": "x=y",
    }


def test_every_secret_field_can_be_named(ohllm: Any) -> None:
    done = ohllm(
        *("profiles", "add", "aws", "--model", "bedrock/x"),
        *("--secret-env", "aws_access_key_id=ID_VAR"),
        *("--secret-env", "aws_secret_access_key=SECRET_VAR"),
    )
    assert done.code == 0
    assert "aws_access_key_id: $ID_VAR (not set)" in ohllm("profiles", "list").out


def test_a_profile_that_cannot_be_used_yet_is_saved_with_a_note(ohllm: Any) -> None:
    keyless = ohllm("profiles", "add", "a", "--model", "openai/gpt-4o")
    unset = ohllm("profiles", "add", "b", *LOCAL, "--api-key-env", "NOT_SET_HERE")
    assert (keyless.code, unset.code) == (0, 0)
    assert keyless.err.startswith("note: profile 'a' has no key and no base_url")
    assert unset.err == "note: $NOT_SET_HERE is not set now: export NOT_SET_HERE=…\n"


def test_an_endpoint_without_a_key_is_saved_without_a_note(ohllm: Any) -> None:
    done = ohllm("profiles", "add", "local", *LOCAL)
    assert (done.code, done.err) == (0, "")


def test_a_profile_that_exists_is_only_replaced_on_demand(ohllm: Any) -> None:
    assert ohllm("profiles", "add", "mine", *LOCAL).code == 0
    again = ohllm("profiles", "add", "mine", *LOCAL)
    assert again.code == 4 and "profile 'mine' exists" in again.err
    assert ohllm("profiles", "add", "mine", *LOCAL, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--api-key-env", KEY], "--api-key-env: give the NAME of an environment variable"),
        (["--secret-env", f"api_key={KEY}"], "give the NAME of an environment variable"),
        (["--secret-env", KEY], "--secret-env takes FIELD=VALUE"),
        (["--set", f"api_key={KEY}"], "--api-key-env VAR"),
        (["--set", KEY], "--set takes FIELD=VALUE"),
        (["--set", "=x"], "--set takes FIELD=VALUE"),
        (["--set", "seed=1", "--set", "seed=2"], "--set: seed is given twice"),
        (["--set", "model=openai/y"], "--set: model is given twice"),
        (["--api-key-env", "A", "--secret-env", "api_key=B"], "api_key is given twice"),
        (["--set", "extra_headers={oops"], "--set extra_headers: the value is not valid JSON"),
        (["--set", "modle=x"], "did you mean 'model'?"),
    ],
)
def test_a_bad_option_saves_nothing_and_shows_no_key(
    arguments: list[str], message: str, ohllm: Any, folder: Path
) -> None:
    done = ohllm("profiles", "add", "mine", *LOCAL, *arguments)
    assert (done.code, done.out) == (4, "") and message in done.err
    assert done.err.count("\n") == 1 and "canary" not in done.err
    assert not folder.exists()


def test_a_bad_address_is_refused_with_what_to_do(ohllm: Any) -> None:
    done = ohllm("profiles", "add", "x", "--model", "m", "--base-url", "http://h/v1/responses")
    assert done.code == 4 and done.err.endswith("so that it is http://h/v1\n")


def test_a_broken_profile_is_listed_with_the_reason_and_not_shown(ohllm: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{")
    listed = ohllm("profiles", "list")
    assert listed.code == 0 and "is not valid JSON" in " ".join(listed.out.split())
    shown = ohllm("profiles", "show", "broken")
    assert shown.code == 4 and "is not valid JSON" in shown.err


def test_a_key_in_the_file_is_told_and_not_shown(ohllm: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "p.json").write_text(json.dumps({"model": "openai/x", "api_key": KEY}))
    for command in (("list",), ("show", "p")):
        done = ohllm("profiles", *command)
        assert "in the file, as plain text" in done.out and KEY not in done.out


def test_a_profile_that_cannot_be_used_is_shown_with_the_reason(ohllm: Any) -> None:
    ohllm("profiles", "add", "p", *LOCAL, "--api-key-env", "NOT_SET_HERE")
    assert "export NOT_SET_HERE=…" in ohllm("profiles", "show", "p").out


def test_an_sdk_that_cannot_be_imported_is_one_line(
    ohllm_process: Any, folder: Path, tmp_path: Path
) -> None:
    package = tmp_path / "broken" / "openhands" / "sdk"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no module named nuts\\nand bolts')")
    done = ohllm_process("profiles", "add", "p", *LOCAL, PYTHONPATH=str(tmp_path / "broken"))
    assert (done.code, done.err.count("\n")) == (4, 1)
    assert "openhands-sdk cannot be imported (ImportError: no module named nuts)" in done.err
    assert not folder.exists()


def test_what_looks_like_markup_is_shown_as_it_is(ohllm: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "odd.json").write_text('{"model": "openai/[red]x[/nope]", "base_url": "http://h"}')
    assert "openai/[red]x[/nope]" in ohllm("profiles", "list").out


def test_an_escape_sequence_does_not_reach_the_terminal(ohllm: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "a\x1b[31mb\nc.json").write_text('{"model": "openai/\\u001b]0;title\\u0007x"}')
    (folder / "odd.json").write_text('{"model": "openai/\\u001b[2Jx", "base_url": "http://h"}')
    listed, shown = ohllm("profiles", "list"), ohllm("profiles", "show", "odd")
    assert (listed.code, shown.code) == (0, 0) and "openai/x" in shown.out
    assert "\x1b" not in listed.out + shown.out


def test_a_personality_of_the_simulator_can_be_shown(ohllm: Any) -> None:
    done = ohllm("profiles", "show", "sim:parrot", "--json")
    assert done.code == 0 and json.loads(done.out)["settings"]["model"] == "openai/sim-parrot"


def test_a_process_of_its_own_adds_a_profile_with_keys_all_around_and_leaves_nothing_else(
    ohllm_process: Any, folder: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    keys = dict.fromkeys(("OPENAI_API_KEY", "LLM_API_KEY", "MY_KEY"), KEY)
    arguments = ("profiles", "add", "mine", *LOCAL, "--api-key-env", "MY_KEY")
    done = ohllm_process(*arguments, TMPDIR=str(scratch), **keys)
    assert (done.code, done.err) == (0, "")
    assert done.out == "saved profile 'mine': try `pytest --llm-profile=mine`\n"
    assert list(scratch.iterdir()) == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert folder / "mine.json" in files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
