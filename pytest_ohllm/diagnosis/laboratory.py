"""Where experiments are made: the failing request, ways to vary it, and a budget."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_ohllm.diagnosis.protocols import Body, protocol_of
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Exchange, Probe
from pytest_ohllm.wire import reading
from pytest_ohllm.wire.replay import Variant

BUDGET = 12
"""Requests that the examination of one failure may take."""

_PATIENCE = 10.0
"""Seconds of Retry-After that an experiment waits for."""

_VARIABLE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[a-z]+_\w*\d\w*|\d+|[`'\"][^`'\"]*[`'\"]", re.I
)


class Stop(Exception):
    """No further experiment: the budget is spent, or the endpoint asks not to be asked."""


@dataclass
class Laboratory:
    """Sends variants of one failing request and compares what comes back.

    ``send`` makes the exchange; ``body`` is the failing request's, unredacted, and never leaves
    this object but through ``send``. Every probe is kept in ``probes`` with its exchange.
    """

    failing: Exchange
    body: Body
    send: Callable[[Variant], Exchange]
    budget: int = BUDGET
    sleep: Callable[[float], None] = time.sleep
    probes: list[tuple[Probe, Exchange]] = field(default_factory=list)
    _paused: bool = False

    @property
    def protocol(self) -> str | None:
        """The protocol of the failing request."""
        return protocol_of(self.failing.url)

    def ask(
        self,
        change: str,
        body: Mapping[str, Any] | None = None,
        *,
        url: str | None = None,
        method: str | None = None,
    ) -> Exchange:
        """Send the failing request with one thing changed. Raises Stop."""
        if len(self.probes) >= self.budget:
            raise Stop(f"the budget of {self.budget} requests is spent")
        exchange = self.send(Variant(method, url, body))
        self.probes.append((self._probe(change, exchange), exchange))
        if exchange.status == 402 and self.failing.status != 402:
            raise Stop("the account cannot pay for further requests")
        if exchange.status == 429 and self.failing.status != 429:
            return self._after_a_pause(exchange, change, body, url, method)
        return exchange

    def _probe(self, change: str, exchange: Exchange) -> Probe:
        result: Literal["works", "same", "differs"] = "differs"
        if works(exchange):
            result = "works"
        elif self.same(exchange):
            result = "same"
        return Probe(change=change, status=exchange.status, result=result, seconds=exchange.seconds)

    def same(self, exchange: Exchange) -> bool:
        """Whether it failed as the failing request did."""
        return not works(exchange) and signature(exchange) == signature(self.failing)

    def _after_a_pause(self, exchange: Exchange, *request: Any) -> Exchange:
        """The same once more, if the endpoint says that it will not take long."""
        pause = retry_after(exchange)
        if pause is None or pause > _PATIENCE:
            raise Stop("the endpoint limits the rate of requests")
        if self._paused:
            raise Stop("the endpoint limits the rate of requests, again")
        self._paused = True
        self.sleep(pause)
        change, body, url, method = request
        return self.ask(change, body, url=url, method=method)


def works(exchange: Exchange) -> bool:
    """Whether the endpoint answered, and not with an error."""
    if exchange.status is None or not 200 <= exchange.status < 300 or exchange.error:
        return False
    symptoms = Symptoms(exchange=exchange)
    if symptoms.refused or symptoms.html:
        return False
    return bool(reading.objects(exchange))


def signature(exchange: Exchange) -> tuple[Any, ...]:
    """What two failures have in common if they are the same: status, codes, words without ids."""
    symptoms = Symptoms(exchange=exchange)
    words = _VARIABLE.sub("#", symptoms.text.lower())
    return (
        exchange.status,
        symptoms.core.codes,
        symptoms.core.fields,
        " ".join(words.split())[:80],
    )


def retry_after(exchange: Exchange) -> float | None:
    """The seconds that the endpoint asks to wait, if it says so in its headers."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = exchange.response_headers.get(name)
        try:
            return max(0.0, float(value) * scale) if value else None
        except ValueError:
            continue
    return None
