"""``ohllm runs diff``: what changed from one run to another, or differs between two profiles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import run_names
from pytest_ohllm.app.output import Json, print_json
from pytest_ohllm.evidence.errors import RunError

if TYPE_CHECKING:
    from pytest_ohllm.evidence.comparison import Comparison, ProfileChange, Whole


def diff(
    before: run_names.Before,
    after: run_names.After = None,
    profiles: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="NAME NAME", help="Compare two profiles within the one run."),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 if a check fails that did not.")
    ] = False,
    runs: run_names.Runs = None,
    as_json: Json = False,
) -> None:
    """Say what changed, check by check, and how sure that is where checks were repeated."""
    if profiles and after:
        raise RunError("--profiles compares within one run: name one run")
    first = run_names.chosen(before, runs)
    found = (
        _within(first, *profiles)
        if profiles
        else _between(first, run_names.chosen(after or run_names.LAST, runs))
    )
    if as_json:
        print_json(**_as_json(found))
    else:
        from pytest_ohllm.app.screen import style
        from pytest_ohllm.report.difference import render_comparison

        typer.echo(render_comparison(found, **style()), nl=False)
    if exit_code and found.broken:
        raise typer.Exit(1)


def _between(before: Path, after: Path) -> Comparison:
    from pytest_ohllm.evidence.attempts import read_rates
    from pytest_ohllm.evidence.comparison import compare_runs
    from pytest_ohllm.evidence.reader import read_run

    if before.resolve() == after.resolve():
        raise RunError(f"both names mean the run {before.name}: name another one to compare with")
    return compare_runs(read_run(before), read_run(after), read_rates(before), read_rates(after))


def _within(path: Path, one: str, other: str) -> Comparison:
    from pytest_ohllm.evidence.attempts import read_rates
    from pytest_ohllm.evidence.comparison import compare_within
    from pytest_ohllm.evidence.reader import read_run
    from pytest_ohllm.profiles.errors import enumerated, suggestion

    run = read_run(path)
    known = [profile.name for profile in run.profiles]
    for name in (one, other):
        if name not in known:
            near = suggestion(name, known) or f": it has {enumerated(known)}"
            raise RunError(f"the run {path.name} has no profile {name!r}{near}")
    return compare_within(run, one, other, read_rates(path))


def _as_json(found: Comparison) -> dict[str, Any]:
    return {
        "before": found.before,
        "after": found.after,
        "sdk_before": found.sdk_before,
        "sdk_after": found.sdk_after,
        "broken": found.broken,
        "profiles": [_profile(profile) for profile in found.profiles],
        "only_before": found.only_before,
        "only_after": found.only_after,
    }


def _profile(profile: ProfileChange) -> dict[str, Any]:
    return {
        "before": _whole(profile.before),
        "after": _whole(profile.after),
        "broken": profile.broken,
        "fixed": profile.fixed,
        "chance": profile.chance,
        "checks": [dataclasses.asdict(check) for check in profile.checks],
    }


def _whole(whole: Whole) -> dict[str, Any]:
    fields = {field.name: getattr(whole, field.name) for field in dataclasses.fields(whole)}
    return {**fields, "usage": whole.usage.model_dump(mode="json")}
