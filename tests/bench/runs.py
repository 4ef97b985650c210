"""Print how long it takes to list a thousand runs; on an otherwise quiet machine."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.run_folders import bare_runs

RUNS = 1000
PROFILES = 3
ROUNDS = 5
TARGET = 1.0
PROGRAM = "from pytest_ohllm.app.cli import main; main()"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        bare_runs(runs, RUNS, PROFILES)
        print(f"{RUNS} runs of {PROFILES} profiles each (target: {TARGET:g} s)")
        for name, arguments in (
            ("the newest 20", []),
            ("of one profile", ["--profile", "p1"]),
            ("all as JSON", ["--limit", str(RUNS), "--json"]),
            ("all as a table", ["--limit", str(RUNS)]),
        ):
            command = [sys.executable, "-c", PROGRAM, "runs", "list", "--runs", str(runs)]
            print(f"{name:20}{_seconds([*command, *arguments]):6.2f} s")
        whole = [sys.executable, "-c", PROGRAM, "--help"]
        print(f"{'(ohllm --help)':20}{_seconds(whole):6.2f} s")


def _seconds(command: list[str]) -> float:
    return statistics.median(_once(command) for _ in range(ROUNDS))


def _once(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
