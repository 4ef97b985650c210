from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.latency import Latency
from tests.simulator.conformance import COUNT, HELLO

Connect = Callable[..., Any]


def _timed(client: Any, prompt: str) -> list[float]:
    """Seconds from the request to each chunk of the stream."""
    body = {
        "model": client.simulator.model,
        "stream": True,
        "messages": [{"role": "user", "content": prompt}],
    }
    started = time.perf_counter()
    with client.http.stream("POST", "chat/completions", json=body) as response:
        return [time.perf_counter() - started for _ in response.iter_raw()]


def test_a_stream_starts_late_and_flows_at_the_models_pace(connect: Connect) -> None:
    client = connect(latency=Latency(first_token=0.3, tokens_per_second=200))
    client.post(HELLO)
    times = _timed(client, COUNT)  # 62 tokens
    assert 0.29 < times[0] < 0.8
    assert 0.28 < times[-1] - times[0] < 0.9  # 0.31 s on an idle machine
    gaps = [b - a for a, b in pairwise(times)]
    assert statistics.median(gaps) < 0.05


def test_a_document_takes_as_long_as_its_stream(connect: Connect) -> None:
    client = connect(latency=Latency(first_token=0.2, tokens_per_second=200))
    started = time.perf_counter()
    assert client.post(COUNT).status_code == 200
    assert 0.5 < time.perf_counter() - started < 1.2


def test_jitter_varies_the_pauses_and_equal_seeds_repeat_them() -> None:
    def pauses(seed: str) -> list[float]:
        latency = Latency(first_token=1.0, tokens_per_second=10, jitter=0.5)
        steps = latency.paced(_stream(20), tokens=19, stream=True, seed=seed).steps
        return [step.seconds for step in steps if not isinstance(step, bytes)]

    one = pauses("a")
    assert one == pauses("a") != pauses("b")
    assert 0.5 <= one[0] <= 1.5
    assert all(0.05 <= pause <= 0.15 for pause in one[1:])
    assert statistics.stdev(one[1:]) > 0.01


def _stream(frames: int) -> Any:
    from pytest_ohllm.simulator.response import SSE, Response

    return Response(200, tuple(b"data: {}\n\n" for _ in range(frames)), SSE)


@pytest.mark.parametrize("about", [{"first_token": -1}, {"tokens_per_second": 0}, {"jitter": 1.5}])
def test_an_impossible_latency_is_refused(about: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="latency needs"):
        Latency(**about)


def test_a_quirk_can_show_in_one_conversation_only(connect: Connect) -> None:
    client = connect("error-500@2")
    client.http.get("models")
    assert [client.post(HELLO).status_code for _ in range(4)] == [200, 500, 200, 200]
    assert client.simulator.model == "sim-error-500-at-2"


def test_a_gateways_quirk_leaves_other_paths_alone_until_its_turn(connect: Connect) -> None:
    client = connect("down@2")
    assert client.http.get("models").status_code == 200
    assert [client.post(HELLO).status_code for _ in range(3)] == [200, 503, 200]


def test_a_quirk_can_show_by_chance_and_equal_seeds_repeat_it(connect: Connect) -> None:
    def statuses(seed: int) -> list[int]:
        client = connect("error-500%30", seed=seed)
        return [client.post(HELLO).status_code for _ in range(60)]

    one = statuses(1)
    assert one == statuses(1) != statuses(2)
    assert 6 <= one.count(500) <= 30
    assert set(one) == {200, 500}


def test_occasions_combine_with_other_quirks(connect: Connect) -> None:
    client = connect("chatty+error-500@1+finish-tool")
    statuses = [client.post(HELLO) for _ in range(2)]
    assert [response.status_code for response in statuses] == [500, 200]
    assert len(statuses[1].json()["choices"][0]["message"]["content"]) > 100


def test_an_occasion_is_part_of_name_and_description() -> None:
    personality = personalities.get("anthropic+overloaded@3")
    assert personality.name == "anthropic+overloaded@3"
    assert "conversation 3 only" in personality.description
    assert personality.protocol == "anthropic"
    with pytest.raises(personalities.UnknownPersonality, match="did you mean 'overloaded'"):
        personalities.get("overloadet@3")


def test_a_client_that_leaves_during_a_pause_ends_it(connect: Connect) -> None:
    client = connect(latency=Latency(first_token=30))
    with pytest.raises(httpx.ReadTimeout):
        client.http.post(
            "chat/completions",
            json={"model": client.simulator.model, "messages": [{"role": "user", "content": "x"}]},
            timeout=0.1,
        )
    started = time.perf_counter()
    client.simulator.stop()
    assert time.perf_counter() - started < 2
