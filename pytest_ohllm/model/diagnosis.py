"""Why a check did not pass, and what would help."""

from __future__ import annotations

from typing import Any, Literal

from pytest_ohllm.model.record import Record
from pytest_ohllm.model.vocabulary import Blame, Confidence, Kind


class Remedy(Record):
    """The smallest change to the profile's settings that makes a failing check pass.

    ``note`` says where the SDK could do without being told, if it can be seen.
    """

    settings: dict[str, Any]
    summary: str
    note: str = ""


class Probe(Record):
    """One request of an experiment: what was changed in the failing one, and what came of it."""

    change: str
    status: int | None
    result: Literal["works", "same", "differs"]
    seconds: float = 0.0


class Diagnosis(Record):
    """Why a check did not pass.

    ``autofix`` says whether a change of the SDK may be proposed: ``offered``, or ``refused: why``.
    ``fields`` are the parts of the request that make the difference, as vendors write them.
    """

    kind: Kind
    summary: str
    blame: Blame
    next_step: str
    rule: str = ""
    evidence: tuple[str, ...] = ()
    confidence: Confidence = Confidence.TEXT
    fields: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    remedy: Remedy | None = None
    autofix: str = ""
