"""The door of the embedded provider: a ``Simulator`` on loopback, started and stopped at will."""

from __future__ import annotations

import re
import secrets
from typing import Self

from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.application import application
from pytest_ohllm.simulator.journal import Journal
from pytest_ohllm.simulator.latency import Latency
from pytest_ohllm.simulator.listener import CannotListen, Listener
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.provider import Provider

__all__ = ["CannotListen", "Latency", "Simulator"]

_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Simulator:
    """A provider with one personality, such as ``parrot`` or ``no-native-tools+chatty``, or one
    that was declared elsewhere.

    Replies depend on the request and ``seed`` alone, and on the number of the conversation where a
    quirk has an occasion (``error-500@2``). ``latency`` is the model's pace. ``api_key`` is what
    clients must present; by default it is random. Raises ``UnknownPersonality``, or ``ValueError``
    for a key that no header can carry; ``start`` raises ``CannotListen``.
    """

    def __init__(
        self,
        personality: str | Personality = "default",
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        latency: Latency | None = None,
    ) -> None:
        self.personality = (
            personality if isinstance(personality, Personality) else personalities.get(personality)
        )
        self.model = self.personality.model
        self.api_key = f"sk-sim-{secrets.token_urlsafe(24)}" if api_key is None else api_key
        if not _PRINTABLE.fullmatch(self.api_key):
            raise ValueError("the simulator's key must be printable ASCII without blanks")
        self.journal = Journal(self.api_key)
        self._host = host
        provider = Provider(self.personality, self.model, seed, self.api_key, latency)
        self._listener = Listener(application(provider, self.journal), host, port)
        self._running = False

    def start(self) -> Self:
        """Accept connections; returns itself. Raises ``CannotListen``."""
        if self._running:
            raise RuntimeError("the simulator is already running")
        self._listener.start()
        self._running = True
        return self

    def stop(self) -> None:
        """Drop all connections and free the port; harmless when it is not running."""
        self._running = False
        self._listener.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The ``base_url`` of a profile: ``http://127.0.0.1:4711`` and the protocol's own path."""
        return self.origin + self.personality.path

    @property
    def origin(self) -> str:
        """The address without any path, for clients that add it themselves."""
        if not self._running:
            raise RuntimeError("the simulator has no address before start()")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._listener.port}"

    def __repr__(self) -> str:
        state = self.base_url if self._running else "stopped"
        return f"<Simulator {self.personality.name} {state}>"
