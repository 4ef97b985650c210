"""How this run differs from the last one of the same profile, if its folder is still there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from pytest_ohllm.evidence.attempts import Rates, read_rates
from pytest_ohllm.evidence.comparison import Change, CheckChange, Side, compare_profiles
from pytest_ohllm.evidence.run_store import RunStore
from pytest_ohllm.model import ProfileReport, Run
from pytest_ohllm.report.naming import check_name

MOST_RUNS = 200
"""Runs that are looked at, the newest first."""

MOST_CHANGES = 30
LARGEST_RUN = 50_000_000

_BETTER = (Change.FIXED, Change.OFTENER)
_WORSE = (Change.BROKEN, Change.RARER)
_SHADES = dict.fromkeys(_BETTER, "good") | dict.fromkeys(_WORSE, "bad")


@dataclass(frozen=True, slots=True)
class CheckDifference:
    """One check that ended otherwise than before, in words."""

    check: str
    change: str
    before: str
    now: str
    shade: str


@dataclass(frozen=True, slots=True)
class SinceLast:
    """One profile, compared with its last run before this one."""

    profile: str
    run_id: str
    started: str
    verdict_before: str
    verdict: str
    changes: tuple[CheckDifference, ...]
    left_out: int
    versions: tuple[str, ...]


def since_last(path: Path, run: Run, rates: Rates) -> dict[str, SinceLast]:
    """For each profile that was tested before, by a run beside the folder at ``path``."""
    wanted = {profile.name: profile for profile in run.profiles}
    found: dict[str, SinceLast] = {}
    for folder, earlier in _earlier(path, run, wanted):
        before = {one.name: one for one in earlier.profiles if one.checks}
        rates_before = read_rates(folder)
        for name in before.keys() & wanted.keys() - found.keys():
            change = _changes(before[name], wanted[name], rates_before, rates)
            found[name] = SinceLast(
                profile=name,
                run_id=earlier.run_id,
                started=earlier.started,
                verdict_before=before[name].verdict.value,
                verdict=wanted[name].verdict.value,
                changes=change[:MOST_CHANGES],
                left_out=max(0, len(change) - MOST_CHANGES),
                versions=tuple(_versions(earlier, run)),
            )
        if len(found) == len(wanted):
            break
    return {name: found[name] for name in wanted if name in found}


def _earlier(
    path: Path, run: Run, wanted: Mapping[str, ProfileReport]
) -> Iterator[tuple[Path, Run]]:
    """Finished runs beside ``path`` that started before ``run``, the latest first."""
    own = path.resolve()
    for entry in islice(RunStore(own.parent).entries(), MOST_RUNS):
        # Times are ISO 8601 in UTC, so that their order is that of their texts.
        if entry.path.name == own.name or entry.started > run.started or entry.summary is None:
            continue
        if wanted.keys() & set(entry.profiles) and (earlier := _run(entry.path / "run.json")):
            yield entry.path, earlier


def _run(path: Path) -> Run | None:
    try:
        if path.stat().st_size > LARGEST_RUN:
            return None
        return Run.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _changes(
    before: ProfileReport, now: ProfileReport, rates_before: Rates, rates: Rates
) -> tuple[CheckDifference, ...]:
    return tuple(map(_difference, compare_profiles(before, now, rates_before, rates).changed))


def _difference(check: CheckChange) -> CheckDifference:
    chance = ", which may be chance" if check.by_chance else ""
    return CheckDifference(
        check=check_name(check.id),
        change=f"{check.change.value}{chance}",
        before=_word(check.before),
        now=_word(check.after),
        shade=_SHADES.get(check.change, "unclear"),
    )


def _word(side: Side | None) -> str:
    if side is None:
        return "not there"
    outcome = side.outcome.value.replace("_", " ")
    return f"{outcome} {side.rate}" if side.rate.judged > 1 else outcome


def _versions(earlier: Run, run: Run) -> Iterator[str]:
    before = _packages(earlier)
    for name, version in _packages(run).items():
        if name in before and before[name] != version:
            yield f"{name} {before[name]} → {version}"


def _packages(run: Run) -> Mapping[str, str]:
    sdk = f"{run.sdk.version}{' ' + run.sdk.git_sha[:8] if run.sdk.git_sha else ''}"
    return {"openhands-sdk": sdk, **run.packages}
