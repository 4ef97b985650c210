"""``ohllm-autofix`` used wrongly, or with nothing to fix: it says so, and does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_ohllm.autofix import cli, sandbox
from pytest_ohllm.autofix.job import Outcome
from pytest_ohllm.autofix.state import PLACE
from pytest_ohllm.model import Kind
from pytest_ohllm.profiles.creation import add
from tests.conftest import Compat
from tests.unit.autofix.records import FakeRun, diagnosis
from tests.unit.autofix.repositories import Repository, sdk

NOT_FIXED, REFUSED, USAGE, ENVIRONMENT = 1, 2, 4, 10
TOKEN = "ghp_CanaryTokenOfTheUser0123456789abcdef"


@dataclass
class Command:
    """The command in an empty home, with a run beside it whose failure is a gap of the SDK."""

    root: Path
    run: FakeRun
    repository: Repository
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        """The exit code, the standard output and the standard error."""
        self.capsys.readouterr()
        code = cli.run([str(one) for one in arguments])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert TOKEN not in said.out + said.err
        return code, said.out, said.err

    @property
    def junit(self) -> Path:
        """The JUnit file of the run."""
        return self.run.junit()

    def in_vain(self, *arguments: str | Path) -> tuple[int, str, str]:
        """The same, and nothing is created or changed anywhere."""
        before = self.traces()
        ended = self(*arguments)
        assert self.traces() == before
        assert len(self.repository.git("worktree", "list").splitlines()) == 1
        return ended

    def traces(self) -> dict[str, bytes]:
        """Every file below the home, the run and the SDK's checkout, as it is now."""
        return {
            str(path): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and path.name != "junit.xml"
        }


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(
            ("OHLLM_", "LLM_", "OPENHANDS_", "OH_", "GH_", "GITHUB_", "GIT_", "XDG_")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    monkeypatch.setenv("KEY_OF_THE_AGENT", "canary-key-of-the-agent-0815")
    monkeypatch.chdir(tmp_path)
    add("programmer", {"model": "openai/gpt-5"}, {"api_key": "KEY_OF_THE_AGENT"})
    project = tmp_path / "project"
    project.mkdir()
    run = FakeRun(project)
    run.leaves("test_gap", diagnosis())
    return Command(tmp_path, run, sdk(tmp_path / "sdk"), capsys)


def told(said: str, lines: int = 2) -> None:
    """That it is a problem and, perhaps, what to do about it."""
    assert said.startswith("ohllm-autofix: ")
    assert 1 <= len(said.splitlines()) <= lines, said
    assert all(line.startswith("  ") for line in said.splitlines()[1:])


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "Missing argument"),
            (("missing.xml",), "No such file"),
            (("a.xml", "b.xml"), "unexpected extra argument"),
            (("--sdk",), "requires an argument"),
            (("a.xml", "--dry"), "No such option"),
            (("a.xml", "--agent-profiles=x"), "No such option"),
            (("a.xml", "--max-cost=-1"), "--max-cost"),
            (("a.xml", "--max-cost=0"), "--max-cost"),
            (("a.xml", "--max-cost=much"), "--max-cost"),
            (("a.xml", "--max-cost=nan"), "--max-cost"),
            (("a.xml", "--max-minutes=-5"), "--max-minutes"),
            (("a.xml", "--max-minutes=nan"), "--max-minutes"),
            (("a.xml", "--max-iterations=0"), "--max-iterations"),
            (("a.xml", "--max-iterations=1.5"), "--max-iterations"),
            (("a.xml", "--fork=me", "--upstream"), "not to both"),
            (("a.xml", "--fork=../../x"), "no owner of a fork"),
            (("a.xml", "--repo=software-agent-sdk"), "no repository"),
            (("a.xml", "--repo=https://github.com/a/b"), "no repository"),
            (("a.xml", "--base=../main"), "no name of a branch"),
            (("a.xml", "--base="), "no name of a branch"),
        ],
    )
    def test_arguments(self, command: Command, arguments: tuple[str, ...], words: str) -> None:
        code, out, err = command.in_vain(*arguments)

        assert (code, out) == (USAGE, "")
        assert words in err
        told(err)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("", "is not XML"),
            ("Hello", "is not XML"),
            ("<html></html>", "is not a JUnit report"),
            (
                "<testsuites><testsuite/></testsuites>",
                "was not written by a run with --llm-profile",
            ),
            ('<!DOCTYPE a [<!ENTITY b "c">]><testsuites/>', "is refused"),
        ],
    )
    def test_a_file_that_is_none_of_ours(
        self, command: Command, content: str, words: str, tmp_path: Path
    ) -> None:
        (tmp_path / "junit.xml").write_text(content)

        code, out, err = command.in_vain("junit.xml", "--json")

        assert (code, out) == (USAGE, "")
        assert words in err
        told(err)

    def test_a_folder_that_is_no_run(self, command: Command, tmp_path: Path) -> None:
        code, _, err = command.in_vain(tmp_path / "home")

        assert code == USAGE
        assert "is not a run folder" in err
        told(err)

    def test_the_file_without_its_run_folder(self, command: Command) -> None:
        file = command.run.junit()
        moved = command.run.path.rename(command.root / "home" / "moved")

        code, _, err = command.in_vain(file)

        assert code == USAGE
        assert "test_gap[gpt]: sdk_gap" in err
        assert "put it beside the JUnit file" in err
        moved.rename(command.run.path)

    def test_a_node_that_nothing_matches(self, command: Command) -> None:
        code, _, err = command.in_vain(command.junit, "--node=test_typo")

        assert code == USAGE
        assert "no failure matches --node test_typo" in err
        assert "test_gap[gpt]" in err
        told(err, lines=3)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--sdk=missing",), "is not a folder"),
            (("--sdk=home",), "is not a checkout of the SDK"),
            ((), "there is no checkout of the SDK"),
        ],
    )
    def test_no_checkout(self, command: Command, arguments: tuple[str, ...], words: str) -> None:
        code, _, err = command.in_vain(command.junit, "--agent-profile=programmer", *arguments)

        assert code == USAGE
        assert words in err
        told(err)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "no model is named that fixes"),
            (("--agent-profile=nobody",), "nobody"),
            (("--agent-profile=sim",), "cannot program"),
            (("--agent-profile=sim:parrot",), "cannot program"),
            (("--agent-profile=sim:no-such",), "no-such"),
            (("--agent-profile=programmer", "--agent-profile=sim"), "cannot program"),
            (("--agent-profile=../../etc/passwd",), "etc/passwd"),
        ],
    )
    def test_no_model_that_fixes(
        self, command: Command, arguments: tuple[str, ...], words: str
    ) -> None:
        code, _, err = command.in_vain(command.junit, "--sdk=sdk", *arguments)

        assert code == USAGE
        assert words in err
        told(err)

    def test_a_model_whose_key_is_not_there(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("KEY_OF_THE_AGENT")

        code, _, err = command.in_vain(command.junit, "--sdk=sdk", "--agent-profile=programmer")

        assert code == USAGE
        assert "KEY_OF_THE_AGENT" in err
        told(err)

    def test_a_commit_that_is_not_there(self, command: Command) -> None:
        code, _, err = command.in_vain(
            command.junit, "--sdk=sdk", "--agent-profile=programmer", "--sdk-ref=v99", "--yes"
        )

        assert code == USAGE
        assert "--sdk-ref v99 names no commit" in err
        told(err)


class TestNothingToDo:
    def test_nothing_failed(self, command: Command, tmp_path: Path) -> None:
        run = FakeRun(tmp_path / "project", explicit=tmp_path / "project" / "green")
        run.leaves("test_fine", None)
        command.run = run

        code, out, err = command.in_vain(command.junit)

        assert (code, err) == (0, "")
        assert "nothing failed: there is nothing to fix" in out

    @pytest.mark.parametrize(
        "kind", [Kind.CREDENTIALS, Kind.RATE_LIMIT, Kind.PROVIDER_OUTAGE, Kind.ENVIRONMENT]
    )
    def test_what_no_change_can_help_is_refused_with_force_as_well(
        self, command: Command, tmp_path: Path, kind: Kind
    ) -> None:
        run = FakeRun(tmp_path / "project", explicit=tmp_path / "project" / "other")
        run.leaves("test_it", diagnosis(kind, fields=()))
        command.run = run

        code, out, _ = command.in_vain(command.junit, "--force")

        assert code == REFUSED
        assert "no change of the SDK can help" in out

    def test_what_is_refused_as_json(self, command: Command, tmp_path: Path) -> None:
        run = FakeRun(tmp_path / "project", explicit=tmp_path / "project" / "other")
        run.leaves("test_it", diagnosis(Kind.CREDENTIALS, fields=()))
        command.run = run

        code, out, err = command.in_vain(command.junit, "--json")

        record = json.loads(out)
        assert code == REFUSED
        assert list(record) == ["schema_version", "outcomes", "not_taken"]
        assert (record["schema_version"], record["outcomes"]) == (1, [])
        (refused,) = record["not_taken"]
        assert list(refused) == ["id", "failures", "kind", "reason"]
        assert refused["failures"] == ["compat_suite/test_b.py::test_it[gpt]"]
        assert refused["kind"] == "credentials"
        assert refused["reason"] == "credentials is not a fault of the SDK"
        assert "not the SDK" in err


class TestThisMachine:
    """A gap that could be fixed, where something is missing: refused before a token is spent."""

    USUAL = ("--sdk=sdk", "--sdk-ref=HEAD", "--agent-profile=programmer", "--yes", "--no-pr")

    def test_no_sandbox(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox, "problem", lambda: "bubblewrap is not installed")

        code, out, _ = command(command.junit, *self.USUAL)

        assert code == REFUSED
        assert "without a sandbox: bubblewrap is not installed" in out
        assert "--unsafe-no-sandbox" in out
        assert len(command.repository.git("worktree", "list").splitlines()) == 1
        assert command.repository.git("branch") == "* main"

    def test_the_outcome_as_json(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox, "problem", lambda: "bubblewrap is not installed")

        code, out, _ = command(command.junit, *self.USUAL, "--json")

        record = json.loads(out)
        assert code == REFUSED
        assert list(record) == ["schema_version", "outcomes", "not_taken"]
        (outcome,) = record["outcomes"]
        assert list(outcome) == [
            *("schema_version", "id", "failures", "status", "reason", "advice", "url", "branch"),
            *("commit", "patch", "folder", "rows", "cost", "seconds", "by_hand"),
        ]
        assert Outcome.model_validate(outcome).status == "refused"
        assert outcome["failures"] == ["compat_suite/test_b.py::test_gap[gpt]"]
        assert Path(outcome["folder"]).is_relative_to(command.root / "home")

    def test_no_way_to_the_remote(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox, "problem", lambda: None)
        command.repository.git("remote", "add", "origin", str(command.root / "gone"))
        arguments = [one for one in self.USUAL if not one.startswith("--sdk-ref")]

        code, out, _ = command(command.junit, *arguments)

        assert code == ENVIRONMENT
        assert "main could not be fetched from origin" in out
        assert "--sdk-ref" in out

    def test_no_place_to_keep_anything(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (command.root / "file").write_text("x")
        monkeypatch.setenv(PLACE, str(command.root / "file" / "state"))

        code, _, err = command(command.junit, *self.USUAL)

        assert code == ENVIRONMENT
        told(err.splitlines()[-1])
        assert err.endswith(f"{command.root / 'file'}: File exists\n")

    def test_a_failure_that_nothing_can_show(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run kept no exchange, and there is no key to ask again."""
        monkeypatch.setattr(sandbox, "problem", lambda: None)

        code, out, err = command(command.junit, *self.USUAL)

        assert code == REFUSED
        assert "nothing can show the failure here" in out
        assert "judged by what was recorded" in err
        assert len(command.repository.git("worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_real_failures_that_are_not_the_sdks_are_refused_with_their_reasons(
    compat: Compat, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier tool started its agent for limits and outages, and refused a 400 with a `401`."""
    kinds = {
        "sim:bad-key": "credentials",
        "sim:rate-limited": "rate limit",
        "sim:down": "provider outage",
        "sim:parrot": "model limitation",
    }
    result = compat(
        *(f"--llm-profile={name}" for name in kinds), "--junitxml=junit.xml", "--llm-timeout=10"
    )
    assert result.ret == 1, result.output
    before = sorted(path for path in compat.path.rglob("*"))
    state = compat.path / "state"
    monkeypatch.setenv(PLACE, str(state))
    capsys.readouterr()

    code = cli.run([str(compat.path / "junit.xml")])

    said = capsys.readouterr()
    assert code == REFUSED, said
    for name, kind in kinds.items():
        assert name in said.out
        assert f"not the SDK: {kind} is not a fault of the SDK" in said.out
    assert "→" not in said.out
    assert sorted(path for path in compat.path.rglob("*")) == before
    assert not state.exists()


def test_a_real_green_run_leaves_nothing_to_fix(
    compat: Compat, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier tool started its agent on it."""
    assert compat("--llm-profile=sim", "--junitxml=junit.xml").ret == 0
    capsys.readouterr()

    assert cli.run([str(compat.path / "junit.xml"), "--force", "--json"]) == 0

    record = json.loads(capsys.readouterr().out)
    assert record == {"schema_version": 1, "outcomes": [], "not_taken": []}


def test_the_program_ends_with_the_exit_code(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ohllm-autofix")
    done = subprocess.run(
        [str(program), "missing.xml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == (
        "ohllm-autofix: missing.xml cannot be read: No such file or directory\n"
        "  give the file that --junitxml wrote\n"
    )
