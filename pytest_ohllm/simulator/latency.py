"""How long a model takes: the time to its first token, and the pace of the others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from pytest_ohllm.simulator.response import Response, Step, Wait


@dataclass(frozen=True)
class Latency:
    """A model's speed: ``first_token`` in seconds, and ``jitter`` as a part of every pause.

    With ``jitter=0.2`` each pause is up to a fifth shorter or longer, the same for equal seeds.
    """

    first_token: float = 0.0
    tokens_per_second: float = inf
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.first_token < 0 or self.tokens_per_second <= 0 or not 0 <= self.jitter <= 1:
            raise ValueError(
                "latency needs first_token >= 0, tokens_per_second > 0 and 0 <= jitter <= 1"
            )

    def paced(self, response: Response, tokens: int, *, stream: bool, seed: str) -> Response:
        """``response`` as slow as a reply of ``tokens`` tokens is; one that does not stream waits
        for all of them."""
        rest = tokens / self.tokens_per_second
        if self.first_token + rest == 0:
            return response
        chance = random.Random(seed)
        if not stream:
            pause = self._varied(self.first_token, chance) + self._varied(rest, chance)
            return replace(response, steps=(Wait(pause), *response.steps))
        steps = tuple(response.steps)
        return replace(response, steps=tuple(self._spread(steps, rest, chance)))

    def _spread(
        self, steps: tuple[Step, ...], rest: float, chance: random.Random
    ) -> Iterator[Step]:
        gap = rest / max(1, len(steps) - 1)
        for index, step in enumerate(steps):
            pause = self.first_token if index == 0 else gap
            yield Wait(self._varied(pause, chance))
            yield step

    def _varied(self, seconds: float, chance: random.Random) -> float:
        return seconds * chance.uniform(1 - self.jitter, 1 + self.jitter)
