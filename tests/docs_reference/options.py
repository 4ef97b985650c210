"""docs/reference/options.md: what pytest has with the plugin."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from pytest_ohllm import hookspecs, plugin
from tests.docs_reference import markdown
from tests.docs_reference.markdown import code, sentence, table

VARIABLES = {
    "OHLLM_PROFILES": "Profiles to test, separated by commas or spaces, if no option names any.",
    "OHLLM_AUTOFIX_DIR": "Where `ohllm-autofix` keeps what it does.",
    "OPENHANDS_LLM_PROFILE": "The SDK's own: the profile, where LLM tests are asked for by option "
    "or path and nothing else names one.",
    "LLM_PROFILES_DIR": "Where the profiles are (the SDK's own).",
    "OH_PERSISTENCE_DIR": "Where the SDK keeps its things: the profiles in `profiles`.",
    "GITHUB_STEP_SUMMARY": "GitHub's: the matrix is added to this file.",
    "GITHUB_ACTIONS": "GitHub's: with `true`, what was found becomes annotations.",
}
"""What users may set. A test looks for others that the code reads."""

_OPTION = re.compile(r"(?<![`\w-])(--[a-z][\w-]*(?:=[A-Z]+)?)(?![`\w])")


def page() -> str:
    """The whole page."""
    options, settings = _recorded()
    return markdown.page(
        "Options, settings, markers, fixtures, hooks",
        "How they are used: [options, fixtures, hooks](../usage.md).",
        "## Options of pytest",
        table(["option", "default", ""], options),
        "## Settings in pytest.ini or pyproject.toml",
        table(["name", "type", ""], settings),
        "## Variables of the environment",
        table(["name", ""], [(code(name), text) for name, text in VARIABLES.items()]),
        "## Markers",
        table(["marker", ""], [(code(name), sentence(text)) for name, text in _markers()]),
        "## Fixtures",
        table(["fixture", ""], [(code(name), sentence(text)) for name, text in _fixtures()]),
        "## Hooks",
        table(["hook", ""], [(code(name), sentence(text)) for name, text in _hooks()]),
    )


def help_text(text: str) -> str:
    """A help text, with the options that it names as code."""
    return _OPTION.sub(r"`\1`", sentence(text).replace("%%", "%"))


def _recorded() -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What the plugin adds to pytest: options, and settings of the ini file."""
    options: list[tuple[str, ...]] = []
    settings: list[tuple[str, ...]] = []

    def add_option(*names: str, **given: Any) -> None:
        value = given.get("metavar") or "|".join(given.get("choices", ()))
        default = given.get("default")
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        options.append(
            (
                code(f"{names[0]}={value}" if value else names[0]),
                "" if default is None else code(shown),
                help_text(given["help"]),
            )
        )

    def add_setting(name: str, text: str, **given: Any) -> None:
        settings.append((code(name), str(given.get("type", "string")), sentence(text)))

    group = SimpleNamespace(addoption=add_option)
    parser: Any = SimpleNamespace(getgroup=lambda *_: group, addini=add_setting)
    plugin.pytest_addoption(parser)
    return options, settings


def _markers() -> Iterator[tuple[str, str]]:
    """What the plugin's source says to pytest of its markers."""
    for node in ast.walk(ast.parse(inspect.getsource(plugin.pytest_configure))):
        if isinstance(node, ast.Constant) and str(node.value).startswith("llm_"):
            name, _, text = str(node.value).partition(": ")
            yield name, text


def _fixtures() -> Iterator[tuple[str, str]]:
    for node in ast.parse(inspect.getsource(plugin)).body:
        if isinstance(node, ast.FunctionDef) and any(
            "fixture" in ast.unparse(decorator) for decorator in node.decorator_list
        ):
            yield node.name, ast.get_docstring(node) or ""


def _hooks() -> Iterator[tuple[str, str]]:
    for name, function in vars(hookspecs).items():
        if name.startswith("pytest_ohllm_"):
            arguments = ", ".join(inspect.signature(function).parameters)
            yield f"{name}({arguments})", function.__doc__ or ""
