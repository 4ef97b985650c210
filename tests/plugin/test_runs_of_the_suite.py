"""Real runs through ``ohllm runs``: given away, taken in, merged, compared, published."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.app import cli
from pytest_ohllm.evidence.members import is_member
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat
from tests.plugin.conftest import leaks

KEY = 'zebra"quokka<77>walrus&otter%31/narwhal'
ECHO = """
import os
import pytest

@pytest.mark.llm_stage("D")
def test_says_too_much(llm):
    raise AssertionError("the key is " + os.environ["TOLD_TO_THE_TEST"])
"""


def ohllm(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    code = cli.run([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def test_a_real_run_comes_back_whole(
    compat: Compat, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compat("--llm-profile=sim:rejects-stop", "--llm-stages=A,B,C")
    second = compat("--llm-profile=sim:parrot", "--llm-stages=A,B,C", "--llm-probes=0")
    assert first.folder is not None and second.folder is not None
    monkeypatch.chdir(compat.path)
    files = [path for path in first.files("**/*") if path.is_file()]
    written = {path.relative_to(first.folder).as_posix() for path in files}
    left_out = {name for name in written if not is_member(name)}
    assert left_out == {"report.html"}, "all evidence of a run is on the list"

    ohllm(capsys, "runs", "export", "last~1", "--output", "a.zip")
    path = Path(ohllm(capsys, "runs", "import", "a.zip", "--runs", "other")["path"])
    merged = ohllm(capsys, "runs", "merge", str(path), str(second.folder), "--output", "merged")

    sdk = {"sdk": read_run(first.folder).sdk}  # whose path may have been in the home directory
    assert read_run(path).model_copy(update=sdk) == read_run(first.folder)
    run = read_run(Path(merged["path"]))
    assert [(p.name, p.verdict) for p in run.profiles] == [
        ("sim:rejects-stop", "WORKS WITH SETTINGS"),
        ("sim:parrot", "DOES NOT WORK"),
    ]
    assert run.profiles == (*first.run.profiles, *second.run.profiles)
    within = ohllm(
        capsys, "runs", "diff", "merged/", "--profiles", "sim:rejects-stop", "sim:parrot"
    )
    assert within["broken"] == 2
    assert ohllm(capsys, "runs", "index", "./merged")["runs"] == 1
    assert "disable_stop_word=True" in Path("index.html").read_text()


def test_the_key_is_in_no_archive_no_badge_and_no_index(
    compat: Compat,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CANARY_KEY", KEY)
    monkeypatch.setenv("TOLD_TO_THE_TEST", KEY)
    (compat.path / "test_echo.py").write_text(ECHO)
    with Simulator() as simulator:
        result = compat(
            f"--llm-model=openai/{simulator.model}",
            f"--llm-base-url={simulator.base_url}",
            "--llm-api-key-env=CANARY_KEY",
            "test_echo.py",
        )
    assert result.folder is not None and result.ret == 1
    for damaged in result.files("profiles/**/traceback.txt"):
        damaged.write_text(f"as if it had been forgotten: {KEY}")
    monkeypatch.chdir(compat.path)
    public = tmp_path / "public"
    public.mkdir()

    ohllm(capsys, "runs", "export", "--output", str(public / "a.zip"))
    ohllm(capsys, "runs", "badge", "--output", str(public))
    ohllm(capsys, "runs", "index", "--output", str(public / "index.html"))
    with zipfile.ZipFile(public / "a.zip") as content:
        content.extractall(public / "unpacked")

    assert len(list(public.rglob("traceback.txt"))) == 1
    assert not leaks(KEY, "", public)
