"""What a new or changed profile shall hold, from options, a preset, or the answers of its user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import asking
from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pytest_ohllm.profiles.presets import Preset
    from pytest_ohllm.profiles.sources import Source

Model = Annotated[str | None, typer.Option(help="litellm model, such as openai/gpt-4o.")]
BaseUrl = Annotated[
    str | None, typer.Option(help="Where it is served; none is the provider's own address.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Any LLM field of the SDK; repeatable."),
]


def wanted(
    text: str | None, model: str | None, base_url: str | None
) -> tuple[Preset | None, dict[str, Any]]:
    """The preset that was asked for, and model and address of the new profile."""
    if text is None:
        if model is None:
            model, base_url = _asked_for_model(), base_url or _asked_for_address()
        return None, given(model, base_url)
    from pytest_ohllm.profiles.presets import preset

    known, named = preset(text)
    if named and model:
        raise ProfileError("the model is given twice: by --preset and by --model")
    chosen = named or model
    if not chosen:
        if not asking.on_a_terminal():
            raise ProfileError(
                f"--preset {text} names no model: write it as --preset {text}/{known.example}"
            )
        chosen = asking.text(f"model of {known.title}", known.example)
    return known, known.fields(chosen, base_url)


def _asked_for_model() -> str:
    if not asking.on_a_terminal():
        raise ProfileError(
            "Missing option '--model': give litellm's name of the model, such as openai/gpt-4o, "
            "or --preset NAME/MODEL (`ohllm profiles presets` lists them)"
        )
    return asking.text("litellm's name of the model, such as openai/gpt-4o")


def _asked_for_address() -> str | None:
    return asking.text("base URL (empty: the provider's own address)", "") or None


def given(model: str | None, base_url: str | None) -> dict[str, Any]:
    """Those of the two fields that have an option of their own and were given."""
    fields = {"model": model, "base_url": base_url}
    return {field: value for field, value in fields.items() if value is not None}


def value_of(field: str, text: str) -> Any:
    """JSON where it can be nothing else; the SDK turns plain text into numbers and booleans."""
    if text != "null" and not text.startswith(("{", "[", '"')):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"--set {field}: the value is not valid JSON") from error


def completed(secrets: dict[str, Source], preset: Preset | None) -> dict[str, Source]:
    """``secrets``, and where the others that the provider needs are usually found."""
    from pytest_ohllm.profiles.sources import Variable

    usual: dict[str, Source] = {
        field: Variable(variable) for field, variable in (preset.secrets if preset else {}).items()
    }
    # Somebody who names another field has another way of signing in.
    return secrets if secrets.keys() - usual.keys() else usual | secrets


def asked_for_key() -> dict[str, Source]:
    """Where the key of a profile comes from that was asked for on a terminal."""
    from pytest_ohllm.profiles.sources import Typed, Variable, check

    answer = asking.text(
        "NAME of the environment variable that holds the key, 'keyring' to store it there, or "
        "nothing if none is needed",
        "",
    )
    if answer == "keyring":
        return {"api_key": Typed(asking.secret("the api_key", "name a variable"))}
    named: dict[str, Source] = {"api_key": Variable(answer)} if answer else {}
    check(named)
    return named
