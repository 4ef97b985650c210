"""``ohllm profiles check``: can a profile be used now, and what will a run with it cost?

The endpoint is asked for its list of models, which costs nothing, and tells of the key, too.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_ohllm.app import costs, names
from pytest_ohllm.app.output import Json, key_text, print_json

if TYPE_CHECKING:
    from pytest_ohllm.app.contact import Contact
    from pytest_ohllm.model import Profile
    from pytest_ohllm.profiles.listing import Entry
    from pytest_ohllm.wire.reachability import Unreachable

INCONCLUSIVE = 10  # as pytest ends with such a profile, when it does not refuse it

_DRY = "not checked (--dry-run)"
_NOTHING_TO_ASK = "not asked: only litellm knows how"
_SIMULATED = "the embedded provider, which starts with the run"
_PROBLEM = "not asked: see below"


@dataclass(frozen=True)
class Endpoint:
    """What is known of the address: ``reachable`` is None where nothing was asked."""

    reachable: bool | None
    note: str
    problem: Unreachable | None = None
    contact: Contact | None = None

    @property
    def against(self) -> str | None:
        """What speaks against a run, and what to do."""
        if self.problem:
            return f"{self.problem.summary}: {self.problem.next_step}"
        if self.contact and (diagnosis := self.contact.diagnosis):
            return f"{diagnosis.summary}: {diagnosis.next_step}"
        return None


@dataclass(frozen=True)
class Report:
    """Everything that is shown of one profile."""

    entry: Entry
    endpoint: Endpoint
    cost: costs.Cost

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against a run."""
        return not self.entry.problem and not self.endpoint.against


def check(
    name: names.Usable,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Connect to nothing: say only what is known here.")
    ] = False,
    stages: Annotated[
        str | None, typer.Option(metavar="A,B,C,D", help="The run's --llm-stages.")
    ] = None,
    gates: Annotated[str, typer.Option(metavar="NAMES", help="The run's --llm-gates.")] = "auto",
    as_json: Json = False,
) -> None:
    """Say whether a profile can be used now, and what a run with it will cost.

    The endpoint is asked for its models, with the key: is it accepted, and is the model there?
    Nothing else is sent. The exit code is 0 if nothing speaks against a run,
    10 if the key, the address or the model does.
    """
    from pytest_ohllm.profiles.listing import entry
    from pytest_ohllm.profiles.store import load

    profile = load(name)
    cost = costs.expected(profile, stages, gates)
    found = entry(profile, os.environ)
    report = Report(found, _endpoint(profile, found, dry_run), cost)
    if as_json:
        print_json(**_as_json(report))
    else:
        _print(report, _command(name, stages, gates))
    if not report.usable:
        raise typer.Exit(INCONCLUSIVE)


def _endpoint(profile: Profile, entry: Entry, dry_run: bool) -> Endpoint:
    from pytest_ohllm.profiles import builtin

    if profile.source == builtin.SOURCE:
        return Endpoint(None, _SIMULATED)
    if dry_run:
        return Endpoint(None, _DRY)
    from pytest_ohllm.app.contact import contact
    from pytest_ohllm.app.questions import address
    from pytest_ohllm.profiles.connection import resolve
    from pytest_ohllm.profiles.endpoint import check_base_url
    from pytest_ohllm.wire.reachability import probe

    if check_base_url(profile.base_url, profile.model):
        return Endpoint(None, _PROBLEM)
    base = address(profile)
    host = base or profile.base_url
    if host is None:
        return Endpoint(None, _NOTHING_TO_ASK)
    if problem := probe(host):
        return Endpoint(False, problem.summary, problem)
    if entry.problem or base is None:
        return Endpoint(True, _PROBLEM if entry.problem else _NOTHING_TO_ASK)
    found = contact(resolve(profile), base)
    return Endpoint(True, found.note, contact=found)


def _command(name: str, stages: str | None, gates: str) -> str:
    options = {"profile": name, "stages": stages, "gates": None if gates == "auto" else gates}
    words = [f"--llm-{option}={value}" for option, value in options.items() if value is not None]
    return shlex.join(["pytest", *words])


def _as_json(report: Report) -> dict[str, Any]:
    problem, contact = report.endpoint.problem, report.endpoint.contact
    diagnosis = contact.diagnosis if contact else None
    return {
        **dataclasses.asdict(report.entry),
        "reachable": report.endpoint.reachable,
        "unreachable": None if problem is None else dataclasses.asdict(problem),
        "protocol": contact.protocol if contact else None,
        "key_accepted": contact.key_accepted if contact else None,
        "model_listed": contact.model_listed if contact else None,
        "diagnosis": None if diagnosis is None else diagnosis.model_dump(mode="json"),
        "usable": report.usable,
        **costs.as_json(report.cost),
    }


def _print(report: Report, command: str) -> None:
    from pytest_ohllm.app.tables import print_table

    entry, endpoint = report.entry, report.endpoint
    about = {
        "profile": entry.name,
        "model": entry.model,
        "base URL": entry.base_url or "",
        "key": key_text(entry),
        "source": entry.source,
        "endpoint": endpoint.note,
    }
    print_table(("Field", "Value"), about.items())
    typer.echo()
    costs.print_cost(report.cost)
    typer.echo()
    if entry.problem:
        typer.echo(f"not usable now: {entry.problem}")
    if endpoint.against:
        typer.echo(f"not usable now: {endpoint.against}")
    if report.usable:
        typer.echo(f"nothing speaks against it: {command}")
