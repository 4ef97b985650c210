"""One failing request under examination: what is known of it, and how blame is proved.

A verdict of blame needs one change that turns red to green twice, while the unchanged request
stays red.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.laboratory import Laboratory, works
from pytest_ohllm.diagnosis.protocols import Body
from pytest_ohllm.diagnosis.symptoms import Symptoms


@dataclass(frozen=True)
class Conclusion:
    """What experiments say: a finding, the fields that matter, and settings worth a trial."""

    finding: Finding
    rule: str
    fields: tuple[str, ...] = ()
    settings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Examination:
    """A failure and the laboratory; ``hints`` are what the words suggest, and can be done without.

    All that asks the endpoint raises Stop when it may not be asked any more.
    """

    symptoms: Symptoms
    lab: Laboratory
    hints: bool = True

    @property
    def body(self) -> Body:
        """The failing request."""
        return self.lab.body

    @property
    def protocol(self) -> str:
        """The protocol of the failing request."""
        assert self.lab.protocol is not None
        return self.lab.protocol

    def confirmed(self, green: Body, change: str, *, url: str | None = None) -> bool:
        """Whether red and green are seen a second time."""
        return works(self.lab.ask(f"{change}, again", green, url=url)) and self.still_fails()

    def still_fails(self) -> bool:
        """Whether the unchanged request is refused as before."""
        return self.lab.same(self.lab.ask("the same request as a control"))
