"""Print what the plugin costs; run by `nox -s bench`, on an otherwise quiet machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pytest_ohllm.simulator.server import Latency, Simulator

ROUNDS = 5
SLOW_ROUNDS = 3

MODEL = Latency(first_token=0.3, tokens_per_second=80)
"""The pace of an ordinary model."""

IMPORT = "import openhands.sdk, openhands.tools.terminal"

IDLE = """
import json, sys, time
import pytest
before = set(sys.modules)
start = time.perf_counter()
import pytest_ohllm.plugin, pytest_ohllm.hookspecs
seconds = time.perf_counter() - start
kinds = ("runtest", "collection", "generate", "terminal", "itemcollected", "report")
names = tuple(f"pytest_{kind}" for kind in kinds)
hooks = [name for name in vars(pytest_ohllm.plugin) if name.startswith(names)]
modules = sorted(set(sys.modules) - before)
print(json.dumps({"seconds": seconds, "modules": modules, "hooks": hooks}))
"""


@dataclass(frozen=True)
class Cost:
    """Of one process: wall and CPU seconds with its children, and its peak memory in MiB.

    ``calls`` are those of a model; 0 where none is asked.
    """

    wall: float
    cpu: float
    peak: float
    calls: float = 0


def main() -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["OPENHANDS_SUPPRESS_BANNER"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _idle()
        bare = _median(partial(_process, [sys.executable, "-c", IMPORT]), ROUNDS)
        quick = _median(partial(_pack, "--llm-profile=sim", "--llm-stages=A,B,C"), ROUNDS)
        with Simulator(latency=MODEL) as simulator:
            os.environ["OHLLM_BENCH_KEY"] = simulator.api_key
            ordinary = (
                f"--llm-model=openai/{simulator.model}",
                f"--llm-base-url={simulator.base_url}",
                "--llm-api-key-env=OHLLM_BENCH_KEY",
            )
            mandatory = _median(partial(_pack, *ordinary, "--llm-stages=A,B,C"), SLOW_ROUNDS)
            whole = _median(partial(_pack, *ordinary), SLOW_ROUNDS)
    print(f"{'':50}{'wall s':>8}{'CPU s':>8}{'peak MiB':>10}{'calls':>7}")
    _row("import of SDK and terminal tool", bare)
    _row("A to C, a model that answers at once", quick)
    _row("difference (target: 5 s)", Cost(quick.wall - bare.wall, quick.cpu - bare.cpu, 0))
    _row("A to C, an ordinary model (target: 15 s)", mandatory)
    _row("A to D, an ordinary model (targets: 40 s, 60 calls)", whole)
    print(f"memory ratio {quick.peak / bare.peak:.2f} (target: at most 1.3)")


def _idle() -> None:
    found = [
        json.loads(subprocess.check_output([sys.executable, "-c", IDLE])) for _ in range(2 * ROUNDS)
    ]
    seconds = statistics.median(run["seconds"] for run in found)
    print(f"idle plugin: {seconds * 1000:.2f} ms (target: 5 ms), ", end="")
    print(f"{len(found[0]['modules'])} modules {found[0]['modules']} (target: 3), ", end="")
    print(f"{len(found[0]['hooks'])} run-time hooks (target: 0)")


def _median(measure: Callable[[], Cost], rounds: int) -> Cost:
    costs = [measure() for _ in range(rounds + 1)][1:]  # the first one fills caches

    def median(name: str) -> float:
        return float(statistics.median(getattr(cost, name) for cost in costs))

    return Cost(median("wall"), median("cpu"), median("peak"), median("calls"))


def _pack(*options: str) -> Cost:
    """Run the packaged suite for the one profile that the options name."""
    run = Path(tempfile.mkdtemp(dir=".")) / "run"
    cost = _process([sys.executable, "-m", "pytest", "-q", *options, f"--llm-run-dir={run}"])
    (profile,) = json.loads((run / "run.json").read_text())["profiles"]
    return replace(cost, calls=profile["usage"]["llm_calls"])


def _process(command: Sequence[str]) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _row(name: str, cost: Cost) -> None:
    peak = f"{cost.peak:10.0f}" if cost.peak else f"{'':10}"
    calls = f"{cost.calls:7.0f}" if cost.calls else ""
    print(f"{name:50}{cost.wall:8.2f}{cost.cpu:8.2f}{peak}{calls}".rstrip())


if __name__ == "__main__":
    main()
