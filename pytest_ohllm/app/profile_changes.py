"""``ohllm profiles add``, ``edit``, ``remove``, ``rename``: what changes a saved connection."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_ohllm.app import asking, names
from pytest_ohllm.app.output import Json, print_json
from pytest_ohllm.app.profile_fields import (
    BaseUrl,
    Model,
    Set,
    asked_for_key,
    completed,
    given,
    value_of,
    wanted,
)
from pytest_ohllm.app.secret_options import (
    ApiKeyEnv,
    ApiKeyFile,
    ApiKeyKeyring,
    ApiKeyStdin,
    Given,
    SecretEnv,
    SecretFile,
    SecretKeyring,
    pairs,
)
from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ohllm.profiles.presets import Preset
    from pytest_ohllm.profiles.sources import Source


def add(
    name: names.New,
    model: Model = None,
    base_url: BaseUrl = None,
    preset: names.Preset = None,
    api_key_env: ApiKeyEnv = None,
    api_key_keyring: ApiKeyKeyring = False,
    api_key_stdin: ApiKeyStdin = False,
    api_key_file: ApiKeyFile = None,
    secret_env: SecretEnv = None,
    secret_keyring: SecretKeyring = None,
    secret_file: SecretFile = None,
    settings: Set = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace it if it exists.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Save a profile. The value of a --set may be JSON: --set 'extra_headers={"X-Org": "7"}'.

    The key stays in an environment variable, or goes to the keyring of the system. With --preset,
    address, settings and variable are those that the provider needs.
    """
    from pytest_ohllm.profiles.creation import add as save
    from pytest_ohllm.profiles.creation import check_free

    check_free(name, overwrite)
    known, fields = wanted(preset, model, base_url)
    for field, text in pairs(settings, "--set", taken=given(model, base_url)):
        fields[field] = value_of(field, text)
    options = Given(
        api_key_env,
        api_key_keyring,
        api_key_stdin,
        api_key_file,
        secret_env,
        secret_keyring,
        secret_file,
    )
    secrets = options.sources()
    if not secrets and preset is None and model is None:
        secrets = asked_for_key()
    secrets = completed(secrets, known)
    profile = save(name, fields, secrets, overwrite=overwrite)
    _report(
        profile.name,
        f"saved profile {profile.name!r}: try `pytest --llm-profile={profile.name}`",
        _about_keys(secrets, known),
        as_json,
    )


def edit(
    name: names.Saved,
    model: Model = None,
    base_url: BaseUrl = None,
    api_key_env: ApiKeyEnv = None,
    api_key_keyring: ApiKeyKeyring = False,
    api_key_stdin: ApiKeyStdin = False,
    api_key_file: ApiKeyFile = None,
    secret_env: SecretEnv = None,
    secret_keyring: SecretKeyring = None,
    secret_file: SecretFile = None,
    settings: Set = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Back to the SDK's default; a secret: forget it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a profile. What is not mentioned stays as it is."""
    from pytest_ohllm.profiles.editing import edit as change
    from pytest_ohllm.profiles.moving import find

    key = find(name).stem
    changes = given(model, base_url)
    for field, text in pairs(settings, "--set", taken=changes):
        changes[field] = value_of(field, text)
    options = Given(
        api_key_env,
        api_key_keyring,
        api_key_stdin,
        api_key_file,
        secret_env,
        secret_keyring,
        secret_file,
    )
    gone = unset or []
    if both := sorted(changes.keys() & set(gone)):
        raise ProfileError(f"{both[0]} is set and unset at once: do one of the two")
    secrets = options.sources()
    if not (changes or gone or secrets):
        raise ProfileError(
            "nothing to change: give --model, --base-url, --set, --unset or where the key is"
        )
    change(name, changes, gone, secrets)
    _report(key, f"changed profile {key!r}", _about_keys(secrets), as_json)


def remove(
    name: names.Saved,
    yes: asking.Yes = False,
    keep_keys: Annotated[
        bool, typer.Option("--keep-keys", help="Leave what the keyring holds for it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete a profile, and what the keyring holds for it."""
    from pytest_ohllm.profiles import moving

    key = moving.find(name).stem
    if not yes and not asking.confirm(f"Remove profile {key!r} and its keyring entries?"):
        raise typer.Abort
    removed = moving.remove(name, keep_keys=keep_keys)
    if as_json:
        return print_json(**dataclasses.asdict(removed))
    typer.echo(f"removed profile {removed.name!r}")
    for entry in removed.keyring_deleted:
        typer.echo(f"deleted {entry}")
    for entry in removed.keyring_left:
        typer.echo(f"note: {entry} is still there", err=True)


def rename(name: names.Saved, new: names.New, as_json: Json = False) -> None:
    """Give a profile another name. Its keyring entries move with it."""
    from pytest_ohllm.profiles import moving

    old = moving.find(name).stem
    key = moving.rename(name, new)
    _report(key, f"renamed profile {old!r} to {key!r}", [], as_json)


def _about_keys(secrets: Mapping[str, Source], preset: Preset | None = None) -> list[str]:
    """What should be known of the keys, now that the profile is saved."""
    from pytest_ohllm.profiles.sources import Variable

    notes = [f"{preset.title}: {preset.notes}"] if preset and preset.notes else []
    for field, source in secrets.items():
        if isinstance(source, Variable) and not os.environ.get(source.name):
            notes.append(f"${source.name} is not set now: export {source.name}=…")
        elif preset and field == "api_key" and (odd := preset.odd_key(source.value())):
            notes.append(odd)
    return notes


def _report(key: str, done: str, notes: list[str], as_json: bool) -> None:
    from pytest_ohllm.profiles.connection import missing_key
    from pytest_ohllm.profiles.listing import saved
    from pytest_ohllm.profiles.location import directory
    from pytest_ohllm.profiles.store import load

    try:
        problem = missing_key(load(key))
    except ProfileError as error:
        problem = str(error)
    notes = [*([problem] if problem else []), *notes]
    if as_json:
        entry = saved(key, directory(), os.environ)
        return print_json(**dataclasses.asdict(entry), notes=notes)
    typer.echo(done)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
