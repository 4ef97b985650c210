"""How many labelled failures the words alone get right: ``python score.py FILE``.

FILE has one JSON record in each line: what ``ohllm explain`` takes, and the true ``label`` (the
kind; ``harness`` is an older name of ``environment``).
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_ohllm.diagnosis.explanation import explain
from pytest_ohllm.diagnosis.symptoms import Pasted

_FIELDS = ("exception_type", "http_status", "deepest_frame", "provider", "model", "stage_hint")
_OLD_NAMES = {"harness": "environment"}


@dataclass
class Score:
    """Pairs of true and found kind, the records that were wrong, and the slowest one in seconds."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[tuple[dict[str, Any], str, str]] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def accuracy(self) -> float:
        """The part of all records whose kind is right; an ``unknown`` is wrong."""
        right = sum(count for (true, found), count in self.pairs.items() if true == found)
        return right / max(1, self.pairs.total())

    def precision(self, kind: str) -> float:
        """The part of those called ``kind`` that are of that kind."""
        called = sum(count for (_, found), count in self.pairs.items() if found == kind)
        return self.pairs[kind, kind] / called if called else 1.0

    def recall(self, kind: str) -> float:
        """The part of those of that kind that are called so."""
        there = sum(count for (true, _), count in self.pairs.items() if true == kind)
        return self.pairs[kind, kind] / there if there else 1.0


def score(path: Path) -> Score:
    """Diagnose every record of a file."""
    result = Score()
    for record in _records(path):
        true = _OLD_NAMES.get(record["label"], record["label"])
        started = time.perf_counter()
        fields = {name: record.get(name) for name in _FIELDS}
        diagnosis = explain(Pasted(record.get("message") or "", **fields))
        result.slowest = max(result.slowest, time.perf_counter() - started)
        result.pairs[true, str(diagnosis.kind)] += 1
        if diagnosis.kind != true:
            result.wrong.append((record, str(diagnosis.kind), diagnosis.rule))
    return result


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        result = score(path)
        gap = f"precision {result.precision('sdk_gap'):.2f}, recall {result.recall('sdk_gap'):.2f}"
        print(f"{path.name}: {result.accuracy:.1%} of {result.pairs.total()} right")
        print(f"  sdk_gap: {gap}; slowest record {result.slowest * 1000:.0f} ms")
        for record, found, rule in result.wrong:
            words = " ".join(str(record.get("message")).split())[:90]
            print(f"  {record.get('id')}: {record['label']}, not {found} ({rule}): {words}")


if __name__ == "__main__":
    main()
