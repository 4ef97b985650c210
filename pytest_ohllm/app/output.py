"""What every command prints in the same way: JSON, and where keys are. Imports no rich."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pytest_ohllm.profiles.listing import Entry

SCHEMA_VERSION = 1
"""Of what ``--json`` prints."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def print_json(**data: Any) -> None:
    """Print one object that says which version of its schema it has."""
    typer.echo(json.dumps({"schema_version": SCHEMA_VERSION, **data}, indent=2))


def key_text(entry: Entry) -> str:
    """Where the secrets of a profile are, and whether they are there now; never their values."""
    if not entry.secrets:
        return entry.key
    from pytest_ohllm.profiles.secret_values import where

    lines = []
    for secret in entry.secrets:
        label = "" if secret.field == "api_key" else f"{secret.field}: "
        if secret.reference == "file:":
            form = "as plain text" if secret.state == "stored" else "encrypted"
            lines.append(f"{label}in the file, {form}")
        else:
            lines.append(f"{label}{where(secret.reference)} ({secret.state})")
    return "\n".join(lines)
