"""Run folders made from pictures such as ``A++ B+ Cx``: a stage, and an outcome for each check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.allowances import Allowances
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    Kind,
    Outcome,
    Profile,
    Revision,
    Stage,
    Usage,
)

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

OUTCOMES = {
    "+": Outcome.PASSED,
    "x": Outcome.FAILED,
    "g": Outcome.FAILED,
    "~": Outcome.FLAKY,
    "u": Outcome.UNSUPPORTED,
    "?": Outcome.INCONCLUSIVE,
    "-": Outcome.NOT_RUN,
}
KINDS = {"x": Kind.MODEL_LIMITATION, "g": Kind.SDK_GAP, "?": Kind.RATE_LIMIT}
WHY = {"x": "no tool was called", "g": "the SDK sends 'stop'", "?": "429: try again later"}


def check_id(stage: str, number: int) -> str:
    """The id of the nth check of a stage, counted from 1."""
    return f"compat_suite.test_{stage.lower()}::test_{number}"


def leave_run(
    runs: Path,
    pictures: Mapping[str, str | Sequence[str]],
    *,
    hours: float = 0,
    name: str | None = None,
    sdk: str = "1.58.0",
    end: bool = True,
    allowances: Allowances | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """A run among ``runs`` that began ``hours`` after noon; several pictures are attempts.

    Without ``end`` it looks as after a crash.
    """
    when = NOON + timedelta(hours=hours)
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    path = runs / (name or f"{stamp}-{len(list(runs.glob('*'))) + 0xABC000:06x}")
    folder = RunFolder.create(runs, path, when, Redactor())
    about = {"model": "openai/gpt", "base_url": "http://host.invalid/v1", **(settings or {})}
    profiles = [Profile(name=name, settings=about) for name in pictures]
    folder.begin(when, profiles, host={"system": "Linux"})
    folder.record_sdk(Revision(version=sdk, path="/sdk"), {"litellm": "1.0"})
    if allowances is not None:
        folder.allow(allowances)
    for profile, picture in pictures.items():
        attempts = [picture] if isinstance(picture, str) else picture
        for attempt, one in enumerate(attempts, 1):
            _leave(folder, profile, one, attempt)
    if end:
        folder.end(12.5)
        folder.write_run(read_run(path))
    elif folder._hold is not None:
        folder._hold.release()
    return path


def _leave(folder: RunFolder, profile: str, picture: str, attempt: int) -> None:
    for word in picture.split():
        for number, sign in enumerate(word[1:], 1):
            stage, name = Stage(word[0]), check_id(word[0], number)
            check = folder.check_folder(profile, stage, name, attempt)
            check.start({"node": f"{name}[{profile}]"})
            folder.event("started", profile=profile, stage=stage, check=name)
            usage = Usage(llm_calls=1, prompt_tokens=10, completion_tokens=5, cost=0.25)
            outcome = OUTCOMES[sign]
            result = CheckResult(
                id=name,
                node=f"{name}[{profile}]",
                profile=profile,
                stage=stage,
                outcome=outcome,
                seconds=1.5,
                usage=usage,
                reason="stage A failed" if sign == "-" else None,
                diagnosis=_diagnosis(sign) if sign in KINDS else None,
            )
            check.append_jsonl("exchanges.jsonl", {"method": "POST", "url": "http://h/v1"})
            check.finish(result)
            folder.event(
                "finished",
                profile=profile,
                stage=stage,
                check=name,
                outcome=outcome,
                seconds=1.5,
                usage=usage,
            )


def _diagnosis(sign: str) -> Diagnosis:
    return Diagnosis(kind=KINDS[sign], blame=Blame.MODEL, summary=WHY[sign], next_step="look at it")


def bare_runs(runs: Path, count: int, profiles: int = 3) -> None:
    """Many runs with nothing but what a list reads, one hour apart."""
    summary = json.loads((leave_run(runs, {"p0": "A+ B+ C+ Dx"}) / "summary.json").read_text())
    (one,) = summary["profiles"]
    for number in range(1, count):
        when = NOON - timedelta(hours=number)
        path = runs / f"{when:%Y%m%dT%H%M%SZ}-{number:06x}"
        path.mkdir()
        about = summary | {"run_id": path.name, "started": when.isoformat(timespec="seconds")}
        about["profiles"] = [one | {"name": f"p{index}"} for index in range(profiles)]
        (path / "session.json").write_text(json.dumps({"run_id": path.name}))
        (path / "end.json").write_text("{}")
        (path / "summary.json").write_text(json.dumps(about))
