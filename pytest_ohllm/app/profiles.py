"""``ohllm profiles``: saved connections. No key is taken, stored or shown, only where it is."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Annotated, Any

import typer

from pytest_ohllm.app import check
from pytest_ohllm.app.output import Json, key_text, print_json
from pytest_ohllm.profiles.errors import ProfileError

app = typer.Typer()


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Save, list, show and check connections, in the SDK's own profile store."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it, as in --llm-profile=NAME.")],
    model: Annotated[str, typer.Option(help="litellm model, such as openai/gpt-4o.")],
    base_url: Annotated[
        str | None, typer.Option(help="Where it is served; none is the provider's own address.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="VAR", help="NAME of the variable that holds the key.")
    ] = None,
    secret_env: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VAR", help="The same for another secret field; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any LLM field of the SDK; repeatable."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace it if it exists.")
    ] = False,
) -> None:
    """Save a profile. The value of a --set may be JSON: --set 'extra_headers={"X-Org": "7"}'."""
    from pytest_ohllm.profiles.connection import missing_key
    from pytest_ohllm.profiles.creation import add as save

    fields: dict[str, Any] = {"model": model} | ({} if base_url is None else {"base_url": base_url})
    variables = {} if api_key_env is None else {"api_key": api_key_env}
    for field, text in _pairs(settings, "--set", taken=fields):
        fields[field] = _value(field, text)
    for field, variable in _pairs(secret_env, "--secret-env", taken=variables):
        variables[field] = variable
    profile = save(name, fields, variables, overwrite=overwrite)
    typer.echo(f"saved profile {profile.name!r}: try `pytest --llm-profile={profile.name}`")
    if problem := missing_key(profile):
        typer.echo(f"note: {problem}", err=True)
    for variable in variables.values():
        if not os.environ.get(variable):
            typer.echo(f"note: ${variable} is not set now: export {variable}=…", err=True)


def _pairs(given: list[str] | None, option: str, *, taken: dict[str, Any]) -> list[tuple[str, str]]:
    seen = set(taken)
    pairs = []
    for text in given or ():
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise ProfileError(f"{option} takes FIELD=VALUE: there is no field, or no '='")
        if field in seen:
            raise ProfileError(f"{option}: {field} is given twice")
        seen.add(field)
        pairs.append((field, value))
    return pairs


def _value(field: str, text: str) -> Any:
    """JSON where it can be nothing else; the SDK turns plain text into numbers and booleans."""
    if text != "null" and not text.startswith(("{", "[", '"')):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"--set {field}: the value is not valid JSON") from error


@app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List all profiles; a broken one is shown with the reason."""
    from pytest_ohllm.profiles.listing import listing
    from pytest_ohllm.profiles.location import directory

    entries = listing()
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
def show(
    name: Annotated[str, typer.Argument(help="A saved profile, sim, or sim:PERSONALITY.")],
    as_json: Json = False,
) -> None:
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


app.command("check")(check.check)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
