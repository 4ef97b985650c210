"""``ohllm``: the root of the command line and the one place where a mistake becomes a message."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from pytest_ohllm.app import explain, profiles, runs, simulate
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.profiles.errors import ProfileError

USAGE_ERROR = 4  # pytest's own code for it

# click's ClickException. By its version, typer imports click or ships it, so it has no one name.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer()
app.add_typer(profiles.app, name="profiles")
app.add_typer(runs.app, name="runs")
app.command("simulate")(simulate.simulate)
app.command("explain")(explain.explain)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the versions of ohllm and the SDK, and exit.")
    ] = False,
) -> None:
    """Does this LLM work with the OpenHands SDK, whose fault is it if not, and what helps?"""
    if show_version:
        typer.echo(f"ohllm {_version('pytest-ohllm')}, openhands-sdk {_version('openhands-sdk')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line on stderr, and 4."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=arguments, prog_name="ohllm", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except (ProfileError, RunError) as error:
        return _mistake(str(error))
    except _ClickException as error:
        return _mistake(error.format_message())  # type: ignore[attr-defined]
    return result if isinstance(result, int) else 0


def _mistake(message: str) -> int:
    print("ohllm: error:", " ".join(message.split()), file=sys.stderr)
    return USAGE_ERROR


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
