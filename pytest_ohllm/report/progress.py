"""A run that goes on, in one line: the current check, and what was spent so far."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ohllm.evidence.live import RunningCheck, Tally
from pytest_ohllm.evidence.verdict import WORST_FIRST
from pytest_ohllm.model import Outcome, Usage
from pytest_ohllm.report.safe_text import ascii_only, one_line
from pytest_ohllm.report.wording import cost_text, seconds_text, tokens_text

_LONGEST = 400


def progress_line(tally: Tally, now: float, *, ascii: bool = False) -> str:
    """``C the_tool_is_called (sim) 3.1 s · 7 done · 12 calls · 3.4k tokens · $0.01 · 40.2 s``."""
    line = one_line(" · ".join(_parts(tally, now)), _LONGEST)
    return ascii_only(line) if ascii else line


def _parts(tally: Tally, now: float) -> Iterator[str]:
    if current := tally.current:
        others = len(tally.running) - 1
        yield f"{_check(current, now)}{f' and {others} more' if others else ''}"
    yield _done(tally)
    usage = tally.usage
    if usage.llm_calls:
        yield from _spent(usage)
    if tally.started is not None:
        yield seconds_text(max(now - tally.started, 0.0))


def _spent(usage: Usage) -> Iterator[str]:
    yield "1 call" if usage.llm_calls == 1 else f"{usage.llm_calls} calls"
    tokens = tokens_text(usage)
    yield f"tokens {tokens}" if tokens == "unknown" else f"{tokens} tokens"
    cost = cost_text(usage)
    yield f"cost {cost}" if cost == "unknown" else cost


def _check(check: RunningCheck, now: float) -> str:
    name = check.check.rpartition("::")[2].removeprefix("test_")
    return f"{check.stage} {name} ({check.profile}) {seconds_text(max(now - check.since, 0.0))}"


def _done(tally: Tally) -> str:
    """How many checks ended, and how many of them not well."""
    outcomes = [outcome for _, _, outcome in tally.done]
    bad = [one for one in WORST_FIRST[:3] if one in outcomes]
    told = ", ".join(f"{outcomes.count(one)} {one.value}" for one in bad)
    done = sum(outcome is not Outcome.NOT_RUN for outcome in outcomes)
    return f"{done} done ({told})" if told else f"{done} done"
