"""Print how long a diagnosis takes: the words alone, and experiments with an ordinary model."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.diagnosis.engine import diagnose
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Exchange
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.creation import add
from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.server import Latency, Simulator

MODEL = Latency(first_token=0.3, tokens_per_second=80)
EXAMINED = [row for row in personalities.table() if row.verdict == "WORKS WITH SETTINGS"][::4]
"""Some of those for which settings are searched, so that experiments and trials are both there."""


@dataclass(frozen=True)
class Examined:
    """A check that failed: seconds of its probes, and of the whole with the trials."""

    probes: int
    probing: float
    whole: float
    exchanges: list[Exchange]


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LLM_PROFILES_DIR": folder, "OHLLM_BENCH_KEY": ""}
        os.chdir(folder)
        found = {row.name: _checks(row.name, Path(folder)) for row in EXAMINED}
    words = [_words(sent) for checks in found.values() for one in checks for sent in one.exchanges]
    print(
        f"diagnosis by words: median {statistics.median(words) * 1000:.1f} ms, "
        f"worst {max(words) * 1000:.1f} ms of {len(words)} (target: 50 ms)"
    )
    for name, checks in found.items():
        for check in checks:
            print(
                f"{name:30}{check.probes:>3} probes {check.probing:6.2f} s, "
                f"the check with its trials {check.whole:6.2f} s (target: 15 s)"
            )


def _checks(name: str, folder: Path) -> list[Examined]:
    """Each examined check of a run against the personality."""
    with Simulator(name, latency=MODEL) as simulator:
        os.environ["OHLLM_BENCH_KEY"] = simulator.api_key
        settings = dict(builtin.simulated(f"sim:{name}").settings)
        settings |= {"base_url": simulator.base_url}
        add(name, settings, {"api_key": "OHLLM_BENCH_KEY"}, folder=folder)
        run = folder / f"run-{name}"
        command = [sys.executable, "-m", "pytest", "-q", "--llm-gates=none"]
        options = [f"--llm-profile={name}", f"--llm-run-dir={run}"]
        subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=True)
    return [_examined(file) for file in run.glob("profiles/*/*/*/probes.jsonl")]


def _examined(file: Path) -> Examined:
    probes = [json.loads(line)["probe"] for line in file.read_text().splitlines()]
    sent = (file.parent / "exchanges.jsonl").read_text().splitlines()
    return Examined(
        probes=len(probes),
        probing=sum(probe["seconds"] or 0 for probe in probes),
        whole=json.loads((file.parent / "result.json").read_text())["seconds"],
        exchanges=[Exchange.model_validate_json(line) for line in sent],
    )


def _words(exchange: Exchange) -> float:
    start = time.perf_counter()
    diagnose(Symptoms(exchange=exchange))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
