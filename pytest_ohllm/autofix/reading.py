"""From a JUnit file, or a run folder, to the failures that were diagnosed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_ohllm.autofix.errors import UsageError
from pytest_ohllm.autofix.job import Failure, Source
from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.reader import read_run, read_session
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.model import CheckResult, Profile


def read(path: Path, nodes: Sequence[str]) -> tuple[Source, list[Failure]]:
    """What failed in the run that wrote ``path``, a JUnit file or the run folder itself.

    ``nodes`` choose some of the failures: parts of a node id, a check or a profile. Raises
    UsageError: for what cannot be read, for a run folder that is missing, for a node that no
    failure matches.
    """
    folder = path if path.is_dir() else _run_folder(path)
    try:
        run, session = read_run(folder), read_session(folder)
    except RunFolderError as error:
        raise UsageError(str(error), "give the JUnit file of a run, or its run folder") from None
    source = Source(run_id=run.run_id, run_dir=folder, sdk=run.sdk, packages=run.packages)
    profiles = {profile.name: profile for profile in session.profiles}
    found = [
        failure
        for report in run.profiles
        for check in report.checks
        if check.diagnosis is not None
        and (failure := _failure(folder / check.folder, profiles)) is not None
    ]
    return source, _chosen(found, nodes)


def _run_folder(path: Path) -> Path:
    """The run folder that a JUnit file names, wherever both were moved together."""
    try:
        report = junit.read_junit(path)
    except junit.JUnitError as error:
        raise UsageError(str(error), "give the file that --junitxml wrote") from None
    named = report.suite.get(junit.RUN_DIR)
    if named is None:
        raise UsageError(
            f"{path} was not written by a run with --llm-profile: it has no ohllm properties",
            "run pytest --llm-profile=NAME --junitxml=junit.xml",
        )
    run_id = report.suite.get(junit.RUN_ID, "")
    beside = [path.parent / run_id, path.parent / ".ohllm" / "runs" / run_id]
    for folder in (Path(named), *beside):
        if run_id and folder.is_dir() and (folder / "session.json").is_file():
            return folder
    told = "\n".join(f"  {f.test}: {_told(f.properties)}" for f in report.failures[:20])
    raise UsageError(
        f"{path} tells what failed, and the run folder that holds the evidence, {named}, is not "
        f"here{':' if told else '.'}\n{told}",
        f"download the run folder {run_id} as well, and put it beside the JUnit file",
    )


def _told(properties: Mapping[str, str]) -> str:
    kind = properties.get(junit.KIND, "unknown")
    return f"{kind}, {properties.get(junit.SUMMARY, 'no diagnosis')}"


def _failure(folder: Path, profiles: Mapping[str, Profile]) -> Failure | None:
    try:
        result = CheckResult.model_validate_json((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return None  # it was interrupted: nothing to fix in an SDK
    if result.diagnosis is None:
        return None
    return Failure(
        profile=profiles.get(result.profile) or Profile(name=result.profile, settings={}),
        check=result.id,
        stage=result.stage,
        node=result.node,
        rerun=junit.rerun_in(_rerun(folder), result.stage, result.tool_mode),
        folder=folder,
        diagnosis=result.diagnosis,
    )


def _rerun(folder: Path) -> str:
    import json

    try:
        return str(json.loads((folder / "started.json").read_bytes()).get("rerun", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _chosen(failures: list[Failure], nodes: Sequence[str]) -> list[Failure]:
    if not nodes:
        return failures
    chosen = [f for f in failures if any(node in (f.node, f.check) for node in nodes)]
    chosen = chosen or [f for f in failures if any(node in f.node for node in nodes)]
    if chosen:
        return chosen
    known = "\n".join(f"  {failure.node}" for failure in failures) or "  none"
    raise UsageError(f"no failure matches --node {' '.join(nodes)}; there are:\n{known}")
