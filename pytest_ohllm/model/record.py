"""What every record that reaches a file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1
"""Version of every JSON record in a run folder; raised when a field changes its meaning."""


class Record(BaseModel):
    """A frozen record that is written as JSON and read back unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")
