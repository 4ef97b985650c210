"""``ohllm runs watch``: a run that goes on in another terminal, or in another job."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import run_names
from pytest_ohllm.app.output import Json
from pytest_ohllm.evidence.errors import RunError

if TYPE_CHECKING:
    from pytest_ohllm.evidence.live import EventTail, Tally

INTERRUPTED = 10
_LOOK = 0.25
_RARELY = 10.0
_ERASE = "\r\x1b[K"


def watch(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Which run; by default the one that goes on now."),
    ] = None,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Follow a run until it ends: the current check, and what was spent so far.

    The exit code is 0 when the run has ended, and 10 if it was interrupted. With --json, each line
    is one object.
    """
    from pytest_ohllm.evidence.live import EventTail, Tally

    path = _running(runs) if run is None else run_names.chosen(run, runs)
    screen = _Screen(as_json)
    ended = _follow(EventTail(path), Tally(), path, screen)
    if as_json:
        print_line(event="end", state=ended, path=str(path))
    else:
        _tell_end(path, ended)
    if ended != "finished":
        raise typer.Exit(INTERRUPTED)


def _running(runs: Path | None) -> Path:
    store = run_names.store(runs)
    for entry in store.entries():
        if entry.state == "running":
            return entry.path
    raise RunError(f"no run goes on in {store.path}: name the one that you mean")


def _follow(tail: EventTail, tally: Tally, path: Path, screen: _Screen) -> str:
    """Show what happens until nothing more will, and say how it ended."""
    from pytest_ohllm.evidence.liveness import state

    while True:
        now = state(path)  # before the events: what comes between belongs to the run
        for event in tail.new():
            tally.add(event)
            if event.get("event") == "finished":
                screen.finished(event, tally)
        if now != "running":
            screen.clear()
            return now
        screen.going_on(tally)
        time.sleep(_LOOK)


class _Screen:
    """A status line on a terminal, plain lines elsewhere, JSON lines for a program."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._terminal = sys.stdout.isatty() and not as_json
        self._shown = time.monotonic()

    def finished(self, event: dict[str, Any], tally: Tally) -> None:
        """A check has ended."""
        names = ("profile", "stage", "check", "outcome", "seconds")
        told = {name: event.get(name) for name in names}
        if self._json:
            return print_line(event="check", **told, **_sums(tally))
        from pytest_ohllm.report.safe_text import one_line
        from pytest_ohllm.report.wording import seconds_text

        check = str(told["check"]).rpartition("::")[2].removeprefix("test_")
        seconds = told["seconds"]
        took = f" {seconds_text(seconds)}" if isinstance(seconds, int | float) else ""
        outcome = str(told["outcome"]).replace("_", " ")
        self.clear()
        line = f"{told['stage']} {check} ({told['profile']}): {outcome}{took}"
        typer.echo(one_line(line))

    def going_on(self, tally: Tally) -> None:
        """Time has passed."""
        if not self._terminal and time.monotonic() - self._shown < _RARELY:
            return
        self._shown = time.monotonic()
        if self._json:
            return print_line(event="progress", **_sums(tally))
        from pytest_ohllm.app.screen import style
        from pytest_ohllm.report.lines import clipped
        from pytest_ohllm.report.progress import progress_line

        shape = style()
        line = progress_line(tally, time.time(), ascii=shape["ascii"])
        if self._terminal:
            sys.stdout.write(_ERASE + clipped(line, shape["width"] - 1, "..."))
            sys.stdout.flush()
        else:
            typer.echo(line)

    def clear(self) -> None:
        """Make room for a line that stays."""
        if self._terminal:
            sys.stdout.write(_ERASE)
            sys.stdout.flush()


def print_line(**data: Any) -> None:
    """One object on one line, at once."""
    import json

    from pytest_ohllm.app.output import SCHEMA_VERSION

    print(json.dumps({"schema_version": SCHEMA_VERSION, **data}), flush=True)


def _sums(tally: Tally) -> dict[str, Any]:
    """What was done and spent so far."""
    current = tally.current
    return {
        "running": [f"{check.profile} {check.check}" for check in tally.running.values()],
        "current": current and {"profile": current.profile, "check": current.check},
        "done": len(tally.done),
        "usage": tally.usage.model_dump(mode="json"),
        "elapsed": round((tally.latest or 0.0) - (tally.started or 0.0), 3),
    }


def _tell_end(path: Path, ended: str) -> None:
    from pytest_ohllm.app.screen import style
    from pytest_ohllm.evidence.reader import read_run
    from pytest_ohllm.report.terminal import render_short

    if ended != "finished":
        typer.echo("the run was interrupted; what it had found until then:", err=True)
    typer.echo(render_short(read_run(path), **style()), nl=False)
