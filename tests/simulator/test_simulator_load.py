"""Two hundred streams at once: nothing is lost, left open or kept."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from pathlib import Path

import httpx

from pytest_ohllm.simulator.journal import MAX_ENTRIES
from pytest_ohllm.simulator.latency import Latency
from pytest_ohllm.simulator.server import Simulator
from tests.simulator.conformance import COUNT, HELLO

STREAMS = 200


async def _stream(client: httpx.AsyncClient, simulator: Simulator, prompt: str) -> str:
    body = {
        "model": simulator.model,
        "stream": True,
        "messages": [{"role": "user", "content": prompt}],
    }
    async with client.stream("POST", "chat/completions", json=body) as response:
        return (await response.aread()).decode()


async def _load(simulator: Simulator, prompt: str, times: int) -> list[str]:
    limits = httpx.Limits(max_connections=STREAMS, max_keepalive_connections=STREAMS)
    headers = {"Authorization": f"Bearer {simulator.api_key}"}
    async with httpx.AsyncClient(
        base_url=simulator.base_url, headers=headers, limits=limits, timeout=30
    ) as client:
        return await asyncio.gather(*(_stream(client, simulator, prompt) for _ in range(times)))


def _descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0


def test_two_hundred_slow_streams_are_served_at_once() -> None:
    with Simulator(latency=Latency(first_token=0.5, tokens_per_second=60)) as simulator:
        asyncio.run(_load(simulator, HELLO, 2))
        before, started = _descriptors(), time.perf_counter()
        bodies = asyncio.run(_load(simulator, COUNT, STREAMS))
        seconds = time.perf_counter() - started
        assert len(bodies) == STREAMS
        assert all(body.endswith("data: [DONE]\n\n") for body in bodies)
        assert len(set(bodies)) == 1
        # One alone takes 1.5 s; one after the other they would take five minutes.
        assert seconds < 15
        deadline = time.monotonic() + 5  # the server closes its ends when it hears of it
        while _descriptors() > before + 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _descriptors() <= before + 5


def test_memory_does_not_grow_with_the_number_of_streams() -> None:
    with Simulator() as simulator:
        asyncio.run(_load(simulator, HELLO, STREAMS))
        first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(3):
            asyncio.run(_load(simulator, HELLO, STREAMS))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first
        assert len(simulator.journal) == 4 * STREAMS < MAX_ENTRIES
        assert grown < 40_000  # kilobytes
