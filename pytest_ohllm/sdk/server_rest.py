"""Talk to an openhands-agent-server over its REST API, whatever version it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from pytest_ohllm.sdk.scene import UnsupportedBySdk
from pytest_ohllm.wire.tape import Tape

REQUEST_SECONDS = 60.0
"""For one call; none of those made here waits for the model."""


class ServerFailed(Exception):
    """The server did not start, ended, or refused a request; the message holds its own words.

    ``refusal`` is the HTTP status of a refused request. It is not called ``status_code``, which
    would be taken for the provider's.
    """

    def __init__(self, message: str, refusal: int | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


class Rest:
    """The API of a running server; ``log`` gets one line for each call that may change something.

    None of it is an exchange with the model, so none of it is recorded as one.
    """

    def __init__(self, url: str, key: str, log: list[str]) -> None:
        # No proxy of the environment's: this is loopback, and one body holds the provider's key.
        self._client = httpx.Client(base_url=url, timeout=REQUEST_SECONDS, trust_env=False)
        self._key, self._log = key, log

    def status(self, path: str, key: str | None = None) -> int:
        """The HTTP status of GET ``path`` with ``key``, or without any. Raises ServerFailed."""
        return self._send("GET", path, headers=_header(key) if key else {}).status_code

    def get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The JSON behind ``path``. Raises ServerFailed and UnsupportedBySdk."""
        return self._call("GET", path, params=query, headers=headers)

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON that answers ``body``. Raises ServerFailed and UnsupportedBySdk."""
        return self._call("POST", path, json=body)

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    def _call(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> Any:
        answer = self._send(method, path, headers=_header(self._key) | (headers or {}), **options)
        if answer.is_success:
            return answer.json()
        status = answer.status_code
        if status in (404, 405) and not self._knows(method, path):
            raise UnsupportedBySdk(f"{method} {path} of openhands-agent-server")
        raise ServerFailed(f"{method} {path}: HTTP {status}: {answer.text[:2000]}", status)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            # A tape that nobody keeps: what is sent here must not be on the scenario's.
            with Tape().recording():
                answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            # Its class would be taken for a failure of the connection to the provider.
            problem = f"{type(error).__name__}: {error}"
            raise ServerFailed(f"{method} {path}: no answer: {problem}") from None
        if method != "GET":
            self._log.append(f"{method} {path} {answer.status_code}")
        return answer

    def _knows(self, method: str, path: str) -> bool:
        """Whether the server has such a route, whatever it found behind it."""
        routes = self._call("GET", "/openapi.json")["paths"]
        return any(
            method.lower() in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path)
            for route, methods in routes.items()
        )


def _header(key: str) -> dict[str, str]:
    return {"X-Session-API-Key": key}
