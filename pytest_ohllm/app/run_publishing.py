"""``ohllm runs badge`` and ``index``: what may be put where everybody sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_ohllm.app import run_names
from pytest_ohllm.app.output import Json, print_json
from pytest_ohllm.evidence.errors import RunError

if TYPE_CHECKING:
    from pytest_ohllm.model import ProfileReport, Run


def badge(
    run: run_names.Run = run_names.LAST,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only for this profile; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the files.")] = Path(
        "."
    ),
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Write a badge for each profile: PROFILE.svg, and PROFILE.json for shields.io."""
    from pytest_ohllm.evidence.reader import read_run
    from pytest_ohllm.evidence.redaction import Redactor
    from pytest_ohllm.evidence.slug import slug
    from pytest_ohllm.report import badge as look

    found = read_run(run_names.chosen(run, runs))
    clean = Redactor().text
    chosen = _chosen(found, profile or [])
    label = clean(look.label_of(found.sdk.version))
    files = []
    for one in chosen:
        message = clean(look.message_of(one.name, one.verdict, named=len(found.profiles) > 1))
        base = slug(clean(one.name))
        shields = json.dumps(look.shields(label, message, one.verdict), indent=1) + "\n"
        for name, text in (
            (f"{base}.svg", look.svg(label, message, one.verdict)),
            (f"{base}.json", shields),
        ):
            _write(output / name, text)
            files.append(str(output / name))
    if as_json:
        return print_json(files=files)
    for file in files:
        typer.echo(file)


def index(
    names: run_names.Several = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The page.")] = Path("index.html"),
    title: Annotated[
        str, typer.Option(help="What stands above it.")
    ] = "LLM compatibility with the OpenHands SDK",
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Write one page of many runs, models by SDK versions, that can be published as it is.

    It shows names of profiles and models, verdicts and settings; no address, no path, no message.
    """
    from pytest_ohllm.evidence.redaction import Redactor
    from pytest_ohllm.evidence.run_summary import read_summary
    from pytest_ohllm.report.index import render_index

    store = run_names.store(runs)
    folders = run_names.expanded(names, runs) if names else store.folders()
    summaries = [summary for path in folders if (summary := read_summary(path))]
    if not summaries:
        raise RunError(f"there is no run that has ended in {store.path}")
    _write(output, Redactor().text(render_index(summaries, title)))
    if as_json:
        return print_json(page=str(output), runs=len(summaries))
    typer.echo(f"wrote {output} from {len(summaries)} run{'s' * (len(summaries) != 1)}")


def _chosen(run: Run, wanted: list[str]) -> list[ProfileReport]:
    from pytest_ohllm.profiles.errors import enumerated, suggestion

    known = {profile.name: profile for profile in run.profiles}
    for name in wanted:
        if name not in known:
            near = suggestion(name, known) or f": it has {enumerated(known)}"
            raise RunError(f"the run {run.run_id} has no profile {name!r}{near}")
    return [known[name] for name in wanted or known]


def _write(path: Path, text: str) -> None:
    """Write what everybody may read, in one step."""
    from pytest_ohllm.evidence.files import replace_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode("utf-8"))
        path.chmod(0o644)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
