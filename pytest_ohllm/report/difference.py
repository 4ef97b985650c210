"""What changed between two runs, on a terminal: the worst first, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ohllm.evidence.comparison import (
    Change,
    CheckChange,
    Comparison,
    ProfileChange,
    Side,
)
from pytest_ohllm.report.lines import GAP, Line, Span, aligned, clipped, printed
from pytest_ohllm.report.safe_text import ascii_only, one_line
from pytest_ohllm.report.wording import cost_text, seconds_text, tokens_text

_STYLES = {
    Change.BROKEN: "bold bright_red",
    Change.RARER: "bright_red",
    Change.CAUSE: "yellow",
    Change.CHANGED: "yellow",
    Change.REMOVED: "dim",
    Change.ADDED: "dim",
    Change.OFTENER: "green",
    Change.FIXED: "bold green",
}
_NARROWEST = 40
_MARGIN = "  "


def render_comparison(comparison: Comparison, *, width: int, color: bool, ascii: bool) -> str:
    """The whole comparison, ending with a line feed."""
    page = _Page(max(width, _NARROWEST), ascii)
    return printed(list(page.lines(comparison)), page.width, color)


class _Page:
    """Makes the lines for one width and one set of characters."""

    def __init__(self, width: int, ascii: bool) -> None:
        self.width, self.ascii = width, ascii

    def safe(self, text: str, limit: int = 300) -> str:
        line = one_line(text, limit)
        return ascii_only(line) if self.ascii else line

    def lines(self, comparison: Comparison) -> Iterator[Line]:
        one = comparison.before == comparison.after
        what = comparison.before if one else f"{comparison.before} -> {comparison.after}"
        sdk = comparison.sdk_before, comparison.sdk_after
        told = f"openhands-sdk {sdk[1]}" if sdk[0] == sdk[1] else f"{sdk[0]} -> {sdk[1]}"
        yield ((self.safe(what), "bold"), (f"  {self.safe(told)}", "dim"))
        for profile in comparison.profiles:
            yield from self._profile(profile)
        for names, where in (
            (comparison.only_before, comparison.before),
            (comparison.only_after, comparison.after),
        ):
            if names:
                yield ()
                text = f"only in {where}: {', '.join(names)}"
                yield ((_MARGIN + self.safe(text, 1000), "dim"),)
        if not comparison.profiles:
            yield ()
            yield ((_MARGIN + "no profile is in both", "yellow"),)

    def _profile(self, found: ProfileChange) -> Iterator[Line]:
        before, after = found.before, found.after
        name = (
            before.profile
            if before.profile == after.profile
            else (f"{before.profile} -> {after.profile}")
        )
        verdicts = before.verdict.value
        if before.verdict is not after.verdict:
            verdicts += f" -> {after.verdict.value}"
        yield ()
        yield ((_MARGIN, ""), (self.safe(name), "bold"), (f"  {verdicts}", ""))
        changed = found.changed
        grid = [self._check(check) for check in changed]
        for check, line in zip(changed, aligned(grid), strict=True):
            yield ((_MARGIN * 2, ""), *line)
            yield from self._why(check)
        same = len(found.checks) - len(changed)
        if same:
            yield ((f"{_MARGIN * 2}{same} checks are the same", "dim"),)
        yield (
            ((_MARGIN * 2 + " · ".join(self._sums(found)), "dim"),)
            if not self.ascii
            else ((_MARGIN * 2 + ", ".join(self._sums(found)), "dim"),)
        )

    def _check(self, check: CheckChange) -> list[Span]:
        name = check.id.rpartition("::")[2].removeprefix("test_")
        room = max(self.width // 2 - GAP, 12)
        label = clipped(self.safe(f"{check.stage} {name}"), room, "..." if self.ascii else "…")
        sides = " -> ".join(_side(side) for side in (check.before, check.after))
        return [(check.change.value, _STYLES[check.change]), (label, ""), (sides, "dim")]

    def _why(self, check: CheckChange) -> Iterator[Line]:
        """What is said of the failure, and whether it may be luck."""
        told = check.after if check.after and check.after.fails else None
        room = self.width - len(_MARGIN) * 3
        if told and told.summary:
            text = clipped(self.safe(told.summary), room, "..." if self.ascii else "…")
            yield ((_MARGIN * 3 + text, "dim"),)
        if check.chance is not None:
            how = "may be chance" if check.by_chance else "is hardly chance"
            yield ((f"{_MARGIN * 3}{how}: p = {check.chance:.2g} (Fisher's exact test)", "dim"),)

    def _sums(self, found: ProfileChange) -> Iterator[str]:
        old, new = found.before, found.after
        yield _pair("calls", str(old.usage.llm_calls), str(new.usage.llm_calls))
        yield _pair("tokens", tokens_text(old.usage), tokens_text(new.usage))
        yield _pair("cost", cost_text(old.usage), cost_text(new.usage))
        yield _pair("time", seconds_text(old.seconds), seconds_text(new.seconds))
        if found.broken + found.fixed > 1:
            yield f"{found.broken} broken, {found.fixed} fixed: p = {found.chance:.2g} (sign test)"


def _side(side: Side | None) -> str:
    if side is None:
        return "-"
    rate = f" {side.rate}" if side.rate.judged > 1 else ""
    return f"{side.outcome.value.replace('_', ' ')}{rate}"


def _pair(what: str, old: str, new: str) -> str:
    return f"{what} {old}" if old == new else f"{what} {old} -> {new}"
