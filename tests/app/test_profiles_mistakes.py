"""Every way to use ``ohllm profiles`` wrongly ends in one line that helps, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MODEL = ("--model", "openai/x")
NAMES = ["a/b", "..", ".", ".hidden", "ünï", "", "a b", "a\nb", "n" * 200, "../good"]
NO_PROFILE = "there is no profile 'godo'"


@pytest.fixture
def good(ohllm: Any, folder: Path) -> Path:
    """A saved profile, with another one beside it."""
    for name in ("good", "other"):
        assert ohllm("profiles", "add", name, *MODEL, "--base-url", "http://h/v1").code == 0
    return folder / "good.json"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "x"), "Missing option '--model'"),
        (("add", "x", "--model", ""), "the model is empty"),
        (("add", "x", *MODEL, "--base-url", ""), "the base_url is empty"),
        (("add", "x", *MODEL, "--base-url", "localhost"), "has no scheme"),
        (("add", "x", *MODEL, "--set", "temperature=hot"), "temperature: Input should be a valid"),
        (("add", "x", *MODEL, "--set", "num_retries=-1"), "num_retries: Input should be greater"),
        (("add", "x", *MODEL, "--api-key-file", "nowhere"), "No such file or directory"),
        (("add", "x", *MODEL, "--secret-file", "aws_foo=y"), "'aws_foo' is not a secret field"),
        (("add", "x", "--preset", "opnai/x"), "did you mean 'openai'?"),
        (("add", "x", "--preset", "openai"), "names no model"),
        (("add", "sim", *MODEL), "is a built-in profile"),
        (("add", "good", *MODEL), "profile 'good' exists"),
        (("edit", "godo", "--set", "seed=1"), f"{NO_PROFILE} in "),
        (("edit", "good"), "nothing to change"),
        (("edit", "good", "--set", "tempratur=1"), "did you mean 'temperature'?"),
        (("edit", "good", "--unset", "nope"), "no field 'nope'"),
        (("edit", "good", "--unset", "model"), "the model is empty"),
        (("show", "godo"), "did you mean 'good'?"),
        (("show", "sim:parot"), "did you mean 'parrot'?"),
        (("check", "godo"), NO_PROFILE),
        (("check", "good", "--stages=Z"), "names no stage"),
        (("check", "good", "--gates=visoin"), "did you mean vision?"),
        (("remove", "godo", "--yes"), NO_PROFILE),
        (("remove", "good"), "say so with --yes"),
        (("remove", "sim", "--yes"), "is a built-in profile"),
        (("rename", "godo", "x"), NO_PROFILE),
        (("rename", "good", "good"), "has that name already"),
        (("rename", "good", "other"), "profile 'other' exists"),
        (("rename", "good", "sim"), "is a built-in profile"),
        (("rename", "good"), "Missing argument"),
        (("import", "nowhere.json"), "there is no file nowhere.json"),
        (("import", ".", "--yes"), "is a directory"),
        (("import", "env", "--yes"), "$LLM_MODEL is not set"),
        (("export", "godo"), NO_PROFILE),
        (("export", "--output", "nowhere/x.json"), "cannot write nowhere/x.json"),
        (("presets", "openai"), "unexpected extra argument"),
        (("list", "--jsn"), "--json"),
        (("lst",), "Did you mean 'list'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_and_changes_nothing(
    arguments: tuple[str, ...], message: str, ohllm: Any, good: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    done = ohllm("profiles", *arguments)

    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1), done
    assert done.err.startswith("ohllm: error: ") and message in done.err
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("command", ["add", "edit", "show", "check", "remove", "rename", "export"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:10] or "empty")
def test_a_name_that_is_none_is_refused_by_every_command(
    command: str, name: str, ohllm: Any, good: Path
) -> None:
    more = {"add": MODEL, "edit": ("--set", "seed=1"), "remove": ("--yes",), "rename": ("x",)}

    done = ohllm("profiles", command, name, *more.get(command, ()))

    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1), done
    assert "is not a profile name: use 1 to 64 letters" in done.err
    assert len(done.err) < 250
    assert good.exists()


def test_a_folder_that_cannot_be_listed_is_told(
    ohllm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLM_PROFILES_DIR", str(tmp_path / "file"))

    done = ohllm("profiles", "list")

    assert done.code == 0 and "sim" in done.out
    assert done.err == f"note: {tmp_path / 'file'} cannot be listed: Not a directory\n"
