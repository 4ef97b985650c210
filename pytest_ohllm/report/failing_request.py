"""The smallest request that fails, beside one that works and is nearest to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pytest_ohllm.evidence.capsule import Evidence, read_evidence
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.model import Exchange, Probe, Record
from pytest_ohllm.report.field_diff import ABSENT, Change, changes, folded

_MOST_PROBES = 100
_LONGEST_VALUE = 30


class ProbeRecord(Record):
    """One line of ``probes.jsonl``; what was only read again has no exchange."""

    probe: Probe
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests and what tells them apart; ``change`` is what the experiment did, in words."""

    failing: Exchange
    working: Exchange
    change: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What the folder of a check says of its failure."""

    evidence: Evidence
    probes: tuple[ProbeRecord, ...]
    pair: Pair | None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields at fault in a few words, such as ``temperature = 0.5``.

        If one change makes the difference, it is that one, else what the diagnosis names.
        """
        if self.pair and len(self.pair.changes) == 1:
            return (_in_words(self.pair.changes[0]),)
        diagnosis = self.evidence.result.diagnosis
        return diagnosis.fields if diagnosis else ()


def read_case(folder: Path) -> Case | None:
    """The case in a check's folder; ``None`` if the check left no result that can be read."""
    try:
        evidence = read_evidence(folder)
    except (RunFolderError, ValidationError, ValueError, KeyError, TypeError):
        return None  # damaged by hand: what can be told without it is told
    probes = tuple(_probes(folder / "probes.jsonl"))
    return Case(evidence, probes, _nearest(evidence.failing, probes))


def _probes(path: Path) -> Iterator[ProbeRecord]:
    try:
        lines = path.read_bytes().splitlines()[:_MOST_PROBES]
    except OSError:
        return
    for line in lines:
        try:
            yield ProbeRecord.model_validate_json(line)
        except ValidationError:
            continue


def _nearest(failing: Exchange | None, probes: tuple[ProbeRecord, ...]) -> Pair | None:
    """Of all that failed in the same way and all that worked, the two that differ least.

    Of two that differ in as many fields, the request of the SDK itself tells more than a variant.
    """
    if failing is None:
        return None
    red = [failing, *(one.exchange for one in probes if one.probe.result == "same")]
    green = [one for one in probes if one.probe.result == "works" and one.exchange]
    pairs = [
        Pair(one, other.exchange, other.probe.change, tuple(folded(found)))
        for one in red
        for other in green
        if one and other.exchange and (found := changes(one, other.exchange))
    ]
    return min(pairs, key=lambda pair: _distance(pair, failing), default=None)


def _distance(pair: Pair, failing: Exchange) -> tuple[int, bool, int]:
    size = len(json.dumps(pair.failing.request, default=str))
    return sum(1 + change.more for change in pair.changes), pair.failing is not failing, size


def _in_words(change: Change) -> str:
    if change.failing is ABSENT:
        return f"{change.field} (missing)"
    shown = json.dumps(change.failing, ensure_ascii=False, default=str)
    return f"{change.field} = {shown}" if len(shown) <= _LONGEST_VALUE else change.field
