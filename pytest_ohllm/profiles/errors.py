"""What a user reads when a profile cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ProfileError(Exception):
    """A profile cannot be used as it was asked for.

    ``str()`` is one line: what was given, what was expected, what to do. It never holds a secret.
    """


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest of ``known``, or nothing if none is near."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def enumerated(names: Iterable[str], limit: int = 20) -> str:
    """The names in one line, cut at ``limit`` so that the line stays readable."""
    listed = list(names)
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")
