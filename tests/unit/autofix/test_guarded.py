"""Nothing is proved by another SDK than the one in the worktree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ohllm.autofix.guarded import WRONG_SDK


def sdk(root: Path, *parts: str) -> Path:
    """A worktree with these parts of an SDK, whose ``WHERE`` is its own name."""
    for part in parts:
        folder = root / f"openhands-{part}" / "openhands" / part
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(f"WHERE = {root.name!r}\n")
    return root


def guarded(
    root: Path, target: Path | str, *arguments: str, path: tuple[Path, ...]
) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_ohllm.autofix.guarded", str(root), str(target), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "scripts" / "script.py"
    file.parent.mkdir()
    (file.parent / "beside.py").write_text("HERE = True\n")
    file.write_text(
        "import sys\nimport beside\nfrom openhands.sdk import WHERE\n"
        "print(__name__, WHERE, *sys.argv[1:])\nsys.exit(5)\n"
    )
    return file


def test_the_worktrees_own_code_is_run(tmp_path: Path, script: Path) -> None:
    root = sdk(tmp_path / "work", "sdk", "tools")

    ended = guarded(
        root, script, "a", "b c", path=(root / "openhands-sdk", root / "openhands-tools")
    )

    assert ended == (5, "__main__ work a b c\n", "")


@pytest.mark.parametrize("missing", ["sdk", "tools"])
def test_a_part_that_would_come_from_elsewhere_stops_it(
    tmp_path: Path, script: Path, missing: str
) -> None:
    root = sdk(tmp_path / "work", "sdk", "tools")
    other = sdk(tmp_path / "other", "sdk", "tools")
    first = other / f"openhands-{missing}"

    code, out, err = guarded(
        root, script, path=(first, root / "openhands-sdk", root / "openhands-tools")
    )

    assert (code, out) == (WRONG_SDK, "")
    assert f"would be imported from {first}" in err
    assert "Traceback" not in err


def test_a_link_to_another_checkout_stops_it(tmp_path: Path, script: Path) -> None:
    other = sdk(tmp_path / "other", "sdk")
    root = tmp_path / "work"
    root.mkdir()
    (root / "openhands-sdk").symlink_to(other / "openhands-sdk")

    assert guarded(root, script, path=(root / "openhands-sdk",))[0] == WRONG_SDK


def test_a_worktree_that_is_reached_by_a_link_is_the_worktree(tmp_path: Path, script: Path) -> None:
    root = sdk(tmp_path / "work", "sdk")
    (tmp_path / "link").symlink_to(root)

    code, out, _ = guarded(tmp_path / "link", script, path=(tmp_path / "link" / "openhands-sdk",))

    assert (code, out) == (5, "__main__ work\n")


def test_a_module_is_run_in_the_current_folder(tmp_path: Path) -> None:
    root = sdk(tmp_path / "work", "sdk")
    test = tmp_path / "test_it.py"
    test.write_text(
        "from openhands.sdk import WHERE\n\n\ndef test_it():\n    assert WHERE == 'work'\n"
    )

    code, out, err = guarded(
        root, "pytest", "-q", "-p", "no:cacheprovider", str(test), path=(root / "openhands-sdk",)
    )

    assert code == 0, out + err
    assert "1 passed" in out
