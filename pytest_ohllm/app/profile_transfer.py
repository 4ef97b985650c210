"""``ohllm profiles import``, ``export``, ``presets``: connections that come from elsewhere."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import asking, names
from pytest_ohllm.app.output import Json, print_json
from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pytest_ohllm.profiles.importing import Candidate
    from pytest_ohllm.profiles.sources import Source

_ENVIRONMENT = "env"


def import_profiles(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|env",
            help="An export, agent_settings.json, base_state.json, a profile; or env for $LLM_….",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call it, where the source does not say.")
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="VAR", help="NAME of the variable that will hold the key."),
    ] = None,
    copy_keys: Annotated[
        bool, typer.Option("--copy-keys", help="Copy keys in the source to the keyring.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace profiles that exist.")
    ] = False,
    yes: asking.Yes = False,
    as_json: Json = False,
) -> None:
    """Save connections that another program has written; say first what will be done.

    The source stays as it is. A key in it is left behind unless its copy is asked for.
    """
    from pytest_ohllm.profiles import importing
    from pytest_ohllm.profiles.creation import add, check_valid

    found = (
        [importing.from_environment()]
        if source == _ENVIRONMENT
        else importing.from_file(Path(source))
    )
    plans = [_planned(one, name, api_key_env, len(found) > 1, overwrite) for one in found]
    for plan in plans:
        _show(plan)
    for plan in plans:
        check_valid(plan.settings)
    copied = _copied(plans, copy_keys)
    if not yes and not asking.confirm("Save " + ", ".join(repr(one.name) for one in plans) + "?"):
        raise typer.Abort
    for plan in plans:
        secrets: dict[str, Source | str] = {**plan.variables, **copied.get(plan.name, {})}
        add(plan.name, plan.settings, secrets, overwrite=overwrite)
    _report(plans, as_json)


def _planned(
    found: Candidate, name: str | None, api_key_env: str | None, several: bool, overwrite: bool
) -> Candidate:
    """The candidate as it will be saved. Raises ``ProfileError`` if it cannot be."""
    from pytest_ohllm.profiles.creation import check_free
    from pytest_ohllm.profiles.sources import Variable, check

    if several and (name or api_key_env):
        raise ProfileError(
            f"{found.source} holds several profiles: --name and --api-key-env fit one"
        )
    called = name or found.name or _asked_for_name(found)
    check_free(called, overwrite)
    variables = dict(found.variables) | ({"api_key": api_key_env} if api_key_env else {})
    check({field: Variable(variable) for field, variable in variables.items()})
    keys = {field: key for field, key in found.keys.items() if field not in variables}
    return dataclasses.replace(found, name=called, variables=variables, keys=keys)


def _asked_for_name(found: Candidate) -> str:
    if not asking.on_a_terminal():
        raise ProfileError(f"{found.source} does not name its profile: give --name NAME")
    return asking.text("what to call it")


def _show(plan: Candidate) -> None:
    """What will be done, on stderr: stdout is for the result."""
    from pytest_ohllm.profiles.confidential import masked

    typer.echo(f"profile {plan.name!r} from {plan.source}", err=True)
    for field, value in masked(plan.settings).items():
        text = value if isinstance(value, str) else json.dumps(value)
        typer.echo(f"  {field}: {text}", err=True)
    for field, variable in plan.variables.items():
        typer.echo(f"  {field}: from ${variable}", err=True)
    for field in plan.keys:
        typer.echo(f"  {field}: stands in the source, and is left behind unless copied", err=True)
    for reason in plan.left_out:
        typer.echo(f"  left out: {reason}", err=True)


def _copied(plans: list[Candidate], copy_keys: bool) -> dict[str, dict[str, Source]]:
    """The keys that go to the keyring, since somebody said so."""
    from pytest_ohllm.profiles.sources import Typed

    copied: dict[str, dict[str, Source]] = {}
    for plan in plans:
        for field, key in plan.keys.items():
            question = f"Copy the {field} of {plan.name!r} to the keyring?"
            if copy_keys or (asking.on_a_terminal() and asking.confirm(question)):
                copied.setdefault(plan.name, {})[field] = Typed(key)
    return copied


def _report(plans: list[Candidate], as_json: bool) -> None:
    from pytest_ohllm.profiles.listing import saved
    from pytest_ohllm.profiles.location import directory

    entries = [saved(plan.name, directory(), os.environ) for plan in plans]
    if as_json:
        left_out = {plan.name: list(plan.left_out) for plan in plans}
        profiles = [
            {**dataclasses.asdict(entry), "left_out": left_out[entry.name]} for entry in entries
        ]
        return print_json(profiles=profiles)
    for entry in entries:
        typer.echo(f"saved profile {entry.name!r}: try `pytest --llm-profile={entry.name}`")
        if entry.problem:
            typer.echo(f"note: {entry.problem}", err=True)


def export(
    name: names.SeveralSaved = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file; else it is printed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write profiles for another machine, without secrets: only names of variables.

    What is printed is JSON in any case; with --output, --json says what was written.
    """
    from pytest_ohllm.profiles.exporting import exported

    data = exported(name or [])
    text = json.dumps(data, indent=2)
    if output is None:
        typer.echo(text)
    else:
        _write_new(output, text + "\n")
    profiles = [(one["name"], one["left_out"]) for one in data["profiles"]]
    if output is not None and as_json:
        return print_json(file=str(output), profiles=[called for called, _ in profiles])
    if output is not None:
        typer.echo(f"wrote {len(profiles)} profile{'s' * (len(profiles) != 1)} to {output}")
    for called, left_out in profiles:
        if left_out:
            typer.echo(f"note: {called}: without {', '.join(left_out)}", err=True)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ProfileError(f"{path} exists: give --output another name") from None
    except OSError as error:
        raise ProfileError(f"cannot write {path}: {error.strerror or error}") from error


def presets(as_json: Json = False) -> None:
    """List the providers that `add --preset` knows."""
    from pytest_ohllm.profiles.presets import presets as known

    if as_json:
        return print_json(presets=[_as_json(one) for one in known().values()])
    from pytest_ohllm.app.tables import print_table

    print_table(
        ("Preset", "Model, for example", "Base URL", "Key", "Notes"),
        [
            (
                one.name,
                one.model(one.example),
                one.base_url or "the provider's own",
                "\n".join(f"${variable}" for variable in one.secrets.values()) or "not needed",
                one.notes,
            )
            for one in known().values()
        ],
    )


def _as_json(preset: Any) -> dict[str, Any]:
    return dataclasses.asdict(preset) | {"model": preset.model(preset.example)}
