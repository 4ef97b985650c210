"""File names for profiles and checks."""

from __future__ import annotations

import hashlib
import re

LONGEST = 100
"""Bytes of the longest slug."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")
_DIGEST = 10
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def slug(name: str, shown: str | None = None) -> str:
    """A file name for ``name`` that is safe everywhere, readable, and different for every name.

    A name that is a safe file name stays as it is; otherwise it is rewritten, cut, and followed by
    ``~`` and a digest of the whole name. ``~`` is not itself a safe character, so no name can
    imitate another one's slug. Names with capitals count as unsafe, because some file systems
    ignore case. ``shown`` replaces the readable part, where the name may not be shown as it is.
    """
    readable = name if shown is None else shown
    safe = _UNSAFE.sub("-", readable).strip(".-") or "unnamed"
    unchanged = safe == name == name.lower() and not _RESERVED.fullmatch(name)
    if unchanged and len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{safe[: LONGEST - _DIGEST - 1]}~{digest}"
