"""One failure made self-sufficient: what it takes to see it again without the run that saw it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from pytest_ohllm.evidence import repro_script
from pytest_ohllm.evidence.check_folder import Redacts
from pytest_ohllm.evidence.difference import conditions
from pytest_ohllm.evidence.files import encode, make_folder, replace_file
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.model import (
    SCHEMA_VERSION,
    CheckResult,
    Diagnosis,
    Exchange,
    Profile,
    Record,
    Revision,
    Transcript,
)

REPRO = "repro.py"
OFFLINE = "repro_offline.py"
_EVIDENCE = ("traceback.txt", "provider_traceback.txt", "exchanges.jsonl", "probes.jsonl")
_STANDALONE = {"prompt", "stream", "changes", "turns", "allow", "files", "tool_mode"}
"""Parts of a scene that the script can play; others need more than a model and a terminal."""

_WIDTH = 90
_TRANSCRIPTS = TypeAdapter(tuple[Transcript, ...])
_CALLS = ("/chat/completions", "/responses", "/v1/messages", "/api/chat")


class Capsule(Record):
    """What ``capsule.json`` holds; the other files of the folder stand beside it.

    ``online`` and ``offline`` tell whether there is a script that shows the failure again at the
    endpoint, and one that needs neither it nor a key; ``gap`` says why one of them is missing.
    """

    schema_version: int = SCHEMA_VERSION
    profile: Profile
    check: str
    node: str
    diagnosis: Diagnosis
    sdk: Revision
    packages: dict[str, str] = Field(default_factory=dict)
    online: bool = False
    offline: bool = False
    gap: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a check folder holds of a failure."""

    result: CheckResult
    transcript: Transcript | None
    failing: Exchange | None
    working: Exchange | None


def read_evidence(folder: Path) -> Evidence:
    """The failing scenario of a check, and the request that failed beside one that worked.

    Raises ``RunFolderError`` if the folder holds no result that can be read.
    """
    try:
        result = CheckResult.model_validate_json((folder / "result.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise RunFolderError(f"{folder}: result.json is missing or damaged") from error
    transcript = _failing(folder)
    failing = transcript.exchanges[-1] if transcript and transcript.exchanges else None
    if failing is None:
        return Evidence(result, transcript, None, None)
    worked = list(_worked(folder / "probes.jsonl"))
    nearest = min(worked, key=lambda one: len(conditions(failing, one)), default=None)
    return Evidence(result, transcript, failing, nearest)


def write_capsule(
    path: Path,
    check_folder: Path,
    *,
    profile: Profile,
    sdk: Revision,
    packages: Mapping[str, str],
    redactor: Redacts,
) -> Capsule:
    """Make the capsule of the check in ``check_folder`` at ``path``, redacted once more.

    Raises ``RunFolderError`` if the check left no diagnosis.
    """
    evidence = read_evidence(check_folder)
    result = evidence.result
    if result.diagnosis is None:
        raise RunFolderError(f"{check_folder}: the check left no diagnosis")
    make_folder(path)
    for name in _EVIDENCE:
        if (check_folder / name).is_file():
            text = (check_folder / name).read_text(encoding="utf-8", errors="replace")
            replace_file(path / name, encode(redactor.text(text)))
    case, gap = _case(profile, evidence)
    answers = None
    if case:
        answers, gap = _answers(evidence)
    for name in (REPRO, OFFLINE):
        (path / name).unlink(missing_ok=True)
    if case:
        _write_script(path / REPRO, case, redactor)
    if case and answers:
        _write_script(path / OFFLINE, {**case, "answers": answers}, redactor)
    capsule = Capsule(
        profile=profile,
        check=result.id,
        node=result.node,
        diagnosis=result.diagnosis,
        sdk=sdk,
        packages=dict(packages),
        online=case is not None,
        offline=answers is not None,
        gap=gap,
    )
    plain = redactor.value(capsule.model_dump(mode="json"))
    replace_file(path / "capsule.json", encode(json.dumps(plain, indent=1, ensure_ascii=False)))
    return capsule


def _failing(folder: Path) -> Transcript | None:
    """The scenario that went wrong: what ended in an error, or the last one of all.

    Of a check that settings have helped, it is the one before they did.
    """
    try:
        made = _TRANSCRIPTS.validate_json((folder / "transcript.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return next((one for one in made if one.error), made[-1] if made else None)


def _case(profile: Profile, evidence: Evidence) -> tuple[dict[str, Any] | None, str]:
    """What the script must know; or ``None``, and why there can be none."""
    transcript = evidence.transcript
    if transcript is None or transcript.error is None or not transcript.scene:
        return None, "the failure is one of behaviour: no call of the SDK ended in an error"
    beyond = {name for name, value in transcript.scene.items() if value} - _STANDALONE
    if beyond:
        return None, f"its scenario needs more than a model and a terminal: {', '.join(beyond)}"
    variable = next(
        (r.removeprefix("env:") for r in profile.secrets.values() if r.startswith("env:")),
        "LLM_API_KEY",
    )
    root = transcript.error.root
    return {
        "settings": dict(profile.settings),
        "base_path": _base_path(profile, evidence.failing),
        "key_variable": variable,
        "wants_key": bool(profile.secrets),
        "scene": transcript.scene,
        "failure": {"type": root.type, "status": transcript.error.status},
    }, ""


def _answers(evidence: Evidence) -> tuple[dict[str, Any] | None, str]:
    """What the offline endpoint must answer; or ``None``, and why the records do not tell it."""
    transcript, failing, working = evidence.transcript, evidence.failing, evidence.working
    if transcript is None or failing is None or failing.status is None:
        return None, "no answer of the endpoint was recorded"
    parsed = 200 <= failing.status < 300
    if working is None and not parsed:
        return None, "no request was recorded that got a better answer"
    found = conditions(failing, working) if working is not None else []
    calls = [one for one in transcript.exchanges if one.method == "POST"]
    # What a recorded answer has put into the history will be there whatever the SDK asks for.
    if len(calls) > 1 and any(one["kind"] == "item" for one in found):
        return None, "the request that failed holds what a recorded answer has put into it"
    if working is not None and not found:
        return None, "nothing tells the request that failed from the one that got an answer"
    return {
        "before": [_recorded(one) for one in calls[:-1]],
        "red": _recorded(failing),
        "green": _recorded(working or failing),
        "conditions": found,
    }, ""


def _recorded(exchange: Exchange) -> dict[str, Any]:
    body = exchange.response
    text = body if isinstance(body, str) else json.dumps(body)
    kind = exchange.content_type or "application/json"
    return {"status": exchange.status or 500, "type": kind, "body": text}


def _base_path(profile: Profile, failing: Exchange | None) -> str:
    """The path that a base URL has for this model, the provider's own address included."""
    if profile.base_url:
        return urlsplit(profile.base_url).path
    path = urlsplit(failing.url).path if failing else ""
    return next((path.removesuffix(end) for end in _CALLS if path.endswith(end)), "")


def _write_script(path: Path, case: Mapping[str, Any], redactor: Redacts) -> None:
    source = Path(repro_script.__file__).read_text(encoding="utf-8")
    held = json.dumps(redactor.value(dict(case)), ensure_ascii=True)
    told = "CASE: dict[str, Any] = {}"
    assert source.count(told) == 1
    lines = [repr(held[at : at + _WIDTH]) for at in range(0, len(held), _WIDTH)]
    literal = "CASE: dict[str, Any] = json.loads(\n" + "\n".join(f"    {x}" for x in lines) + "\n)"
    replace_file(path, encode(source.replace(told, literal)))


def _worked(path: Path) -> Iterator[Exchange]:
    """Requests of the experiments that worked; what a killed run left half is passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            record = json.loads(line)
            if record["probe"]["result"] == "works" and record.get("exchange"):
                yield Exchange.model_validate(record["exchange"])
