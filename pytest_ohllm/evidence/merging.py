"""Many runs as one: what a fan-out over CI jobs leaves, in one matrix."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pytest_ohllm.evidence.allowances import ALLOWANCES, Allowances
from pytest_ohllm.evidence.check_folder import json_document
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.files import make_folder
from pytest_ohllm.evidence.liveness import state
from pytest_ohllm.evidence.merged_files import copy_evidence, put
from pytest_ohllm.evidence.reader import read_allowances, read_run, read_session
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder, SdkRecord, SessionRecord
from pytest_ohllm.model import SCHEMA_VERSION, Profile, Record, Run, Stage

MERGE = "merge.json"


class Part(Record):
    """One run of those that were merged; ``renamed`` maps its profiles to their new names."""

    run_id: str
    started: str
    seconds: float
    profiles: tuple[str, ...]
    host: dict[str, str]
    renamed: dict[str, str]


class Merge(Record):
    """``merge.json``: what a run was made of."""

    schema_version: int = SCHEMA_VERSION
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    session: SessionRecord
    run: Run
    allowances: Allowances | None
    names: Mapping[str, str]
    """Its profiles' names, and what they are called in the merged run."""


def merge(folders: Sequence[Path], target: Path) -> Merge:
    """Make the run ``target`` of the runs in ``folders``, whole or not at all.

    A profile that several runs have tested stays in each: the later ones carry the run in their
    name. Raises ``RunError``: for no run at all, for one given twice or still going on, for runs of
    different SDKs, for a target that is there.
    """
    sources = _sources(folders)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunError(f"{target} exists: name another folder")
    temporary = target.with_name(f".merge-{secrets.token_hex(6)}")
    try:
        make_folder(temporary)
        for source in sources:
            copy_evidence(source.path, source.run, source.names, temporary)
        merged = _describe(sources, temporary, target.name)
        RunFolder(temporary, Redactor()).write_run(read_run(temporary))
        temporary.rename(target)
    except OSError as error:
        raise RunError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return merged


def merged_id(folders: Iterable[Path]) -> str:
    """A name for the merged run that sorts where the newest of ``folders`` does."""
    started = max(read_session(folder).started for folder in folders)
    stamp = started[:19].replace("-", "").replace(":", "")
    return f"{stamp}Z-merged-{secrets.token_hex(3)}"


def _sources(folders: Sequence[Path]) -> list[_Source]:
    if not folders:
        raise RunError("there is no run to merge")
    for folder in folders:
        if state(folder) == "running":
            raise RunError(f"{folder.name} is still being written: merge it when it has ended")
    read = [(folder, read_session(folder), read_run(folder)) for folder in folders]
    read.sort(key=lambda one: (one[1].started, one[1].run_id))
    _check_different([session.run_id for _, session, _ in read])
    _check_same_sdk([run for _, _, run in read])
    sources, taken = [], set[str]()
    for folder, session, run in read:
        names = {}
        for profile in run.profiles:
            name = _free(profile.name, session.run_id, taken)
            names[profile.name] = name
            taken.add(name)
        sources.append(_Source(folder, session, run, read_allowances(folder), names))
    return sources


def _check_different(ids: Sequence[str]) -> None:
    for run_id in ids:
        if ids.count(run_id) > 1:
            raise RunError(f"the run {run_id} is named twice")


def _check_same_sdk(runs: Sequence[Run]) -> None:
    """A matrix has one SDK: with two of them, nobody could read it."""
    first = runs[0]
    for run in runs[1:]:
        if (run.sdk.version, run.sdk.git_sha) != (first.sdk.version, first.sdk.git_sha):
            raise RunError(
                f"{first.run_id} tested {_sdk(first)}, {run.run_id} {_sdk(run)}: a matrix has one "
                "SDK; `ohllm runs index` shows several side by side"
            )


def _sdk(run: Run) -> str:
    sha = f" at {run.sdk.git_sha[:8]}" if run.sdk.git_sha else ""
    return f"openhands-sdk {run.sdk.version}{sha}"


def _free(name: str, run_id: str, taken: set[str]) -> str:
    """``name``, or with what makes the run's id different, where another run has tested it."""
    if name not in taken:
        return name
    wanted = f"{name}@{run_id.rpartition('-')[2]}"
    return wanted if wanted not in taken else f"{name}@{run_id}"


def _describe(sources: Sequence[_Source], folder: Path, name: str) -> Merge:
    """Write what is true of the whole: who was tested, when, where, for how long."""
    first = sources[0]
    session = SessionRecord(
        run_id=name,
        started=first.session.started,
        profiles=tuple(_profiles(sources)),
        stages=tuple(s for s in Stage if any(s in one.session.stages for one in sources)),
        host=_common([one.session.host for one in sources]),
        packages=_common([one.session.packages for one in sources]),
    )
    sdk = SdkRecord(revision=first.run.sdk, packages=_common([one.run.packages for one in sources]))
    merged = Merge(parts=tuple(_part(source) for source in sources))
    records: dict[str, object] = {"session.json": session, "sdk.json": sdk, MERGE: merged}
    if all(state(source.path) == "finished" for source in sources):
        records["end.json"] = {"seconds": _seconds(sources)}
    if allowed := _allowances(sources):
        records[ALLOWANCES] = allowed
    for file, record in records.items():
        put(folder / file, json_document(record, Redactor()))
    return merged


def _part(source: _Source) -> Part:
    return Part(
        run_id=source.session.run_id,
        started=source.session.started,
        seconds=source.run.seconds,
        profiles=tuple(source.names),
        host=source.session.host,
        renamed={old: new for old, new in source.names.items() if old != new},
    )


def _profiles(sources: Iterable[_Source]) -> Iterable[Profile]:
    for source in sources:
        known = {profile.name: profile for profile in source.session.profiles}
        for old, new in source.names.items():
            profile = known.get(old) or Profile(name=old, settings={})
            yield profile.model_copy(update={"name": new})


def _seconds(sources: Sequence[_Source]) -> float:
    """From the start of the first run to the end of the last one."""
    starts = [datetime.fromisoformat(source.session.started) for source in sources]
    ends = [
        start + timedelta(seconds=source.run.seconds)
        for start, source in zip(starts, sources, strict=True)
    ]
    return (max(ends) - min(starts)).total_seconds()


def _common(records: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What the machines have; where they differ, all that there is."""
    names = dict.fromkeys(name for record in records for name in record)
    return {
        name: ", ".join(dict.fromkeys(record[name] for record in records if name in record))
        for name in names
    }


def _allowances(sources: Sequence[_Source]) -> Allowances | None:
    """What does not count in the runs, each with its own baseline."""
    given = [(source, source.allowances) for source in sources if source.allowances]
    if not given:
        return None
    baselines = dict.fromkeys(one.baseline for _, one in given if one.baseline)
    return Allowances(
        today=max(one.today for _, one in given),
        baseline=", ".join(baselines) or None,
        known={
            source.names.get(profile, profile): checks
            for source, one in given
            for profile, checks in one.known.items()
            if profile in source.names
        },
        waivers=tuple(dict.fromkeys(waiver for _, one in given for waiver in one.waivers)),
    )
