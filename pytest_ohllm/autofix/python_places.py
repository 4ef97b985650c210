"""Where this Python and all that it imports are, so that the same one can run in a sandbox.

Only what can be imported is named: beside an editable package lie somebody's ``.git`` and ``.env``.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_INSTALLED = ("site-packages", "dist-packages")
_PACKAGES = ("pytest_ohllm", "compat_suite", "openhands", "openhands.sdk", "litellm")
"""What must be there, even if a finder of an editable installation keeps it off ``sys.path``."""


@cache
def places_of_this_python() -> tuple[Path, ...]:
    """Files and folders that a process with this interpreter has to read; none is in another."""
    found = [Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)]
    found += [path.resolve() for path in found]
    found += list(_links(Path(sys.executable)))
    for entry in map(Path, _import_path()):
        found += [entry] if entry.name in _INSTALLED else list(_importable(entry, found))
    for name in _PACKAGES:
        found += list(_locations(name))
    return _outermost(path for path in found if _is_harmless(path))


def _import_path() -> list[str]:
    """What a fresh interpreter has, without this one's folder, ``PYTHONPATH`` and changes."""
    show = "import json, sys; print(json.dumps([p for p in sys.path if p]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", show],
        capture_output=True,
        text=True,
        env={"HOME": str(Path.home())},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return [str(entry) for entry in json.loads(done.stdout.splitlines()[-1])]


def _links(executable: Path) -> Iterator[Path]:
    """The interpreter, and every link on the way to it."""
    for _ in range(16):
        yield executable
        if not executable.is_symlink():
            return
        executable = executable.parent / executable.readlink()


def _importable(folder: Path, covered: list[Path]) -> Iterator[Path]:
    """The modules and packages in a folder of somebody's project."""
    if not folder.is_dir() or any(folder.is_relative_to(place) for place in covered):
        return
    for child in sorted(folder.iterdir()):
        if child.name.startswith("."):
            continue
        if child.is_dir():
            if child.suffix in (".dist-info", ".egg-info") or _is_package(child):
                yield child
        elif child.suffix in (".py", ".so"):
            yield child


def _is_package(folder: Path) -> bool:
    return folder.name.isidentifier() and (
        any(folder.glob("*.py")) or any(folder.glob("*/__init__.py"))
    )


def _locations(name: str) -> Iterator[Path]:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return
    for location in (spec.submodule_search_locations if spec else None) or ():
        if Path(location).is_dir():
            yield Path(location)


def _is_harmless(path: Path) -> bool:
    """Whether it is there, and is neither everything nor somebody's home."""
    return path.exists() and path not in (Path("/"), Path.home(), *Path.home().parents)


def _outermost(paths: Iterator[Path]) -> tuple[Path, ...]:
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(other) for other in (*kept, Path("/usr"))):
            kept.append(path)
    return tuple(kept)
