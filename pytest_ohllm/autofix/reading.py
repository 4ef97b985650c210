"""From a JUnit file, a run folder or its archive to the failures that were diagnosed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_ohllm.autofix import state
from pytest_ohllm.autofix.errors import UsageError
from pytest_ohllm.autofix.job import Failure, Source
from pytest_ohllm.evidence import junit, unpacking
from pytest_ohllm.evidence.archive import SUFFIX
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.files import make_folder
from pytest_ohllm.evidence.reader import read_run, read_session
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.model import CheckResult, CheckSummary, Kind, Profile

_SHOWN = 20
"""Failures that are listed where nothing can be done about them."""


def read(path: Path, nodes: Sequence[str]) -> tuple[Source, list[Failure]]:
    """What failed in the run of ``path``: its JUnit file, its folder, or its archive.

    ``nodes`` choose some of the failures: parts of a node id, a check or a profile. Raises
    UsageError: for what cannot be read, for a run folder that is missing, for a node that no
    failure matches.
    """
    report = None
    if path.is_dir():
        folder = path
    elif _is_archive(path):
        folder = _unpacked(path)
    else:
        report = _report(path)
        folder = _run_folder(path, report)
    try:
        run, session = read_run(folder), read_session(folder)
    except RunFolderError as error:
        raise UsageError(str(error), "give the JUnit file of a run, or its run folder") from None
    if report is not None:
        _compare(path, report, folder, run.run_id)
    source = Source(run_id=run.run_id, run_dir=folder, sdk=run.sdk, packages=run.packages)
    profiles = {profile.name: profile for profile in session.profiles}
    found = [
        _failure(profiles.get(profile.name), profile.name, check, folder / check.folder)
        for profile in run.profiles
        for check in profile.checks
        if check.diagnosis is not None
    ]
    return source, _chosen(found, nodes)


def _report(path: Path) -> junit.JUnitReport:
    try:
        return junit.read_junit(path)
    except junit.JUnitError as error:
        raise UsageError(str(error), "give the file that --junitxml wrote") from None


def _run_folder(path: Path, report: junit.JUnitReport) -> Path:
    """The run folder that a JUnit file names, wherever both were moved together."""
    named = report.suite.get(junit.RUN_DIR)
    if named is None:
        raise UsageError(
            f"{path} was not written by a run with --llm-profile: it has no ohllm properties",
            "run pytest --llm-profile=NAME --junitxml=junit.xml",
        )
    run_id = report.suite.get(junit.RUN_ID, "")
    beside = [path.parent / one for one in (run_id, Path(named).name, f".ohllm/runs/{run_id}")]
    for folder in (Path(named), *beside):
        if (folder / "session.json").is_file():
            return folder
    for archive in sorted(path.parent.glob(f"*{SUFFIX}")):
        if _holds(archive, run_id):
            return _unpacked(archive)
    told = "\n".join(f"  {f.test}: {_told(f.properties)}" for f in report.failures[:_SHOWN])
    if len(report.failures) > _SHOWN:
        told += f"\n  and {len(report.failures) - _SHOWN} more"
    raise UsageError(
        f"{path} tells what failed, and the run folder that holds the evidence, {named}, is not "
        f"here{':' if told else '.'}\n{told}",
        f"download the run folder {run_id}, or the archive of `ohllm runs export`, as well, and "
        "put it beside the JUnit file",
    )


def _is_archive(path: Path) -> bool:
    """Whether it is meant as one, damaged or not: XML never begins so."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False  # what is wrong with it is said where it is read


def _holds(archive: Path, run_id: str) -> bool:
    try:
        return unpacking.run_in(archive) == run_id
    except RunError:  # it is none of ours
        return False


def _unpacked(archive: Path) -> Path:
    """The run folder of an archive, which is unpacked once."""
    runs = state.archived_runs()
    try:
        folder = runs / unpacking.run_in(archive)
        if not folder.is_dir():
            make_folder(runs)
            unpacking.unpack(archive, runs)
    except (RunError, OSError) as error:
        raise UsageError(str(error), "give what `ohllm runs export` wrote") from None
    return folder


def _compare(path: Path, report: junit.JUnitReport, folder: Path, run_id: str) -> None:
    """Raises UsageError if the folder is another run's, or has no evidence of what failed."""
    if report.suite.get(junit.RUN_ID) not in (None, run_id):
        raise UsageError(
            f"{path} is of the run {report.suite[junit.RUN_ID]}, and {folder} is of {run_id}",
            "put the run folder of the JUnit file beside it, or give a run folder alone",
        )
    lost = [
        one.test
        for one in report.failures
        # What was interrupted is blamed on this machine, and has left nothing.
        if one.properties.get(junit.KIND, Kind.ENVIRONMENT) != Kind.ENVIRONMENT
        and not (folder / one.properties.get(junit.FOLDER, "") / "result.json").is_file()
    ]
    if lost:
        raise UsageError(
            f"{folder} is not complete: it has no evidence of {lost[0]}",
            f"download the whole run folder; {len(lost)} failed checks are missing",
        )


def _told(properties: Mapping[str, str]) -> str:
    kind = properties.get(junit.KIND, "unknown")
    return f"{kind}, {properties.get(junit.SUMMARY, 'no diagnosis')}"


def _failure(profile: Profile | None, name: str, check: CheckSummary, folder: Path) -> Failure:
    started, result = _started(folder), _result(folder)
    assert check.diagnosis is not None
    mode = result.tool_mode if result else None
    return Failure(
        profile=profile or Profile(name=name, settings={}),
        check=check.id,
        stage=check.stage,
        node=result.node if result else str(started.get("node", check.id)),
        rerun=junit.rerun_in(str(started.get("rerun", "")), check.stage, mode),
        folder=folder,
        diagnosis=check.diagnosis,
    )


def _result(folder: Path) -> CheckResult | None:
    try:
        return CheckResult.model_validate_json((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return None


def _started(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "started.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _chosen(failures: list[Failure], nodes: Sequence[str]) -> list[Failure]:
    """Those that ``nodes`` choose, by whole names or else by parts; each must choose one."""
    if not nodes:
        return failures
    chosen = []
    for node in nodes:
        found = [f for f in failures if node in (f.node, f.check, f.profile.name)]
        found = found or [f for f in failures if node in f.node]
        if not found:
            known = "\n".join(f"  {failure.node}" for failure in failures) or "  none"
            raise UsageError(f"no failure matches --node {node}; there are:\n{known}")
        chosen += found
    return [failure for failure in failures if failure in chosen]
