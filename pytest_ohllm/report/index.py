"""Many runs on one page: models by SDK versions, the newest run of each.

The page loads nothing and runs nothing. It is made from the runs' summaries alone, and of those
shows no reason, address or path: it is there to be published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from pytest_ohllm.evidence.run_summary import ProfileSummary, RunSummary
from pytest_ohllm.model import Verdict
from pytest_ohllm.report.matrix import NOTHING
from pytest_ohllm.report.palette import VERDICTS
from pytest_ohllm.report.safe_text import one_line

_TEMPLATE = Path(__file__).with_name("index.html.j2")
_LONGEST = 120
_CLASSES = {
    Verdict.WORKS: "good",
    Verdict.WORKS_WITH_SETTINGS: "fair",
    Verdict.DOES_NOT_WORK: "bad",
    Verdict.INCONCLUSIVE: "unclear",
}


@dataclass(frozen=True, slots=True)
class IndexCell:
    """One model with one SDK, as the newest run has found it."""

    verdict: str
    sign: str
    shade: str
    stages: str
    tools: str
    settings: str
    day: str
    run_id: str


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One profile; ``cells`` are in the order of SDK versions, ``None`` where it was not tested."""

    profile: str
    model: str
    cells: tuple[IndexCell | None, ...]


def render_index(runs: Iterable[RunSummary], title: str) -> str:
    """The page as HTML."""
    newest = sorted(runs, key=lambda run: (run.started, run.run_id))
    versions = sorted({_version(run) for run in newest}, key=_order, reverse=True)
    rows = _rows(newest, versions)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    days = [run.started[:10] for run in newest]
    return template.render(
        title=_safe(title),
        versions=versions,
        rows=rows,
        runs=len(newest),
        first=_safe(min(days, default="")),
        last=_safe(max(days, default="")),
    )


def _rows(runs: Sequence[RunSummary], versions: Sequence[str]) -> list[IndexRow]:
    """``runs`` from the oldest to the newest: later ones replace earlier ones."""
    found: dict[tuple[str, str], dict[str, IndexCell]] = {}
    for run in runs:
        for profile in run.profiles:
            cell = _cell(run, profile)
            if cell is not None:
                found.setdefault((profile.name, profile.model), {})[_version(run)] = cell
    return [
        IndexRow(_safe(name), _safe(model), tuple(cells.get(version) for version in versions))
        for (name, model), cells in sorted(found.items())
    ]


def _cell(run: RunSummary, profile: ProfileSummary) -> IndexCell | None:
    try:
        verdict = Verdict(profile.verdict)
    except ValueError:  # of a newer version, or of somebody's own making
        return None
    counts = (f"{stage} {n}/{of}" for stage, (n, of) in profile.stages.items() if of)
    settings = ", ".join(f"{name}={value!r}" for name, value in profile.settings.items())
    return IndexCell(
        verdict=verdict.value,
        sign=VERDICTS[verdict].sign,
        shade=_CLASSES[verdict],
        stages=_safe(" · ".join(counts)) or NOTHING,
        tools=_safe(f"{profile.tool_mode} tools") if profile.tool_mode else "",
        settings=_safe(settings),
        day=_safe(run.started[:10]),
        run_id=_safe(run.run_id),
    )


def _version(run: RunSummary) -> str:
    return _safe(str(run.sdk_version or "unknown"))


def _order(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version)), version


def _safe(text: str) -> str:
    return one_line(text, _LONGEST)
