"""``python -m tests.suite``: play the pack against all personalities, or the named ones.

Prints what differs from what is declared. With ``--write`` it plays other seeds as well, and writes
docs/self-proof.md.
"""

from __future__ import annotations

import argparse
import sys
import time

from pytest_ohllm.simulator import personalities
from tests.suite.page import PAGE, page
from tests.suite.proof import KNOWN_GAPS, NOBODY_CAN_PATCH, lines, play, play_seeded

HEALTHY = ("openai", "responses", "anthropic", "gemini", "ollama")
SEEDS = range(20)
USUAL = "--llm-gates=auto,-resume,-server"
"""The gates that start processes are played for those that they are about."""


def main() -> None:
    """Play, compare, print; exit code 1 if anything is not as declared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="personalities; all without any")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    rows = personalities.table()
    names = options.names or [row.name for row in rows]
    started = time.monotonic()
    found = lines(play(names, USUAL))
    slow = [row.name for row in rows if row.gate == "resume" and row.name in names]
    if slow:
        again = {line.row.name: line for line in lines(play(slow, "--llm-gates=auto,-server"))}
        found = [again.get(line.row.name, line) for line in found]
    seeded = []
    if options.write:
        # With time for a busy machine: a false alarm must not be the clock's.
        seeded = lines(play_seeded(HEALTHY, SEEDS, USUAL, "-n2", "--llm-timeout=60"))
        nobody = [row.name for row in rows if row.kind in NOBODY_CAN_PATCH and row.stage != "D"]
        slow_ones = ("hang", "drip", "down")
        quick = [name for name in nobody if name not in slow_ones]
        # These mostly wait: for pauses between retries, and for each other.
        seeded += lines(play_seeded(quick, SEEDS, "--llm-gates=none", "-n6"))
        PAGE.write_text(page(found, seeded, time.monotonic() - started), encoding="utf-8")
    wrong = [line for line in [*found, *seeded] if not (line.same_stage and line.same_kind)]
    for line in wrong:
        row = line.row
        print(f"{row.name}: declared {row.verdict} {row.stage} {row.gate} {row.kind}, {line.found}")
    print(f"{len(wrong)} of {len(found) + len(seeded)} differ, {time.monotonic() - started:.0f} s")
    sys.exit(any(line.row.name not in KNOWN_GAPS for line in wrong))


if __name__ == "__main__":
    main()
