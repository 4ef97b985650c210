"""The embedded provider in the foreground, for clients other than pytest."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pytest_ohllm.simulator.server import Latency, Simulator


def serve(
    personality: str = "default",
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    api_key: str | None = None,
    say: Callable[[str], object] = print,
    latency: Latency | None = None,
) -> None:
    """Serve until Ctrl-C; ``say`` gets the lines that tell a client how to connect.

    Raises ``UnknownPersonality`` and ``CannotListen``, whose messages are fit to be shown.
    """
    with Simulator(
        personality, seed=seed, host=host, port=port, api_key=api_key, latency=latency
    ) as simulator:
        say(f"{simulator.personality.name}: {simulator.personality.description}")
        say(f"base URL  {simulator.base_url}")
        say(f"model     {simulator.personality.model_string}")
        # A key that the user chose is not repeated on a screen; one made here is needed there.
        say(f"API key   {simulator.api_key if api_key is None else '(the one given)'}")
        say("Ctrl-C stops it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            say("stopped")
