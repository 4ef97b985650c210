"""What the wheel holds, and what it puts on a user's PATH."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        ["uv", "build", "--quiet", "--wheel", "--out-dir", str(out)], cwd=ROOT, check=True
    )
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"pytest_ohllm", "compat_suite", "pytest_ohllm-0.1.0.dist-info"}
    tracked = {
        str(path.relative_to(ROOT))
        for package in ("pytest_ohllm", "compat_suite")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == tracked


def test_the_wheel_installs_the_plugin_and_both_commands(wheel: zipfile.ZipFile) -> None:
    points = wheel.read("pytest_ohllm-0.1.0.dist-info/entry_points.txt").decode()
    assert "[pytest11]\nohllm = pytest_ohllm.plugin" in points
    assert "ohllm = pytest_ohllm.app.cli:main" in points
    assert "ohllm-autofix = pytest_ohllm.autofix.cli:main" in points
    assert "pytest_ohllm-0.1.0.dist-info/licenses/LICENSE" in wheel.namelist()
