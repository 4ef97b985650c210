"""What the wire says about answers that came and do not do what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Exchange, Kind
from pytest_ohllm.wire import reading

_ENOUGH = 4096
"""Tokens of an answer in which every check of the suite fits."""


def observed(exchanges: Sequence[Exchange], symptoms: Symptoms) -> Finding | None:
    """Answers that were cut off by a limit on their length: not the model's doing."""
    calls = [one for one in exchanges if reading.is_call(one)]
    if not calls or not any(map(reading.is_cut_off, calls)):
        return None
    limit = symptoms.settings.get("max_output_tokens")
    whose = f"the profile's max_output_tokens={limit}" if limit else "the endpoint's own limit"
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER if limit else Blame.ENDPOINT,
        f"an answer was cut off by {whose} on its length",
        f"set max_output_tokens to {_ENOUGH} or more in the profile",
        named="max_output_tokens",
    )


def limits_of(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Limits on the length of an answer that leave room for one."""
    limit = settings.get("max_output_tokens")
    more: list[dict[str, Any]] = [{"max_output_tokens": _ENOUGH}]
    if isinstance(limit, int):
        return [{"max_output_tokens": None}, *more] if limit < _ENOUGH else []
    return more
