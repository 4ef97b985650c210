"""Which files are a run's evidence: the only ones that leave the folder, or come into one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_TOP = r"(?:run|summary|session|sdk|end|allowances|merge)\.json|events\.jsonl"
_SLUG = r"[A-Za-z0-9_=~][A-Za-z0-9._=~-]{0,120}"
# Named after a check, whose parameters can be any text.
_BELOW = r"control|trial-\d{1,4}(?:-[^/\\\x00-\x1f\x7f]{1,160})?"
_FILES = (
    r"(?:started|result|transcript|settings)\.json|(?:exchanges|probes)\.jsonl|log\.txt|"
    r"(?:provider_)?traceback\.txt|stacks\.txt"
)
_MEMBER = re.compile(
    rf"(?:{_TOP}|hosts/{_SLUG}\.json|profiles/{_SLUG}/(?:(?:gate|remedy)\.json|"
    rf"[A-D]/{_SLUG}/(?:(?:{_BELOW})/)?(?:{_FILES})))"
)
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=~-]{0,120}")


def is_member(name: str) -> bool:
    """Whether ``name``, relative to the run folder and with forward slashes, is evidence.

    What is one cannot lead out of the folder: no part of it can be ``..`` or empty.
    """
    return _MEMBER.fullmatch(name) is not None


def members(folder: Path) -> Iterator[tuple[str, Path]]:
    """The evidence in ``folder`` by name, in an order that does not depend on the file system.

    Links are not followed, whether they are files or folders.
    """
    found: list[tuple[str, Path]] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not (Path(parent) / name).is_symlink()]
        for name in files:
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            if is_member(relative) and path.is_file() and not path.is_symlink():
                found.append((relative, path))
    yield from sorted(found)
