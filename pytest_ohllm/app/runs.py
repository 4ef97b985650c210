"""``ohllm runs``: what past runs have found."""

from __future__ import annotations

import dataclasses
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import run_comparing, run_files, run_names, run_publishing, run_watching
from pytest_ohllm.app.output import Json, print_json

if TYPE_CHECKING:
    from pytest_ohllm.evidence.run_store import Entry

_MOST_PROFILES = 6

app = typer.Typer()


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """List, show, compare, merge, give away and remove past runs."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_runs(
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only runs of this profile, or of those like 'vllm-*'."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """List runs, the newest first, with the verdict on each profile."""
    store = run_names.store(runs)
    found = list(islice(store.entries(profile), limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        rows = [_as_json(entry) for entry in shown]
        return print_json(folder=str(store.path), runs=rows, more=more)
    if not shown:
        of = f" of {profile}" if profile else ""
        return typer.echo(f"no runs{of} in {store.path}: make one with pytest --llm-profile=sim")
    from pytest_ohllm.app.tables import print_table

    print_table(
        ("Run", "Started (UTC)", "SDK", "Profiles"),
        [(e.path.name, _when(e.started), _sdk(e), "\n".join(_verdicts(e))) for e in shown],
        whole=("Run",),
    )
    if more:
        typer.echo(f"older ones are not shown: --limit {limit * 5}", err=True)


@app.command()
def show(
    run: run_names.Run = run_names.LAST,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As markdown, for a pull-request comment.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with the exit code that the run had.")
    ] = False,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Show a run as pytest has shown it: the matrix, what was found, and what to do."""
    from pytest_ohllm.evidence.liveness import state
    from pytest_ohllm.evidence.reader import read_run
    from pytest_ohllm.evidence.verdict import exit_code as code_of

    path = run_names.chosen(run, runs)
    found = read_run(path)
    if as_json:
        print_json(path=str(path), state=state(path), run=found.model_dump(mode="json"))
    elif markdown:
        from pytest_ohllm.report.markdown import summary

        typer.echo(_censored(summary(found, folder=path)), nl=False)
    else:
        from pytest_ohllm.app.screen import style
        from pytest_ohllm.report.terminal import render

        typer.echo(_censored(render(found, run_dir=str(path), **style())), nl=False)
        if (now := state(path)) != "finished":
            typer.echo(f"note: the run is {now}", err=True)
    if exit_code:
        raise typer.Exit(code_of(found))


@app.command("open")
def open_page(
    run: run_names.Run = run_names.LAST,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Show it in the browser.")
    ] = True,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Make the page of a run, and open it in the browser."""
    import webbrowser

    from pytest_ohllm.evidence.errors import RunError
    from pytest_ohllm.report.page import write_page

    path = run_names.chosen(run, runs)
    try:
        page = write_page(path).absolute()
    except OSError as error:
        raise RunError(f"the page of {path} cannot be written: {error.strerror}") from error
    opened = browser and webbrowser.open(page.as_uri())
    if as_json:
        return print_json(page=str(page), opened=opened)
    typer.echo(str(page))


def _censored(text: str) -> str:
    """Once more: what was redacted may have been taken apart by characters that are not shown."""
    from pytest_ohllm.evidence.redaction import Redactor

    return Redactor().text(text)


def _as_json(entry: Entry) -> dict[str, Any]:
    summary = dataclasses.asdict(entry.summary) if entry.summary else {}
    return {
        "run_id": entry.run_id,
        "path": str(entry.path),
        "started": entry.started,
        "state": entry.state,
        "seconds": summary.get("seconds"),
        "sdk_version": summary.get("sdk_version"),
        "profiles": summary.get("profiles") or [{"name": name} for name in entry.profiles],
    }


def _verdicts(entry: Entry) -> list[str]:
    """One line for each profile, as long as they are few."""
    if entry.summary is None:
        return [f"{entry.state}: {', '.join(entry.profiles) or 'no profile'}"]
    lines = [f"{one.name}  {one.verdict}" for one in entry.summary.profiles]
    left = entry.summary.profiles[_MOST_PROFILES:]
    if left:
        work = sum(one.verdict.startswith("WORKS") for one in left)
        lines[_MOST_PROFILES:] = [f"and {len(left)} more, of which {work} work"]
    return lines


def _when(started: str) -> str:
    return started[:19].replace("T", " ")


def _sdk(entry: Entry) -> str:
    return (entry.summary.sdk_version if entry.summary else None) or ""


app.command("diff")(run_comparing.diff)
app.command("merge")(run_files.merge)
app.command("export")(run_files.export)
app.command("import")(run_files.import_run)
app.command("prune")(run_files.prune)
app.command("watch")(run_watching.watch)
app.command("badge")(run_publishing.badge)
app.command("index")(run_publishing.index)
