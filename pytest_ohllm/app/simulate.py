"""``ohllm simulate``: the embedded provider for clients other than pytest."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Annotated

import typer

from pytest_ohllm.profiles.errors import ProfileError

KEY_VARIABLE = "OHLLM_SIM_KEY"


def simulate(
    personality: Annotated[
        str, typer.Option(help="How the endpoint behaves; A+B has the quirks of both.")
    ] = "default",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    show_list: Annotated[
        bool, typer.Option("--list", help="List the personalities and exit.")
    ] = False,
) -> None:
    """Serve a scripted OpenAI-compatible endpoint until Ctrl-C."""
    if show_list:
        return _list()
    from pytest_ohllm.profiles.builtin import simulated

    simulated(f"sim:{personality}")  # an unknown one is refused before a server is imported
    from pytest_ohllm.simulator.serve import serve
    from pytest_ohllm.simulator.server import CannotListen

    say = partial(print, flush=True)
    key = f"sk-sim-{secrets.token_urlsafe(24)}"
    say(f"export {KEY_VARIABLE}={key}")
    try:
        serve(personality=personality, host=host, port=port, api_key=key, say=say)
    except CannotListen as error:
        raise ProfileError(str(error)) from error


def _list() -> None:
    from pytest_ohllm.simulator import personalities

    for name in personalities.names():
        typer.echo(f"{name:<22} {personalities.get(name).description}")
