"""The pack against personalities: what it concluded beside what it must conclude.

It is mutation testing of the pack: every personality is a mutant.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.verdict import breaks
from pytest_ohllm.model import CheckSummary, Outcome, ProfileReport, Run
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities import Row
from pytest_ohllm.simulator.server import Simulator

NOBODY_CAN_PATCH = frozenset(
    {"credentials", "configuration", "rate_limit", "provider_outage", "environment"}
)
"""Kinds for which a patch of the SDK must never be offered."""

KNOWN_GAPS: dict[str, str] = {}
"""Personalities that the pack does not judge as it should, each with the reason."""


@dataclass(frozen=True)
class Judgement:
    """What the pack says of one profile, in the terms in which a personality is declared."""

    verdict: str
    stage: str | None
    kind: str | None
    gates: tuple[str, ...]
    offered: bool = False
    """Whether a patch of the SDK was offered for anything."""

    @classmethod
    def of(cls, profile: ProfileReport) -> Judgement:
        """The judgement in a run's report; of stage D all gates that failed.

        A check that passes thanks to a remedy tells what is wrong, too.
        """
        bad = [c for c in profile.checks if breaks(c) or c.outcome is Outcome.INCONCLUSIVE]
        first = next((c for c in profile.checks if c.diagnosis or c in bad), None)
        return cls(
            profile.verdict,
            first.stage if first else None,
            first.diagnosis.kind if first and first.diagnosis else None,
            tuple(dict.fromkeys(gate_of(c) for c in bad if c.stage == "D")),
            any(
                c.diagnosis is not None and c.diagnosis.autofix == "offered" for c in profile.checks
            ),
        )


@dataclass(frozen=True)
class Line:
    """One personality: what must come out, and what did."""

    row: Row
    found: Judgement

    @property
    def same_stage(self) -> bool:
        """Whether it was caught where it should be: in its stage, in D by its gate at least."""
        row, found = self.row, self.found
        return found.stage == row.stage and (row.gate is None or row.gate in found.gates)

    @property
    def same_kind(self) -> bool:
        """Whether verdict and diagnosis are the declared ones."""
        return (self.found.verdict, self.found.kind) == (self.row.verdict, self.row.kind)


def gate_of(check: CheckSummary) -> str:
    """The gate that a check of stage D is about."""
    import importlib

    module, _, name = check.id.partition("::")
    function = getattr(importlib.import_module(module), name.partition("[")[0])
    (gate,) = [mark.args[0] for mark in function.pytestmark if mark.name == "llm_gate"]
    return str(gate)


def play(names: Sequence[str], *options: str) -> Run:
    """Run the pack in a process of its own for the personalities ``names``."""
    return _run([f"--llm-profile=sim:{name}" for name in names], ("-n2", *options), {})


def play_seeded(names: Sequence[str], seeds: Sequence[int], *options: str) -> Run:
    """The same with saved profiles ``NAME-SEED``, one for each personality and seed."""
    with ExitStack() as running, tempfile.TemporaryDirectory() as store:
        environment = {"LLM_PROFILES_DIR": store}
        chosen = []
        for name in names:
            for seed in seeds:
                simulator = running.enter_context(Simulator(name, seed=seed))
                profile, key = f"{name}-{seed}", f"KEY_{len(chosen)}"
                settings = dict(builtin.simulated(f"sim:{name}").settings)
                settings |= {"base_url": simulator.base_url}
                kept = {field: value for field, value in settings.items() if value is not None}
                add(profile, kept, {"api_key": key}, folder=Path(store))
                environment[key] = simulator.api_key
                chosen.append(f"--llm-profile={profile}")
        return _run(chosen, options, environment)


def _run(profiles: Sequence[str], options: Sequence[str], environment: Mapping[str, str]) -> Run:
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        command = [sys.executable, "-m", "pytest", "-q", f"--llm-run-dir={run_dir}"]
        done = subprocess.run(
            [*command, "--llm-timeout=8", *options, *profiles],
            cwd=folder,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1, 10):
            raise SystemExit(done.stdout + done.stderr)
        return read_run(run_dir)


def lines(run: Run) -> list[Line]:
    """Every profile of ``run`` beside the declaration of its personality."""
    rows = {row.name: row for row in personalities.table()}
    return [Line(rows[_personality(p.name)], Judgement.of(p)) for p in run.profiles]


def _personality(profile: str) -> str:
    return re.sub(r"-\d+$", "", profile) if "sim:" not in profile else profile[len("sim:") :]
