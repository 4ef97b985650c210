"""A badge that says whether a profile works: an SVG, and JSON for shields.io's endpoint badge.

Nothing of the connection is on it but the name that the user gave.
"""

from __future__ import annotations

from html import escape

from pytest_ohllm.model import Verdict
from pytest_ohllm.report.safe_text import one_line

_COLORS = {
    Verdict.WORKS: ("brightgreen", "#2da44e"),
    Verdict.WORKS_WITH_SETTINGS: ("green", "#5a8f29"),
    Verdict.DOES_NOT_WORK: ("red", "#cf222e"),
    Verdict.INCONCLUSIVE: ("lightgrey", "#6e7781"),
}
_LABEL_COLOR = "#444d56"
_LONGEST = 60
_PADDING = 6
_HEIGHT = 20
_NARROW, _WIDE = frozenset("ijlI.,:;'|!()[] tfr"), frozenset("mwMW@%")


def label_of(sdk: str | None) -> str:
    """What the badge is about."""
    return f"OpenHands SDK {sdk}" if sdk else "OpenHands SDK"


def message_of(profile: str, verdict: Verdict, *, named: bool) -> str:
    """What it says; ``named`` puts the profile's name before it."""
    said = verdict.value.lower()
    return one_line(f"{profile}: {said}" if named else said, _LONGEST)


def shields(label: str, message: str, verdict: Verdict) -> dict[str, object]:
    """What https://shields.io/badges/endpoint-badge reads."""
    return {
        "schemaVersion": 1,
        "label": label,
        "message": message,
        "color": _COLORS[verdict][0],
    }


def svg(label: str, message: str, verdict: Verdict) -> str:
    """The badge as one file that loads nothing; readers of the screen hear its text."""
    left, right = _width(label) + 2 * _PADDING, _width(message) + 2 * _PADDING
    told = escape(f"{label}: {message}")
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" \
role="img" aria-label="{told}">
<title>{told}</title>
<clipPath id="r"><rect width="{left + right}" height="{_HEIGHT}" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left}" height="{_HEIGHT}" fill="{_LABEL_COLOR}"/>
<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{_COLORS[verdict][1]}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">
{_text(label, _PADDING, left - 2 * _PADDING)}
{_text(message, left + _PADDING, right - 2 * _PADDING)}
</g>
</svg>
"""


def _text(text: str, x: int, width: int) -> str:
    # The width is forced, since nobody knows the reader's font.
    return f'<text x="{x}" y="14" textLength="{width}">{escape(text)}</text>'


def _width(text: str) -> int:
    """About how many pixels ``text`` takes in 11 px Verdana."""
    parts = (4.5 if c in _NARROW else 10.5 if c in _WIDE else 7.0 for c in text)
    return round(sum(parts)) or 1
