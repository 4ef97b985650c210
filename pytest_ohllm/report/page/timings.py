"""Time, tokens and cost of each profile, as numbers with a bar beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pytest_ohllm.model import ProfileReport, Run, Usage
from pytest_ohllm.report.naming import check_name
from pytest_ohllm.report.page.evidence import milliseconds
from pytest_ohllm.report.page.records import Call, Records
from pytest_ohllm.report.wording import cost_text, seconds_text

MOST_CALLS = 60
"""Calls of one profile that are listed; of many profiles, fewer of each."""

MOST_ROWS = 1_000
FEWEST_CALLS = 10
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Bar:
    """Percent of the longest bar beside it: up to ``first`` dark, then ``rest`` light."""

    first: float
    rest: float


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call; times in milliseconds, as text."""

    number: int
    check: str
    first: str
    total: str
    status: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class Timing:
    """What one profile took; ``experiments`` are calls beyond those of the checks themselves."""

    profile: str
    seconds: str
    calls: tuple[CallRow, ...]
    calls_left_out: int
    recorded: int
    experiments: int
    retries: int
    streamed: int
    first: str
    first_bar: Bar
    total: str
    slowest: str
    prompt: str
    completion: str
    cached: str
    tokens_bar: Bar
    cost: str
    cost_bar: Bar


def timings(run: Run, records: Records) -> tuple[Timing, ...]:
    """A timing for each profile, with bars that can be compared with each other."""
    firsts = {one.name: _firsts(records.calls[one.name]) for one in run.profiles}
    scale = _Scale(
        time=max((median(found) for found in firsts.values() if found), default=0.0),
        tokens=max((_tokens(one.usage) for one in run.profiles), default=0),
        cost=max((one.usage.cost or 0.0 for one in run.profiles), default=0.0),
    )
    most = min(MOST_CALLS, max(FEWEST_CALLS, MOST_ROWS // max(len(run.profiles), 1)))
    return tuple(_timing(one, records.calls[one.name], scale, most) for one in run.profiles)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a full bar stands for."""

    time: float
    tokens: int
    cost: float


def _timing(profile: ProfileReport, calls: Sequence[Call], scale: _Scale, most: int) -> Timing:
    usage = profile.usage
    firsts = _firsts(calls)
    totals = [call.seconds for call in calls]
    longest = max(totals, default=0.0)
    return Timing(
        profile=profile.name,
        seconds=seconds_text(profile.seconds),
        calls=tuple(_row(n, call, longest) for n, call in enumerate(calls[:most], 1)),
        calls_left_out=max(0, len(calls) - most),
        recorded=len(calls),
        experiments=max(0, usage.llm_calls - len(calls)),
        retries=usage.retries,
        streamed=sum(call.streamed for call in calls),
        first=_ms(median(firsts)) if firsts else UNKNOWN,
        first_bar=Bar(_percent(median(firsts), scale.time) if firsts else 0.0, 0.0),
        total=_ms(median(totals)) if totals else UNKNOWN,
        slowest=_ms(longest) if totals else UNKNOWN,
        prompt=_count(usage.prompt_tokens, usage),
        completion=_count(usage.completion_tokens, usage),
        cached=f"{usage.cached_tokens:,}" if usage.cached_tokens else "",
        tokens_bar=Bar(
            _percent(usage.prompt_tokens or 0, scale.tokens),
            _percent(usage.completion_tokens or 0, scale.tokens),
        ),
        cost=cost_text(usage),
        cost_bar=Bar(_percent(usage.cost or 0.0, scale.cost), 0.0),
    )


def _row(number: int, call: Call, longest: float) -> CallRow:
    first = call.first or 0.0
    return CallRow(
        number=number,
        check=check_name(call.check),
        first=milliseconds(call.first) if call.first is not None else "-",
        total=milliseconds(call.seconds),
        status=str(call.status) if call.status is not None else "no answer",
        bar=Bar(_percent(first, longest), _percent(max(call.seconds - first, 0.0), longest)),
    )


def _firsts(calls: Sequence[Call]) -> list[float]:
    """Times to the first byte of good answers: a refusal comes sooner than an answer."""
    good = [call for call in calls if call.status is not None and 200 <= call.status < 300]
    return [call.first for call in good if call.first is not None]


def _tokens(usage: Usage) -> int:
    return (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)


def _count(tokens: int | None, usage: Usage) -> str:
    if tokens is None:
        return UNKNOWN if usage.llm_calls else "0"
    return f"{tokens:,}"


def _ms(seconds: float) -> str:
    return f"{milliseconds(seconds)} ms"


def _percent(part: float, whole: float) -> float:
    return round(min(100.0, 100.0 * part / whole), 2) if whole > 0 and part > 0 else 0.0
