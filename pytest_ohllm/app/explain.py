"""``ohllm explain``: an error from somewhere else, and whose fault it probably is.

The words are all there is: no request is made, and nothing that is shown holds a key.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from pytest_ohllm.app.output import SCHEMA_VERSION, Json, print_json
from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pytest_ohllm.app.pasted import Line
    from pytest_ohllm.model import Diagnosis

_LONGEST = 16 * 1024
"""Characters of a message that are looked at."""

_TEXT_ONLY = "going by the words alone; `pytest --llm-profile=NAME` finds out by experiment"


def explain(
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="Where the error is; standard input without.")
    ] = "-",
    as_json: Json = False,
) -> None:
    """Diagnose an error text, a traceback, or JSON records (one in each line) without a request.

    A record has any of message, exception_type, http_status, deepest_frame, provider, model,
    stage_hint, id. Each gives one line of JSON, in their order.

    The exit code is 4 if a line is no record; the others are answered all the same.
    """
    from pytest_ohllm.app.pasted import lines_or_text

    with _opened(file) as stream:
        given = lines_or_text(stream)
        if not isinstance(given, str):
            return _explain_lines(given)
    if not given.strip():
        raise ProfileError("there is nothing to explain: give an error text or JSON records")
    diagnosis = _diagnosed({"message": given})
    if as_json:
        return print_json(**_as_dict(diagnosis))
    _print(diagnosis)


def _opened(file: str) -> BinaryIO:
    if file == "-":
        if sys.stdin.isatty():
            typer.echo("Paste an error text or JSON records, then press Ctrl-D.", err=True)
        return typer.get_binary_stream("stdin")
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ProfileError(
            f"cannot read {_harmless(file, 80)!r} ({why}): give a file, or a text on standard input"
        ) from error


def _explain_lines(lines: Iterator[Line]) -> None:
    """Answer each line at once; what was wrong with some of them is said at the end."""
    problems: list[str] = []
    for line in lines:
        if line.record is None:
            problems.append(_harmless(line.problem, 300))
            _print_line(line=line.number, error=problems[-1])
            continue
        given = {"id": line.record["id"]} if "id" in line.record else {}
        _print_line(**given, **_as_dict(_diagnosed(line.record)))
    if problems:
        more = f" (and {len(problems) - 1} more lines)" if len(problems) > 1 else ""
        raise ProfileError(f"{problems[0]}{more}")


def _print_line(**data: Any) -> None:
    typer.echo(json.dumps({**data, "schema_version": SCHEMA_VERSION}))


def _diagnosed(record: dict[str, Any]) -> Diagnosis:
    """The diagnosis of a record; a field of another type than expected counts as missing."""
    from pytest_ohllm.diagnosis.explanation import explain as explained
    from pytest_ohllm.diagnosis.symptoms import Pasted

    message = record.get("message")
    if not isinstance(message, str):
        message = "" if message is None else json.dumps(message)
    return explained(
        Pasted(
            message=_redacted(message),
            exception_type=_word(record.get("exception_type")),
            http_status=_status(record.get("http_status")),
            deepest_frame=_word(record.get("deepest_frame")),
            provider=_word(record.get("provider")),
            model=_word(record.get("model")),
            stage_hint=_word(record.get("stage_hint")),
        )
    )


def _word(value: Any) -> str | None:
    return _redacted(value[:1000]) if isinstance(value, str) and value.strip() else None


def _status(value: Any) -> int | None:
    """An HTTP status as a number, or as its digits."""
    digits = str(int(value)) if isinstance(value, float) else str(value)
    return int(digits) if re.fullmatch(r"[1-9][0-9]{2}", digits) else None


def _redacted(text: str) -> str:
    """``text`` without keys, and without its middle if it is long: no key is cut in two."""
    from pytest_ohllm.evidence.redaction import Redactor

    if len(text) > _LONGEST:
        head = re.sub(r"\S{1,4096}\Z", "", text[: _LONGEST // 2])
        tail = re.sub(r"\A\S{1,4096}", "", text[-_LONGEST // 2 :])
        text = f"{head}\n…\n{tail}"
    return Redactor().text(text)


def _harmless(text: str, limit: int) -> str:
    """``text`` on one line, without keys and without what a terminal would obey."""
    from pytest_ohllm.report.safe_text import ascii_only, one_line

    line = one_line(_redacted(text), limit)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return ascii_only(line)
    return line


def _as_dict(diagnosis: Diagnosis) -> dict[str, str]:
    return {
        "kind": str(diagnosis.kind),
        "blame": str(diagnosis.blame),
        "summary": _harmless(diagnosis.summary, 300),
        "next_step": _harmless(diagnosis.next_step, 300),
        "rule": diagnosis.rule,
        "confidence": str(diagnosis.confidence),
    }


def _print(diagnosis: Diagnosis) -> None:
    said = _as_dict(diagnosis)
    typer.echo(f"{said['kind']}: {said['summary']}")
    typer.echo(f"  blame       {said['blame']}")
    typer.echo(f"  next step   {said['next_step']}")
    typer.echo(f"  rule        {said['rule']}")
    typer.echo(f"  confidence  {said['confidence']}: {_TEXT_ONLY}")
