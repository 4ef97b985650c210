"""The nouns of the autofix: a failure, its root cause, and what has been done about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from pytest_ohllm.model import SCHEMA_VERSION, Diagnosis, Profile, Record, Revision, Stage

_SLUG = re.compile(r"[^a-z0-9]+")


class Failure(Record):
    """One check of one profile that a run diagnosed, be it red or green thanks to a setting."""

    profile: Profile
    check: str
    stage: Stage
    node: str
    rerun: str
    folder: Path
    diagnosis: Diagnosis

    @property
    def name(self) -> str:
        """How a person calls it: the profile and the check."""
        return f"{self.profile.name} {self.check.rpartition('::')[2]}"


class Source(Record):
    """Where the failures come from: the run, and the SDK that it ran on."""

    run_id: str
    run_dir: Path
    sdk: Revision
    packages: dict[str, str] = Field(default_factory=dict)


class Cause(Record):
    """Failures with one root: they are fixed by one change."""

    failures: tuple[Failure, ...]
    source: Source

    @property
    def first(self) -> Failure:
        """The failure with the most telling evidence: the one that was examined."""
        examined = [f for f in self.failures if (f.folder / "probes.jsonl").is_file()]
        return (examined or list(self.failures))[0]

    @property
    def diagnosis(self) -> Diagnosis:
        """Why it fails."""
        return self.first.diagnosis

    @property
    def id(self) -> str:
        """The same whenever it is read from the same run; short, and fit for a branch."""
        checks = sorted(f"{f.profile.name} {f.check}" for f in self.failures)
        key = "\n".join([self.source.run_id, self.diagnosis.summary, *checks])
        return hashlib.sha256(key.encode()).hexdigest()[:8]

    @property
    def branch(self) -> str:
        """``ohllm/<model-slug>-<short>``."""
        return f"ohllm/{slug(self.first.profile.model)}-{self.id}"

    @property
    def models(self) -> tuple[str, ...]:
        """The models that show it."""
        return tuple(dict.fromkeys(f.profile.model for f in self.failures))


class Decision(Record):
    """Whether a cause is taken up, and why not."""

    cause: Cause
    taken: bool
    reason: str


class Row(Record):
    """One line of the proof: what was run, and how it ended before and after the change."""

    step: str
    before: str
    after: str
    seconds: float = 0.0
    passed: bool = True


class Outcome(Record):
    """What came of one cause, as ``--json`` gives it."""

    schema_version: int = SCHEMA_VERSION
    id: str
    failures: tuple[str, ...]
    status: str
    """``fixed``, ``already_fixed``, ``ready`` (with --dry-run), ``not_fixed``, ``refused`` or
    ``stopped`` (by this machine or a service)."""
    reason: str = ""
    advice: str = ""
    url: str | None = None
    branch: str | None = None
    commit: str | None = None
    patch: str | None = None
    folder: str | None = None
    rows: tuple[Row, ...] = ()
    cost: float | None = None
    seconds: float = 0.0
    by_hand: tuple[str, ...] = ()


def slug(text: str, longest: int = 40) -> str:
    """``text`` as a part of a branch name: lower case, digits and dashes."""
    return _SLUG.sub("-", text.lower()).strip("-")[:longest].strip("-") or "model"


def summary_of(causes: Iterable[Decision]) -> str:
    """How many are taken up, in words."""
    all_of_them = list(causes)
    taken = sum(one.taken for one in all_of_them)
    return f"{taken} of {len(all_of_them)} causes can be fixed in the SDK"
