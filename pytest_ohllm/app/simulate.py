"""``ohllm simulate``: the embedded provider for clients other than pytest."""

from __future__ import annotations

import dataclasses
import json
import secrets
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_ohllm.app.output import Json, print_json
from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pytest_ohllm.simulator.latency import Latency
    from pytest_ohllm.simulator.personalities import Row

KEY_VARIABLE = "OHLLM_SIM_KEY"


def simulate(
    personality: Annotated[
        str, typer.Option(help="How the endpoint behaves; A+B has the quirks of both.")
    ] = "default",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    first_token: Annotated[
        float, typer.Option(metavar="SECONDS", help="The time to the first token of an answer.")
    ] = 0.0,
    tokens_per_second: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="The pace of the other tokens.", show_default="as fast as can be"
        ),
    ] = None,
    jitter: Annotated[
        float, typer.Option(metavar="0..1", help="How much pauses vary: 0.2 is up to a fifth.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal chances and pauses.")] = 0,
    show_list: Annotated[
        bool,
        typer.Option(
            "--list", help="List the personalities and what the suite must conclude of them; exit."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve a scripted endpoint, in the protocol of its personality, until Ctrl-C."""
    if show_list:
        return _list(as_json)
    if as_json:
        raise ProfileError("--json goes with --list: a server prints nothing for a program")
    from pytest_ohllm.profiles.builtin import simulated

    # Mistakes are told before a server is imported.
    simulated(f"sim:{personality}")
    latency = _latency(first_token, tokens_per_second, jitter)
    _serve(personality, host, port, seed, latency)


def _serve(personality: str, host: str, port: int, seed: int, latency: Latency) -> None:
    from pytest_ohllm.simulator.serve import serve
    from pytest_ohllm.simulator.server import CannotListen

    say = partial(print, flush=True)
    key = f"sk-sim-{secrets.token_urlsafe(24)}"
    say(f"export {KEY_VARIABLE}={key}")
    try:
        serve(
            personality=personality,
            host=host,
            port=port,
            seed=seed,
            api_key=key,
            say=say,
            latency=latency,
        )
    except CannotListen as error:
        raise ProfileError(str(error)) from error


def _latency(first_token: float, tokens_per_second: float | None, jitter: float) -> Latency:
    """The model's pace. No comparison is true of NaN, so it is refused with the rest."""
    from pytest_ohllm.simulator.latency import Latency

    if not (first_token >= 0 and isfinite(first_token)):
        raise ProfileError(f"--first-token={first_token:g}: give seconds, 0 or more")
    if tokens_per_second is not None and not tokens_per_second > 0:
        raise ProfileError(f"--tokens-per-second={tokens_per_second:g}: give more than 0")
    if not 0 <= jitter <= 1:
        raise ProfileError(f"--jitter={jitter:g}: give a part of every pause, from 0 to 1")
    return Latency(first_token, inf if tokens_per_second is None else tokens_per_second, jitter)


def _list(as_json: bool) -> None:
    from pytest_ohllm.simulator import personalities

    rows = personalities.table()
    if as_json:
        return print_json(personalities=[dataclasses.asdict(row) for row in rows])
    from pytest_ohllm.app.tables import print_table

    print_table(
        ("Personality", "The suite concludes", "Protocol: what it does"),
        [(row.name, _conclusion(row), f"{row.protocol}: {row.description}") for row in rows],
        whole={"Personality"},
    )


def _conclusion(row: Row) -> str:
    """Such as ``WORKS; fails D vision (model_limitation)``."""
    parts = [row.verdict]
    if row.stage:
        kind = f" ({row.kind})" if row.kind else ""
        parts.append(f"fails {' '.join(filter(None, (row.stage, row.gate)))}{kind}")
    if row.remedy:
        settings = [f"{field}={json.dumps(value)}" for field, value in row.remedy.items()]
        parts.append(f"remedy {', '.join(settings)}")
    return "; ".join(parts)
