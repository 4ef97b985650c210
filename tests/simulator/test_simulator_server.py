from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from pytest_ohllm.simulator.personalities import UnknownPersonality
from pytest_ohllm.simulator.serve import serve
from pytest_ohllm.simulator.server import CannotListen, Simulator


def _post(simulator: Simulator, timeout: float = 5) -> httpx.Response:
    return httpx.post(
        f"{simulator.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {simulator.api_key}"},
        json={"model": simulator.model, "messages": [{"role": "user", "content": "Say hello."}]},
        timeout=timeout,
    )


def _simulator_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("ohllm-simulator")]


def _descriptors() -> int:
    """How many files and sockets this process has open; 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0


def test_it_starts_and_stops_quickly_and_leaves_nothing_behind() -> None:
    gc.collect()
    descriptors, threads = _descriptors(), threading.active_count()
    started = time.perf_counter()
    for _ in range(10):
        with Simulator() as simulator:
            assert _post(simulator).status_code == 200
            address = simulator.base_url
    # Ten rounds with their ten clients in the time that one start may take.
    assert time.perf_counter() - started < 3
    # Fewer is possible: what earlier tests left is collected meanwhile.
    assert threading.active_count() <= threads
    assert _descriptors() <= descriptors
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/models")


@pytest.mark.parametrize("personality", ["hang", "drip"])
def test_it_stops_while_an_endless_answer_is_under_way(personality: str) -> None:
    simulator = Simulator(personality).start()
    outcome: list[Exception] = []

    def ask() -> None:
        try:
            _post(simulator, timeout=30)
        except httpx.HTTPError as error:
            outcome.append(error)

    client = threading.Thread(target=ask)
    client.start()
    while not simulator.journal:
        time.sleep(0.01)
    started = time.perf_counter()
    simulator.stop()
    client.join(5)
    assert time.perf_counter() - started < 2
    assert len(outcome) == 1
    assert _simulator_threads() == []


def test_a_client_that_leaves_ends_its_endless_answer() -> None:
    with Simulator("drip") as simulator:
        loop = simulator._listener._loop
        assert loop is not None
        idle = len(asyncio.all_tasks(loop))
        with httpx.stream("GET", f"{simulator.base_url}/models") as response:
            body = response.iter_bytes()  # dropping the iterator would close the connection
            assert next(body) == b" "
            assert len(asyncio.all_tasks(loop)) > idle
        deadline = time.perf_counter() + 2
        while len(asyncio.all_tasks(loop)) > idle and time.perf_counter() < deadline:
            time.sleep(0.01)
        assert len(asyncio.all_tasks(loop)) == idle


def test_it_can_be_started_again_after_a_stop() -> None:
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="before start"):
        _ = simulator.base_url
    simulator.start()
    with pytest.raises(RuntimeError, match="already running"):
        simulator.start()
    simulator.stop()
    simulator.stop()
    with simulator:
        assert _post(simulator).status_code == 200


def test_many_clients_are_served_at_once() -> None:
    with Simulator() as simulator:
        statuses: list[int] = []
        clients = [
            threading.Thread(target=lambda: statuses.append(_post(simulator).status_code))
            for _ in range(20)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert statuses == [200] * 20
        assert [entry.number for entry in simulator.journal] == list(range(1, 21))


def test_dropped_connections_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Simulator("truncated-stream") as simulator, pytest.raises(httpx.RemoteProtocolError):
        _post(simulator)
    names = {record.name for record in caplog.records}
    assert not {name for name in names if "uvicorn" in name or "simulator" in name}


def test_a_fault_of_the_simulator_itself_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator() as simulator:
        monkeypatch.setattr(simulator.journal, "record", None)
        assert _post(simulator).status_code == 500
    assert "the simulator itself failed" in caplog.text


def test_a_port_in_use_is_a_readable_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen) as caught:
            Simulator(port=port).start()
    assert str(caught.value) == (f"cannot listen on 127.0.0.1:{port}: the port is already in use")


@pytest.mark.parametrize("port", [-1, 70_000])
def test_an_impossible_port_is_a_readable_error(port: int) -> None:
    with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: "):
        Simulator(port=port).start()


@pytest.mark.parametrize("key", ["", "two words", "naïve"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        Simulator(api_key=key)


def test_an_unknown_personality_is_refused_before_anything_listens() -> None:
    with pytest.raises(UnknownPersonality):
        serve("nobody")


def test_serving_in_the_foreground_ends_quietly_on_ctrl_c() -> None:
    program = (
        "from functools import partial\n"
        "from pytest_ohllm.simulator.serve import serve\n"
        "serve('parrot', api_key='sk-chosen-key', say=partial(print, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        url = lines[1].split()[-1]
        models = httpx.get(f"{url}/models", headers={"Authorization": "Bearer sk-chosen-key"})
        assert models.json()["data"][0]["id"] == "sim-parrot"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert (out, err) == ("stopped\n", "")
    assert "sk-chosen-key" not in "".join(lines)
