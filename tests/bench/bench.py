"""Print what the plugin costs; run by `nox -s bench`, on an otherwise quiet machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROUNDS = 5

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
    """Of one process: wall and CPU seconds with its children, and its peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["OPENHANDS_SUPPRESS_BANNER"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _idle()
        bare = _median([sys.executable, "-c", IMPORT])
        suite = _median([sys.executable, "-m", "pytest", "-q", "--llm-profile=sim"])
    print(f"{'':34}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}")
    _row("import of SDK and terminal tool", bare)
    _row("pytest --llm-profile=sim (A to C)", suite)
    _row("difference (target: 5 s)", Cost(suite.wall - bare.wall, suite.cpu - bare.cpu, 0))
    print(f"memory ratio {suite.peak / bare.peak:.2f} (target: at most 1.3)")


def _idle() -> None:
    found = [
        json.loads(subprocess.check_output([sys.executable, "-c", IDLE])) for _ in range(2 * ROUNDS)
    ]
    seconds = statistics.median(run["seconds"] for run in found)
    print(f"idle plugin: {seconds * 1000:.2f} ms (target: 5 ms), ", end="")
    print(f"{len(found[0]['modules'])} modules {found[0]['modules']} (target: 3), ", end="")
    print(f"{len(found[0]['hooks'])} run-time hooks (target: 0)")


def _median(command: list[str]) -> Cost:
    costs = [_cost(command) for _ in range(ROUNDS + 1)][1:]  # the first one fills caches

    def median(name: str) -> float:
        return statistics.median(getattr(cost, name) for cost in costs)

    return Cost(median("wall"), median("cpu"), median("peak"))


def _cost(command: list[str]) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _row(name: str, cost: Cost) -> None:
    peak = f"{cost.peak:10.0f}" if cost.peak else ""
    print(f"{name:34}{cost.wall:9.2f}{cost.cpu:9.2f}{peak}")


if __name__ == "__main__":
    main()
