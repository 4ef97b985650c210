"""docs/reference/commands.md: the command lines, from the apps themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from pytest_ohllm.app import cli
from pytest_ohllm.autofix import cli as autofix
from tests.docs_reference import markdown
from tests.docs_reference.markdown import block, code, sentence, table
from tests.docs_reference.options import help_text


def page() -> str:
    """The whole page."""
    parts = [
        *_described(typer.main.get_command(cli.app), "ohllm"),
        *_described(typer.main.get_command(autofix.app), "ohllm-autofix"),
    ]
    return markdown.page(
        "Commands",
        "Every command has `--help`. A mistake is told on standard error, with exit code 4.",
        *parts,
    )


def _described(command: Any, name: str) -> Iterator[str]:
    """A command, then those below it."""
    if not command.hidden:
        yield f"## {name}"
        # Paragraphs of a docstring stay apart.
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            yield sentence(paragraph)
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if _shown(one)]
        below = ["COMMAND"] if getattr(command, "commands", None) else []
        yield block(
            " ".join([name, *map(_argument, arguments), *below, "[OPTIONS]" * bool(options)])
        )
        rows = [(code(_argument(one)), help_text(one.help or "")) for one in arguments]
        rows += [(code(_option(one)), _told(one)) for one in options]
        yield table(["", ""], rows)
    for part, inner in getattr(command, "commands", {}).items():
        yield from _described(inner, f"{name} {part}")


def _shown(parameter: Any) -> bool:
    if parameter.param_type_name != "option" or getattr(parameter, "hidden", False):
        return False
    return not {"--help", "--install-completion", "--show-completion"} & set(parameter.opts)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len, reverse=True))
    if parameter.secondary_opts:
        return f"{names} / {', '.join(parameter.secondary_opts)}"
    if getattr(parameter, "is_flag", False):
        return names
    return f"{names} {parameter.metavar or parameter.name.upper()}"


def _told(parameter: Any) -> str:
    default = parameter.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool)
    told = f" (default: {code(str(default))})" if plain and str(default) else ""
    needed = " Required." if parameter.required else ""
    return help_text(parameter.help or "") + needed + told
