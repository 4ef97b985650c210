"""Delta debugging: of many parts, the smallest set without which it works.

Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def smallest[T](parts: Sequence[T], works_without: Callable[[Sequence[T]], bool]) -> list[T]:
    """A set of ``parts`` to leave out such that it works, none of which can be kept.

    ``works_without(parts)`` must hold. Likely parts go first: they are tried first. Asks about
    ``2 log2 n`` times where one part is to blame.
    """
    suspects = list(parts)
    size = 1
    if len(suspects) > 3 and not works_without(suspects[:1]):
        # The likeliest one is tried alone; then halves.
        size = max(1, len(suspects) // 2)
    elif len(suspects) > 3:
        return suspects[:1]
    while len(suspects) > 1:
        smaller = next(
            (chunk for chunk in _chunks(suspects, size) if works_without(chunk)),
            None,
        )
        if smaller is not None:
            suspects, size = smaller, max(1, len(smaller) // 2)
            continue
        kept = next(
            (rest for rest in _complements(suspects, size) if works_without(rest)),
            None,
        )
        if kept is not None:
            suspects, size = kept, min(size, max(1, len(kept) // 2))
        elif size > 1:
            size = max(1, size // 2)
        else:
            break
    return suspects


def _chunks[T](items: Sequence[T], size: int) -> list[list[T]]:
    found = [list(items[start : start + size]) for start in range(0, len(items), size)]
    return [chunk for chunk in found if len(chunk) < len(items)]


def _complements[T](items: Sequence[T], size: int) -> list[list[T]]:
    if len(items) <= 2 * size:
        return []  # these are the chunks themselves
    return [[item for item in items if item not in chunk] for chunk in _chunks(items, size)]
