"""Run a module or a script against the SDK in one folder, or not at all.

``python -m pytest_ohllm.autofix.guarded ROOT TARGET ARGUMENT …``.

An editable install or a wheel can shadow a worktree without a sign; a proof by the wrong code would
be worse than none. TARGET is the name of a module, such as ``pytest``, or the path of a script.
"""

from __future__ import annotations

import runpy
import sys
from importlib.machinery import PathFinder
from pathlib import Path

WRONG_SDK = 97
"""The exit code if another SDK would be imported."""


def foreign(root: Path) -> str | None:
    """The place outside of ``root`` that a part of the SDK would be imported from, if there is."""
    package = PathFinder.find_spec("openhands")
    places = list(package.submodule_search_locations or []) if package else []
    for part in ("sdk", "tools"):
        found = PathFinder.find_spec(f"openhands.{part}", places)
        origin = Path(found.origin).resolve() if found and found.origin else None
        here = (root / f"openhands-{part}").is_dir()
        if here and (origin is None or not origin.is_relative_to(root.resolve())):
            return str(origin or f"nowhere (openhands.{part})")
    return None


def main() -> None:
    """Check, then become the target."""
    root, target, *arguments = sys.argv[1:]
    if place := foreign(Path(root)):
        print(f"the SDK would be imported from {place}, not from {root}", file=sys.stderr)
        sys.exit(WRONG_SDK)
    sys.argv = [target, *arguments]
    # As Python does for a script, and not for a module that runs another one.
    sys.path[0] = str(Path(target).resolve().parent) if target.endswith(".py") else ""
    if target.endswith(".py"):
        runpy.run_path(target, run_name="__main__")
    else:
        runpy.run_module(target, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
