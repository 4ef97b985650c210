"""``ohllm-autofix junit.xml``: failures that are the SDK's fault become pull requests."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pytest_ohllm.autofix import reading, selection
from pytest_ohllm.autofix.agent import Limits
from pytest_ohllm.autofix.checkout import Checkout
from pytest_ohllm.autofix.destination import Target
from pytest_ohllm.autofix.errors import AutofixError, UsageError
from pytest_ohllm.autofix.job import Cause, Outcome
from pytest_ohllm.autofix.pipeline import Pipeline, Plan
from pytest_ohllm.autofix.telling import Teller
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.connection import Connection, resolve
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.store import load

_NOTHING, _NOT_FIXED, _REFUSED, _USAGE, _ENVIRONMENT = 0, 1, 2, 4, 10
_CODES = {
    "fixed": 0,
    "already_fixed": 0,
    "ready": 0,
    "not_fixed": _NOT_FIXED,
    "refused": _REFUSED,
    "stopped": _ENVIRONMENT,
}
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")

# click's ClickException. By its version, typer imports click or ships it, so it has no one name.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(add_completion=True)


@app.command()
def autofix(
    file: Annotated[
        Path, typer.Argument(help="What --junitxml wrote, a run folder, or its archive.")
    ],
    node: Annotated[
        list[str] | None, typer.Option(help="Only failures whose node id holds this; repeatable.")
    ] = None,
    sdk: Annotated[
        Path | None,
        typer.Option(
            help="The SDK's checkout (default: the one the run used, else ~/repos/agent-sdk)."
        ),
    ] = None,
    sdk_ref: Annotated[
        str | None, typer.Option(help="Start from this commit instead of a freshly fetched --base.")
    ] = None,
    agent_profile: Annotated[
        list[str] | None,
        typer.Option(
            help="The profile of the model that fixes; a second one is used if the first fails."
        ),
    ] = None,
    max_cost: Annotated[float, typer.Option(min=0.01, help="US dollars for each cause.")] = 5.0,
    max_minutes: Annotated[
        float, typer.Option(min=0.1, help="For each of the agent's two rounds.")
    ] = 30.0,
    max_iterations: Annotated[
        int, typer.Option(min=1, help="Steps in each of the agent's two rounds.")
    ] = 100,
    force: Annotated[
        bool, typer.Option("--force", help="Also what is not shown to be the SDK's fault.")
    ] = False,
    fork: Annotated[str | None, typer.Option(help="Owner of the fork (default: you).")] = None,
    upstream: Annotated[
        bool, typer.Option("--upstream", help="Push the branch to the repository itself.")
    ] = False,
    repo: Annotated[
        str, typer.Option(help="The SDK's repository.")
    ] = "OpenHands/software-agent-sdk",
    base: Annotated[str, typer.Option(help="The branch that the pull request is for.")] = "main",
    no_pr: Annotated[
        bool, typer.Option("--no-pr", help="Leave a local branch and a patch.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Stop before anything is pushed; go on without it later."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    unsafe_no_sandbox: Annotated[
        bool,
        typer.Option(
            "--unsafe-no-sandbox", help="Let the agent and its code do all that you can do."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> int:
    """Read which failures are the SDK's fault, let an agent fix them, prove it, propose it."""
    plan = Plan(
        target=Target(repository=repo, base=base, fork=fork, upstream=upstream),
        limits=Limits(cost=max_cost, minutes=max_minutes, iterations=max_iterations),
        ref=sdk_ref,
        publish=not (dry_run or no_pr),
        unsafe=unsafe_no_sandbox,
    )
    teller = Teller(as_json)
    source, failures = reading.read(file, node or [])
    decisions = selection.decide(source, failures, force=force)
    teller.decisions(decisions)
    taken = [one.cause for one in decisions if one.taken]
    if not taken:
        teller.outcomes(decisions, [])
        return _REFUSED if decisions else _NOTHING
    checkout = Checkout.find(sdk, source.sdk)
    if sdk_ref is not None:
        checkout.base(repo, base, sdk_ref)  # before anything is begun
    agents = _agents(agent_profile or [])
    live = _live(taken)
    redactor = _redactor([*agents, *live.values()])
    wanted = [cause for cause in taken if yes or teller.agrees(cause)]
    outcomes = [
        Pipeline(
            cause=cause,
            plan=plan,
            checkout=checkout,
            agents=agents,
            live=live,
            redactor=redactor,
            say=teller.speaker(cause, redactor),
        ).run()
        for cause in wanted
    ]
    teller.outcomes(decisions, outcomes)
    return _code(outcomes)


def _code(outcomes: Sequence[Outcome]) -> int:
    """The most serious one: this machine, then what was not fixed, then what was refused."""
    codes = {_CODES[outcome.status] for outcome in outcomes}
    return next((code for code in (_ENVIRONMENT, _NOT_FIXED, _REFUSED) if code in codes), 0)


def _agents(names: Sequence[str]) -> list[Connection]:
    """The models that fix. Raises UsageError if none is named or one cannot be used."""
    if not names:
        raise UsageError(
            "no model is named that fixes",
            "give --agent-profile NAME; `ohllm profiles list` shows those that are saved",
        )
    found = []
    for name in names:
        profile = load(name)
        if profile.source == builtin.SOURCE:
            raise UsageError(f"{name} is the embedded provider, which cannot program")
        found.append(resolve(profile))
    return found


def _live(causes: Sequence[Cause]) -> dict[str, Connection]:
    """The connections of failed profiles whose key is at hand; others are judged offline."""
    found: dict[str, Connection] = {}
    for failure in (failure for cause in causes for failure in cause.failures):
        profile = failure.profile
        if profile.source == builtin.SOURCE or profile.name in found:
            continue
        try:
            found[profile.name] = resolve(profile)
        except ProfileError as error:
            print(f"{profile.name} is judged by what was recorded: {error}", file=sys.stderr)
    return found


def _redactor(connections: Sequence[Connection]) -> Redactor:
    secrets = {
        f"{one.profile.name}-{number}": value
        for one in connections
        for number, value in enumerate(one.confidential())
    }
    return Redactor(secrets | {name: os.environ[name] for name in _TOKENS if name in os.environ})


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; what is in the way is told in two lines."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=arguments, prog_name="ohllm-autofix", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        print("\nohllm-autofix: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except AutofixError as error:
        return _told(error.problem, error.advice, error.exit_code)
    except ProfileError as error:
        return _told(str(error), "", _USAGE)
    except RunFolderError as error:
        return _told(str(error), "", _ENVIRONMENT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _told(f"{where}{error.strerror or error}", "", _ENVIRONMENT)
    except _ClickException as error:
        return _told(error.format_message(), "", _USAGE)  # type: ignore[attr-defined]
    return result if isinstance(result, int) else 0


def _told(problem: str, advice: str, code: int) -> int:
    print(f"ohllm-autofix: {problem}", file=sys.stderr)
    if advice:
        print(f"  {advice}", file=sys.stderr)
    return code


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
