"""``ohllm profiles``: saved connections. No key is shown, only where it is."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import typer

from pytest_ohllm.app import check, names, profile_changes, profile_transfer
from pytest_ohllm.app.output import Json, key_text, print_json

app = typer.Typer()


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Save, change, list and check connections, in the SDK's own profile store."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("add")(profile_changes.add)
app.command("edit")(profile_changes.edit)
app.command("remove")(profile_changes.remove)
app.command("rename")(profile_changes.rename)
app.command("check")(check.check)
app.command("import")(profile_transfer.import_profiles)
app.command("export")(profile_transfer.export)
app.command("presets")(profile_transfer.presets)


@app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List all profiles; a broken one is shown with the reason."""
    from pytest_ohllm.profiles.listing import folder_problem, listing
    from pytest_ohllm.profiles.location import directory

    entries = listing()
    if problem := folder_problem(directory()):
        typer.echo(f"note: {problem}", err=True)
    if as_json:
        return print_json(
            folder=str(directory()), profiles=[dataclasses.asdict(entry) for entry in entries]
        )
    from pytest_ohllm.app.tables import print_table

    print_table(
        ("Profile", "Model", "Base URL", "Key", "Problem"),
        [
            (entry.name, entry.model, entry.base_url or "", key_text(entry), entry.problem or "")
            for entry in entries
        ],
    )


@app.command()
def show(name: names.Usable, as_json: Json = False) -> None:
    """Show every setting of a profile, and where its key comes from."""
    from pytest_ohllm.profiles.confidential import masked
    from pytest_ohllm.profiles.listing import entry
    from pytest_ohllm.profiles.store import load

    profile = load(name)
    found = entry(profile, os.environ)
    settings = masked(profile.settings)
    if as_json:
        return print_json(**dataclasses.asdict(found), settings=settings)
    from pytest_ohllm.app.tables import print_table

    rows = [("profile", found.name), ("source", found.source), ("key", key_text(found))]
    rows += [(key, _text(value)) for key, value in settings.items()]
    if found.problem:
        rows.append(("problem", found.problem))
    print_table(("Field", "Value"), rows)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
