"""``ohllm runs merge``, ``export``, ``import``, ``prune``: run folders as files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import amounts, asking, run_names
from pytest_ohllm.app.output import Json, print_json
from pytest_ohllm.evidence.errors import RunError

if TYPE_CHECKING:
    from pytest_ohllm.evidence.merging import Merge
    from pytest_ohllm.evidence.pruning import Doomed


def merge(
    names: run_names.Several = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The merged run (default: a new one among the others)."),
    ] = None,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Make one run of many, such as those of the jobs of a CI matrix."""
    from pytest_ohllm.evidence import merging

    folders = run_names.expanded(names or [], runs)
    if not folders:
        raise RunError("name the runs to merge, or a folder that holds them")
    target = output
    if target is None:
        store = run_names.store(runs)
        store.make()
        target = store.path / merging.merged_id(folders)
    merged = merging.merge(folders, target)
    if as_json:
        parts = [part.model_dump(mode="json") for part in merged.parts]
        return print_json(path=str(target), run_id=target.name, parts=parts)
    typer.echo(f"merged {_count(len(folders), 'run')} into {target}")
    for line in _renamed(merged):
        typer.echo(f"note: {line}", err=True)


def export(
    run: run_names.Run = run_names.LAST,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The archive (default: ohllm-run-ID.zip, here)."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the archive if it exists.")
    ] = False,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Write one archive to give away: the evidence of a run, redacted once more."""
    from pytest_ohllm.app.run_secrets import censor_of
    from pytest_ohllm.evidence import archive

    path = run_names.chosen(run, runs)
    censor, missing = censor_of(path)
    for name in missing:
        typer.echo(
            f"note: the key of profile {name!r} is not known here; what looks like a key is taken "
            "out all the same",
            err=True,
        )
    target = output or Path(f"ohllm-run-{path.name}{archive.SUFFIX}")
    done = archive.export(path, target, censor, home=Path.home(), overwrite=overwrite)
    if as_json:
        return print_json(
            path=str(done.path), files=done.files, bytes=done.size, changed=list(done.changed)
        )
    size = amounts.size_text(done.size)
    typer.echo(f"wrote {_count(done.files, 'file')} to {done.path} ({size})")


def import_run(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` has written.")],
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Put an archived run among the others. What is not evidence of a run is refused."""
    from pytest_ohllm.evidence.unpacking import unpack

    if not archive.exists():
        raise RunError(f"there is no file {archive}")
    store = run_names.store(runs)
    try:
        store.make()
    except OSError as error:
        raise RunError(f"{store.path} cannot be made: {error.strerror or error}") from error
    path = unpack(archive, store.path)
    if as_json:
        return print_json(path=str(path), run_id=path.name)
    typer.echo(f"imported {path.name}: `ohllm runs show {path.name}`")


def prune(
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Runs older than 12h, 30d, 8w.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="All but the newest N runs.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The oldest runs beyond 500MB, 2GB.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    yes: asking.Yes = False,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Remove old runs: those beyond any of the limits, never one that is still being written."""
    from pytest_ohllm.evidence import pruning

    limits = pruning.Limits(
        age=None if older_than is None else amounts.seconds(older_than),
        number=keep,
        size=None if max_size is None else amounts.size(max_size),
    )
    if limits == pruning.Limits():
        raise RunError("say which runs may go: --older-than 30d, --keep 50 or --max-size 2GB")
    store = run_names.store(runs)
    entries = list(store.entries())
    found = pruning.doomed(entries, limits)
    if not as_json:
        _tell(found, len(entries), dry_run)
    if found and not dry_run:
        if not yes and not asking.confirm(f"Remove {_count(len(found), 'run')} for good?"):
            raise typer.Abort
        for one in found:
            pruning.delete(one.entry.path)
    if as_json:
        return print_json(
            folder=str(store.path),
            dry_run=dry_run,
            removed=[_as_json(one) for one in found],
            kept=len(entries) - len(found),
        )


def _tell(found: list[Doomed], total: int, dry_run: bool) -> None:
    verb = "would remove" if dry_run else "remove"
    for one in found:
        size = amounts.size_text(one.size)
        typer.echo(f"{verb} {one.entry.told}: {one.why} ({size})")
    freed = amounts.size_text(sum(one.size for one in found))
    typer.echo(f"{_count(len(found), 'run')} of {total}, {freed}")


def _as_json(one: Doomed) -> dict[str, Any]:
    found = dataclasses.asdict(one)
    entry = found.pop("entry")
    return {"run_id": entry["run_id"], "path": str(entry["path"]), **found}


def _renamed(merged: Merge) -> list[str]:
    """Which profiles were tested more than once, and what they are called now."""
    return [
        f"{profile} was tested by several runs: that of {part.run_id} is called {name}"
        for part in merged.parts
        for profile, name in part.renamed.items()
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
