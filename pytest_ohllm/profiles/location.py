"""Where profiles are kept, by the SDK's own rules, and which names they may have."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pytest_ohllm.profiles.errors import ProfileError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # the SDK's PROFILE_NAME_PATTERN


def directory(explicit: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the profile files; it need not exist, and is never created here.

    An explicit folder wins over ``LLM_PROFILES_DIR`` (that very folder), then over
    ``OH_PERSISTENCE_DIR`` (its ``profiles``), then ``~/.openhands/profiles``. ``HOME`` is taken
    from ``environ`` too, since a run gives its model a throw-away one.
    """
    environ = os.environ if environ is None else environ
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if explicit:
        return _absolute(explicit, home)
    if chosen := environ.get("LLM_PROFILES_DIR"):
        return _absolute(chosen, home)
    if base := environ.get("OH_PERSISTENCE_DIR"):
        return _absolute(base, home) / "profiles"
    return home / ".openhands" / "profiles"


def _absolute(folder: str | Path, home: Path) -> Path:
    path = Path(folder)
    if path.parts[:1] == ("~",):
        path = home.joinpath(*path.parts[1:])
    return Path.cwd() / os.path.expanduser(path)


def check_name(name: str) -> str:
    """The key that ``name`` addresses: to the SDK, ``foo.json`` is profile ``foo``.

    Raises ``ProfileError`` for a name that the SDK's store refuses.
    """
    key = name.removesuffix(".json")
    if not _NAME.fullmatch(key):
        shown = name if len(name) <= 80 else name[:80] + "…"
        raise ProfileError(
            f"{shown!r} is not a profile name: use 1 to 64 letters, digits, '.', '_' or '-', "
            "and start with a letter or a digit"
        )
    return key
