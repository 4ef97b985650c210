"""From a run folder back to a ``Run``; nothing but the folder is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_ohllm.evidence import verdict
from pytest_ohllm.evidence.allowances import ALLOWANCES, Allowances
from pytest_ohllm.evidence.attempts import ONCE_OF_TWO
from pytest_ohllm.evidence.run_folder import RunFolderError, SdkRecord, SessionRecord
from pytest_ohllm.evidence.slug import slug
from pytest_ohllm.model import (
    SCHEMA_VERSION,
    Blame,
    CheckResult,
    CheckSummary,
    Diagnosis,
    Kind,
    Outcome,
    Profile,
    ProfileReport,
    Record,
    Remedy,
    Revision,
    Run,
    Stage,
    Usage,
)

INTERRUPTED = "interrupted"
"""The rule of the diagnosis that is inferred for a check without a result."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One check folder: what it says, and where it is, relative to the run folder."""

    result: CheckResult
    folder: str
    started: float


def read_run(path: Path) -> Run:
    """The run that ``path`` holds, finished or not.

    A check that was started and left no result is inconclusive; a check that was never started is
    not invented. Raises ``RunFolderError`` if ``path`` is not a run folder or a newer version's.
    """
    session = _session(path)
    sdk = _record(path / "sdk.json", SdkRecord) or SdkRecord(
        revision=Revision(version=None, path=None)
    )
    allowed = _record(path / ALLOWANCES, Allowances)
    profiles = tuple(_allowed(_profiles(path, session), allowed))
    end = _load(path / "end.json") or {}
    # Profiles may run side by side, so without an end the longest of them is what is known.
    seconds = end.get("seconds", max((profile.seconds for profile in profiles), default=0.0))
    return Run(
        run_id=session.run_id,
        started=session.started,
        seconds=seconds,
        sdk=sdk.revision,
        host=session.host,
        packages={**session.packages, **sdk.packages},
        profiles=profiles,
        baseline=allowed.baseline if allowed else None,
        waivers=allowed.states({p.name: p.checks for p in profiles}) if allowed else (),
    )


def _allowed(
    profiles: Sequence[ProfileReport], allowed: Allowances | None
) -> Sequence[ProfileReport]:
    """The profiles, each check with why it does not count, if so."""
    if allowed is None:
        return profiles
    return [
        profile.model_copy(update={"checks": allowed.applied(profile.name, profile.checks)})
        for profile in profiles
    ]


def read_allowances(path: Path) -> Allowances | None:
    """What does not count in the run that ``path`` holds; ``None`` if nothing was named."""
    return _record(path / ALLOWANCES, Allowances)


def read_session(path: Path) -> SessionRecord:
    """What was asked for in the run that ``path`` holds. Raises ``RunFolderError``."""
    return _session(path)


def _session(path: Path) -> SessionRecord:
    found = _load(path / "session.json")
    if found is None:
        raise RunFolderError(f"{path} is not a run folder: it has no readable session.json")
    version = found.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RunFolderError(
            f"{path} was written by a newer pytest-ohllm "
            f"(schema {version}, this one reads {SCHEMA_VERSION})"
        )
    try:
        return SessionRecord.model_validate(found)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise RunFolderError(f"{path}: session.json is damaged at {where!r}") from error


def _profiles(path: Path, session: SessionRecord) -> list[ProfileReport]:
    """The session's profiles in its order, then any others that left results."""
    names = {slug(profile.name): profile.name for profile in session.profiles}
    attempts: dict[str, list[Attempt]] = {profile.name: [] for profile in session.profiles}
    remedies: dict[str, Remedy] = {}
    for folder in sorted((path / "profiles").glob("*/")):
        name = names.get(folder.name, folder.name)
        for attempt in _attempts(path, folder, name):
            attempts.setdefault(attempt.result.profile, []).append(attempt)
        if found := _load(folder / "remedy.json"):
            name = str(found.pop("profile", name))
            if remedy := _validated(Remedy, found):
                remedies[name] = remedy
    known = {profile.name: profile for profile in session.profiles}
    return [
        _report(
            known.get(name) or Profile(name=name, settings={}),
            found,
            session.stages,
            remedies.get(name),
        )
        for name, found in attempts.items()
    ]


def _report(
    profile: Profile, attempts: Sequence[Attempt], selected: Sequence[Stage], remedy: Remedy | None
) -> ProfileReport:
    checks = _checks(attempts)
    answer, reason = verdict.verdict(checks, selected=selected, remedy=remedy)
    return ProfileReport(
        name=profile.name,
        model=profile.model,
        base_url=profile.base_url,
        verdict=answer,
        reason=reason,
        tool_mode=verdict.tool_mode(attempt.result for attempt in attempts),
        remedy=remedy,
        checks=checks,
        usage=_total([attempt.result.usage for attempt in attempts]),
        seconds=sum(attempt.result.seconds for attempt in attempts),
    )


def _checks(attempts: Sequence[Attempt]) -> tuple[CheckSummary, ...]:
    """One summary per check, in the order of stages and then of execution."""
    groups: dict[tuple[Stage, str], list[Attempt]] = {}
    for attempt in sorted(attempts, key=lambda one: (one.result.stage, one.started, one.folder)):
        groups.setdefault((attempt.result.stage, attempt.result.id), []).append(attempt)
    return tuple(_check(group) for group in groups.values())


def _check(attempts: Sequence[Attempt]) -> CheckSummary:
    """The attempts of one check as one; the worst that ran lends diagnosis and folder."""
    outcomes = [attempt.result.outcome for attempt in attempts]
    outcome = verdict.merged(outcomes)
    decided = [one for one in attempts if one.result.outcome is not Outcome.NOT_RUN] or attempts
    telling = min(decided, key=lambda one: verdict.WORST_FIRST.index(one.result.outcome))
    return CheckSummary(
        id=telling.result.id,
        stage=telling.result.stage,
        outcome=outcome,
        seconds=sum(attempt.result.seconds for attempt in attempts),
        llm_calls=sum(attempt.result.usage.llm_calls for attempt in attempts),
        reason=telling.result.reason,
        diagnosis=_counted(telling.result.diagnosis, outcome, outcomes),
        folder=telling.folder,
    )


def _counted(
    diagnosis: Diagnosis | None, outcome: Outcome, outcomes: Sequence[Outcome]
) -> Diagnosis | None:
    """What went wrong, and how often it did, where it did not always."""
    tried = [one for one in outcomes if one in (Outcome.PASSED, Outcome.FAILED, Outcome.FLAKY)]
    if diagnosis is None or outcome is not Outcome.FLAKY or len(tried) < 2:
        return diagnosis
    failed = len(tried) - tried.count(Outcome.PASSED)
    what = diagnosis.summary.removeprefix(ONCE_OF_TWO)
    summary = f"{failed} of {len(tried)} times, {what}"
    return diagnosis.model_copy(update={"summary": summary})


def _attempts(path: Path, profile: Path, name: str) -> list[Attempt]:
    folders = [folder for stage in Stage for folder in sorted((profile / stage.value).glob("*/"))]
    found = (_attempt(path, folder, name) for folder in folders)
    return [attempt for attempt in found if attempt]


def _attempt(path: Path, folder: Path, profile: str) -> Attempt | None:
    """What ``folder`` says; ``None`` if no check was started there."""
    started = _load(folder / "started.json")
    result = _record(folder / "result.json", CheckResult)
    if started is None and result is None and not any(folder.glob("*.json")):
        return None
    relative = folder.relative_to(path).as_posix()
    since = (started or {}).get("started", 0.0)
    return Attempt(
        result=result or _interrupted(folder, relative, profile, started or {}),
        folder=relative,
        started=since if isinstance(since, int | float) else 0.0,
    )


def _interrupted(folder: Path, relative: str, profile: str, started: dict[str, Any]) -> CheckResult:
    return CheckResult(
        id=str(started.get("id", folder.name)),
        node=str(started.get("node", "")),
        profile=str(started.get("profile", profile)),
        stage=Stage(folder.parent.name),
        outcome=Outcome.INCONCLUSIVE,
        usage=Usage(llm_calls=_lines(folder / "exchanges.jsonl")),  # at a price nobody knows
        diagnosis=Diagnosis(
            kind=Kind.ENVIRONMENT,
            summary="the check was interrupted or its process died before it left a result",
            blame=Blame.ENVIRONMENT,
            next_step=f"run it again; what it did until then is in {relative}",
            rule=INTERRUPTED,
        ),
    )


def _total(usages: Sequence[Usage]) -> Usage:
    return reduce(add, usages, Usage())


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def _record[T: Record](path: Path, kind: type[T]) -> T | None:
    found = _load(path)
    return None if found is None else _validated(kind, found)


def _validated[T: Record](kind: type[T], found: dict[str, Any]) -> T | None:
    try:
        return kind.model_validate(found)
    except ValidationError:
        return None


def _load(path: Path) -> dict[str, Any] | None:
    """The JSON object in ``path``; ``None`` if there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
