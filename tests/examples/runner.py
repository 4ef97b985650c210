"""A runner with the wheel: a Python with ``uv`` and ``pip``, and a package index, as far as needed.

By default nothing is downloaded: what ``uv`` installs is the wheel of this checkout, above the
packages that are installed here. With OHLLM_WHOLE_SUITE everything is installed from the index.
"""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.autofix.releases import PACKAGES, git, repository

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
WHOLE = bool(os.environ.get("OHLLM_WHOLE_SUITE"))
_INDEX = re.compile(r"^(UV|PIP)_|^SSL_CERT_(FILE|DIR)$|_CA_BUNDLE$|_proxy$", re.IGNORECASE)
"""Variables that say how a package index is reached."""

_UV = """#!/usr/bin/env bash
# uv, which adds no package that is here already.
set -euo pipefail
if [[ $1 == venv ]]; then
    "{uv}" "$@"
    folder=${{@: -1}}
    echo '{packages}' > "$(echo "$folder"/lib/python3*/site-packages)/here.pth"
    printf '#!%s\nfrom pytest import main\nraise SystemExit(main())\n' \
        "$folder/bin/python" > "$folder/bin/pytest"
    chmod +x "$folder/bin/pytest"
elif [[ "$1 $2" == "pip install" ]]; then
    exec "{uv}" "$@" --no-deps --offline
else
    exec "{uv}" "$@"
fi
"""
_PIP = """#!/usr/bin/env bash
[[ "$*" == "install --quiet uv" ]] || { echo "pip $*?"; exit 2; }
"""
_SUDO = """#!/usr/bin/env bash
# Nobody is root here: what would be done is written down.
echo "$*" >> "$(dirname "$0")/sudo.log"
if [[ $1 == tee ]]; then cat >> "$(dirname "$0")/sudo.log"; fi
"""


def installed(built: Path) -> dict[str, str]:
    """Variables of a runner: what is installed, and where from."""
    if not WHOLE:
        return {"OHLLM_PACKAGE": str(built), "SDK_PACKAGES": ""}
    index = {name: value for name, value in os.environ.items() if _INDEX.search(name)}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
    return {"OHLLM_PACKAGE": str(built), "UV_CACHE_DIR": str(cache), **index}


def wheel(folder: Path) -> Path:
    """The wheel of this checkout, built once."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (found := list(folder.glob("*.whl"))):
        command = [_uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True)
        found = list(folder.glob("*.whl"))
    return found[0]


def tools(folder: Path) -> Path:
    """A folder for the PATH: ``uv``, ``pip``, ``sudo``, and Python."""
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    (folder / "python3").symlink_to(sys.executable)
    uv = '#!/usr/bin/env bash\nexec "{uv}" "$@"\n' if WHOLE else _UV
    scripts = {
        "uv": uv.format(uv=_uv(), packages=site.getsitepackages()[0]),
        "pip": _PIP,
        "sudo": _SUDO,
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def checkout(folder: Path) -> Path:
    """A clone of a fork: the SDK's newest release, or, where none is installed, nothing yet."""
    if WHOLE:
        return release(version("openhands-sdk"), folder)
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "README.md").write_text("a fork\n")
    return folder


def release(number: str, folder: Path) -> Path:
    """A checkout of a release that can be installed as upstream's can."""
    repository(number, folder)
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n[tool.uv.sources]\n")
        file.writelines(f"{package} = {{ workspace = true }}\n" for package in PACKAGES)
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    """All files as they are, as one more commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=more")
    return git(folder, "rev-parse", "HEAD")


def _uv() -> str:
    ours = Path(sys.executable).with_name("uv")
    return str(ours) if ours.exists() else shutil.which("uv") or "uv"
