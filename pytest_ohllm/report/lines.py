"""Lines of styled text: aligned in columns, wrapped, and printed by rich.

Rich is imported where it is used, because only the end of a session needs it. Widths are columns of
the terminal, of which some characters take two and some none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from io import StringIO

GAP = 2

type Span = tuple[str, str]
"""Text and its rich style."""

type Line = tuple[Span, ...]


def width_of(text: str) -> int:
    """Columns that ``text`` takes."""
    from rich.cells import cell_len

    return cell_len(text)


def shortened(text: str, width: int, ellipsis: str = "…") -> str:
    """``text`` in at most ``width`` columns; what is left out is left out of its middle.

    Names of profiles often differ only at their ends.
    """
    from rich.cells import set_cell_size

    if width_of(text) <= width:
        return text
    room = width - width_of(ellipsis)
    tail = text[len(text) - room // 2 :]
    while width_of(tail) > room // 2:
        tail = tail[1:]
    return set_cell_size(text, room - width_of(tail)).rstrip() + ellipsis + tail


def clipped(text: str, width: int, ellipsis: str = "…") -> str:
    """``text`` in at most ``width`` columns; what is left out is left out of its end."""
    from rich.cells import set_cell_size

    if width_of(text) <= width:
        return text
    return set_cell_size(text, width - width_of(ellipsis)).rstrip() + ellipsis


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` columns, broken between words where it can be."""
    if not text:
        return []
    from rich.console import Console
    from rich.text import Text

    lines = Text(text).wrap(Console(file=StringIO(), width=width, height=1), width)
    return [line.plain.rstrip() for line in lines]


def aligned(rows: Sequence[Sequence[Span]], right: Collection[int] = ()) -> list[Line]:
    """One line per row, its spans in columns; those with an index in ``right`` end flush."""
    widths = [max(width_of(row[i][0]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [_aligned_row(row, widths, right) for row in rows]


def printed(lines: Sequence[Line], width: int, color: bool) -> str:
    """The lines as text, with ANSI escapes if ``color``, each ending with a line feed."""
    from rich.console import Console
    from rich.text import Text

    buffer = StringIO()
    console = Console(
        file=buffer,
        width=width,
        height=1,  # given together with the width, so that the environment is not asked
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in lines:
        text = Text.assemble(*line)
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ignore", crop=False)
    return buffer.getvalue()


def _aligned_row(row: Sequence[Span], widths: Sequence[int], right: Collection[int]) -> Line:
    spans: list[Span] = []
    for index, ((text, style), width) in enumerate(zip(row, widths, strict=True)):
        filler = " " * (width - width_of(text))
        before, after = (filler, "") if index in right else ("", filler)
        spans += [(before, ""), (text, style), (after + " " * GAP, "")]
    return tuple(spans)
