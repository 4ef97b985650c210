"""The few lines of a run that a list of many runs shows, in a small file of their own.

Without pydantic: a list of a thousand runs must not wait for it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUMMARY = "summary.json"
SCHEMA_VERSION = 1
_LARGEST = 64 * 1024 * 1024
_STAGES = ("A", "B", "C", "D")


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """One profile: ``stages`` maps A to D to how many of how many checks passed."""

    name: str
    model: str
    verdict: str
    reason: str
    tool_mode: str | None
    stages: dict[str, tuple[int, int]]
    settings: dict[str, Any]
    calls: int
    tokens: int | None
    cost: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run; ``started`` is UTC in ISO 8601."""

    run_id: str
    started: str
    seconds: float
    sdk_version: str | None
    sdk_sha: str | None
    sdk_dirty: bool | None
    profiles: tuple[ProfileSummary, ...]
    schema_version: int = SCHEMA_VERSION


def summary_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of what stands in ``run.json``, as it stands in ``summary.json``."""
    sdk = run["sdk"]
    summary = RunSummary(
        run_id=run["run_id"],
        started=run["started"],
        seconds=run["seconds"],
        sdk_version=sdk["version"],
        sdk_sha=sdk["git_sha"],
        sdk_dirty=sdk["dirty"],
        profiles=tuple(_profile(profile) for profile in run["profiles"]),
    )
    return dataclasses.asdict(summary)


def read_summary(folder: Path) -> RunSummary | None:
    """What the run in ``folder`` came to; ``None`` if it has not ended, or nobody can read it."""
    try:
        if (found := _object(folder / SUMMARY)) is None:  # of an older version
            found = _object(folder / "run.json")
            found = found and summary_of(found)
        return None if found is None else _parsed(found)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def _profile(profile: Mapping[str, Any]) -> ProfileSummary:
    usage = profile["usage"]
    known = [n for n in (usage["prompt_tokens"], usage["completion_tokens"]) if n is not None]
    return ProfileSummary(
        name=profile["name"],
        model=profile["model"],
        verdict=profile["verdict"],
        reason=profile["reason"],
        tool_mode=profile["tool_mode"],
        stages={stage: _count(profile["checks"], stage) for stage in _STAGES},
        settings=(profile["remedy"] or {}).get("settings", {}),
        calls=usage["llm_calls"],
        tokens=sum(known) if known else None,
        cost=usage["cost"],
        seconds=profile["seconds"],
    )


def _count(checks: Any, stage: str) -> tuple[int, int]:
    outcomes = [check["outcome"] for check in checks if check["stage"] == stage]
    return outcomes.count("passed"), len(outcomes)


def _object(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        found = json.loads(path.read_bytes())
    except OSError:
        return None
    if not isinstance(found, dict):
        raise ValueError("expected an object")
    return found


def _parsed(found: dict[str, Any]) -> RunSummary:
    profiles = tuple(
        ProfileSummary(
            **{
                **one,
                "stages": {s: (int(n), int(of)) for s, (n, of) in one["stages"].items()},
                "settings": dict(one["settings"]),
            }
        )
        for one in found["profiles"]
    )
    if not all(isinstance(found[name], str) for name in ("run_id", "started")):
        raise ValueError("expected text")
    for one in profiles:
        if not all(isinstance(text, str) for text in (one.name, one.model, one.verdict)):
            raise ValueError("expected text")
    return RunSummary(**{**found, "profiles": profiles})
