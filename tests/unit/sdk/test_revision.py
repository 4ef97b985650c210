from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_ohllm.model import Revision
from pytest_ohllm.sdk import revision
from pytest_ohllm.sdk.revision import find, identify, installed, package_versions, too_old


def git(folder: Path, *arguments: str) -> str:
    """A git command that no configuration of this machine can change."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.invalid"]
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        env=environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        check=True,
    )
    return done.stdout.strip()


@dataclass
class Checkout:
    """A repository with an ``openhands.sdk`` in it."""

    root: Path
    package: Path
    """The folder that goes on ``sys.path``."""

    @property
    def sdk(self) -> Path:
        return self.package / "openhands" / "sdk"

    def commit(self) -> str:
        """Commit everything that is not ignored; its SHA."""
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", "all")
        return git(self.root, "rev-parse", "HEAD")


Make = Callable[..., Checkout]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def checkout(package: str, *, version: str | None = None, ignore: str = "") -> Checkout:
        root = tmp_path / "repository"
        made = Checkout(root, root / package)
        made.sdk.mkdir(parents=True)
        (made.sdk / "__init__.py").write_text("VALUE = 1\n")
        (root / "README.md").write_text("A repository\n")
        (root / ".gitignore").write_text(ignore)
        if version is not None:
            text = f'[project]\nname = "openhands-sdk"\nversion = "{version}"\n'
            (made.package / "pyproject.toml").write_text(text)
        git(tmp_path, "init", "-q", "-b", "main", str(root))
        return made

    return checkout


class TestACheckout:
    def test_is_known_by_path_version_and_commit(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        sha = checkout.commit()
        monkeypatch.syspath_prepend(checkout.package)

        found = identify()

        assert found == Revision(
            version="1.99.0", path=str(checkout.sdk.resolve()), git_sha=sha, dirty=False
        )

    @pytest.mark.parametrize("change", ["edit", "stage", "delete"])
    def test_that_was_changed_is_dirty(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        sha = checkout.commit()
        (checkout.sdk / "__init__.py").write_text("VALUE = 2\n")
        if change == "stage":
            git(checkout.root, "add", "-A")
        if change == "delete":
            (checkout.root / "README.md").unlink()
        monkeypatch.syspath_prepend(checkout.package)

        found = identify()

        assert (found.git_sha, found.dirty) == (sha, True)

    def test_with_stray_files_is_clean(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        checkout.commit()
        (checkout.root / "notes.txt").write_text("not part of it")
        monkeypatch.syspath_prepend(checkout.package)

        assert identify().dirty is False

    def test_is_found_behind_a_link(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        sha = checkout.commit()
        (tmp_path / "link").symlink_to(checkout.package)
        monkeypatch.syspath_prepend(tmp_path / "link")

        found = identify()

        assert (found.git_sha, found.path) == (sha, str(checkout.sdk.resolve()))

    def test_without_a_version_takes_that_of_the_installed_package(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkout = make("openhands-sdk")
        checkout.commit()
        monkeypatch.syspath_prepend(checkout.package)

        assert identify().version == installed("openhands-sdk")

    def test_without_a_commit_has_no_sha(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        git(checkout.root, "add", "-A")
        monkeypatch.syspath_prepend(checkout.package)

        assert identify().git_sha is None

    def test_on_pythonpath_shadows_what_is_installed(self, make: Make) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        sha = checkout.commit()
        script = (
            "import sys; from pytest_ohllm.sdk.revision import identify\n"
            "print(identify().model_dump_json()); assert 'openhands.sdk' not in sys.modules"
        )

        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(checkout.package)},
            check=True,
        )

        found = Revision.model_validate_json(done.stdout)
        assert (found.version, found.git_sha, found.dirty) == ("1.99.0", sha, False)

    def test_is_told_apart_from_what_git_s_own_variables_name(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        sha = checkout.commit()
        git(tmp_path, "init", "-q", "other")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
        monkeypatch.syspath_prepend(checkout.package)

        assert identify().git_sha == sha

    def test_is_found_without_a_key_of_the_users(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        sha = checkout.commit()
        real, seen = shutil.which("git"), tmp_path / "seen"
        program = tmp_path / "bin" / "git"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\nenv >> '{seen}'\nexec '{real}' \"$@\"\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("AN_INNOCENT_NAME", "fake-secret-0123456789")
        monkeypatch.syspath_prepend(checkout.package)

        assert identify().git_sha == sha
        assert "HOME=" in seen.read_text()
        assert "fake-secret" not in seen.read_text()

    def test_runs_none_of_its_programs(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        checkout.commit()
        program, trace = tmp_path / "monitor", tmp_path / "it-ran"
        program.write_text(f"#!/bin/sh\ntouch '{trace}'\n")
        program.chmod(0o755)
        git(checkout.root, "config", "core.fsmonitor", str(program))
        monkeypatch.syspath_prepend(checkout.package)

        identify()

        assert not trace.exists()
        git(checkout.root, "status")
        assert trace.exists(), "git itself would have run it"


class TestAWheel:
    @pytest.mark.parametrize("ignore", [".venv/\n", ""], ids=["ignored", "untracked"])
    def test_inside_somebody_s_repository_is_not_that_repository(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, ignore: str
    ) -> None:
        checkout = make(".venv/lib/site-packages", ignore=ignore)
        git(checkout.root, "add", "README.md")
        git(checkout.root, "commit", "-qm", "somebody's own work")
        monkeypatch.syspath_prepend(checkout.package)

        found = identify()

        assert found.path == str(checkout.sdk.resolve())
        assert (found.git_sha, found.dirty) == (None, None)
        assert found.version == installed("openhands-sdk")

    def test_outside_any_repository_has_a_version_only(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "openhands" / "sdk").mkdir(parents=True)
        (tmp_path / "openhands" / "sdk" / "__init__.py").touch()
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
        monkeypatch.syspath_prepend(tmp_path)

        assert identify().git_sha is None

    def test_without_git_at_hand_is_known_all_the_same(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        checkout = make("openhands-sdk", version="1.99.0")
        checkout.commit()
        monkeypatch.syspath_prepend(checkout.package)
        monkeypatch.setenv("PATH", str(tmp_path))

        found = identify()

        assert (found.path, found.git_sha) == (str(checkout.sdk.resolve()), None)


class TestNoneAtAll:
    def test_is_said_with_the_command_that_helps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", [])

        assert find() is None
        problem = too_old(identify())
        assert problem is not None
        assert "pip install 'openhands-sdk>=1.12'" in problem

    def test_a_namespace_without_the_sdk_is_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "openhands" / "tools").mkdir(parents=True)
        monkeypatch.setattr(sys, "path", [str(tmp_path)])

        assert find() is None


@pytest.mark.parametrize(
    "version", ["1.12", "1.12.0", "1.12rc1", "1.60.dev3", "1.58.0", "2.0", "10.1"]
)
def test_supported_versions_are_accepted(version: str) -> None:
    assert too_old(Revision(version=version, path="/somewhere")) is None


@pytest.mark.parametrize("version", ["1.11.9", "1.9", "0.99.0", "1.1rc1"])
def test_older_versions_are_refused_with_the_oldest_that_works(version: str) -> None:
    problem = too_old(Revision(version=version, path="/somewhere"))

    assert problem is not None
    assert version in problem
    assert "1.12" in problem
    assert "/somewhere" in problem


@pytest.mark.parametrize("version", [None, "unknown"])
def test_an_unknown_version_is_given_the_benefit_of_the_doubt(version: str | None) -> None:
    assert too_old(Revision(version=version, path="/somewhere")) is None


def test_the_packages_that_explain_differences_are_listed() -> None:
    versions = package_versions()

    assert versions["pytest"] == pytest.__version__
    assert set(versions) <= set(revision.PACKAGES)
    assert installed("no-such-distribution-at-all") is None
