"""Commands that show whether a failure is there: repro, failed checks, healthy models."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_ohllm.autofix.guarded import WRONG_SDK
from pytest_ohllm.autofix.job import Cause, Failure
from pytest_ohllm.autofix.sandbox import Finished, Sandbox, environment_for

SECONDS = 240.0
"""For one command: the import of the SDK, and a few short conversations."""

HEALTHY = ("sim", "sim:responses", "sim:anthropic")
"""Models that every SDK must work with, one for each kind of protocol."""

_GREEN, _RED, _INCONCLUSIVE = 0, 1, 10


@dataclass(frozen=True)
class State:
    """How a proof ended: ``green``, ``red``, or ``unclear`` with what was said."""

    word: str
    seconds: float
    output: str

    @property
    def green(self) -> bool:
        """Whether all is well."""
        return self.word == "green"


@dataclass(frozen=True)
class Proof:
    """One command; ``arguments`` begin with a module or a script.

    ``environment`` is added to the sandbox's, and ``through`` are the words of a command that the
    whole is run by.
    """

    step: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    through: tuple[str, ...] = ()
    own_folder: bool = False
    """Whether it writes a run folder, for which it needs a name of its own."""

    def play(self, sandbox: Sandbox, name: str) -> State:
        """Run it in the sandbox against the SDK of its worktree."""
        root = sandbox.worktree.resolve()
        guarded = (sys.executable, "-m", "pytest_ohllm.autofix.guarded", str(root))
        own = (f"--llm-run-dir={sandbox.scratch / name}",) if self.own_folder else ()
        environment = environment_for(root, sandbox.scratch)
        # The worktrees that judge are nobody's: bytecode can stay beside the source, and the
        # packages' own is used.
        del environment["PYTHONPYCACHEPREFIX"]
        done = sandbox.run(
            [*self.through, *guarded, *self.arguments, *own],
            environment={**environment, **self.environment},
            timeout=SECONDS,
        )
        return State(_word(done), done.seconds, done.output)


def _word(done: Finished) -> str:
    if done.timed_out:
        return "no end"
    if done.code == WRONG_SDK:
        return "wrong SDK"
    return {_GREEN: "green", _RED: "red"}.get(done.code, "unclear")


def repro(script: Path) -> Proof:
    """The capsule's script."""
    name = "repro, offline" if "offline" in script.name else "repro, at the endpoint"
    return Proof(name, (str(script),))


def checks(failures: Iterable[Failure]) -> list[Proof]:
    """The checks that failed, together where they are run with the same options.

    Without experiments: no setting may help them.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for failure in failures:
        words = _words(failure.rerun)
        options = tuple(word for word in words if word.startswith("--llm-"))
        chosen = [word for word in words if word not in options and word != "--pyargs"]
        groups.setdefault(options, []).extend(chosen)
    return [
        _pytest("the failed checks", (*options, "--pyargs", *dict.fromkeys(nodes)))
        for options, nodes in groups.items()
        if nodes
    ]


def _words(command: str) -> list[str]:
    """What follows the name of the program; nothing where the command is none."""
    try:
        return shlex.split(command)[1:]
    except ValueError:
        return []


def healthy() -> Proof:
    """The suite on models that worked before."""
    profiles = [f"--llm-profile={name}" for name in HEALTHY]
    return _pytest("the suite on healthy models", (*profiles, "--llm-gates=none"))


def _pytest(step: str, arguments: tuple[str, ...]) -> Proof:
    usual = ("pytest", "-q", "-p", "no:cacheprovider", "--rootdir=/tmp", "--llm-probes=0")
    return Proof(step, (*usual, *arguments), own_folder=True)


def packaged(cause: Cause) -> list[Failure]:
    """The failures of the packaged suite, which can be run anywhere; a user's own cannot."""
    return [failure for failure in cause.failures if "--pyargs" in failure.rerun]
