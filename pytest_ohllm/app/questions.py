"""Questions to an endpoint that cost nothing: its list of models, and a request without content.

The key goes to the profile's own address and nowhere else: no redirect is followed, no ``.netrc``
is read, and a provider's own address is only asked if it is known for certain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from pytest_ohllm.model import Exchange, Profile
    from pytest_ohllm.profiles.connection import Connection

_PROTOCOLS = {
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
    "ollama_chat": "ollama",
}
_CALLS = {
    "chat": "/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/models/x:generateContent",
    "ollama": "/api/chat",
}
_WHOLE = {"anthropic": "?limit=1000", "gemini": "?pageSize=1000"}
"""Else only the first page would come."""
_OWN_WAYS = frozenset(
    """
    azure azure_ai bedrock bedrock_converse sagemaker sagemaker_chat vertex_ai watsonx
    """.split()  # noqa: SIM905 - words are easier to read
)
"""Providers with signatures or addresses that only their client libraries know."""


def address(profile: Profile) -> str | None:
    """Where the list of models may be asked for, ``None`` if only litellm knows."""
    from pytest_ohllm.profiles.presets import own_address

    if profile.model.partition("/")[0] in _OWN_WAYS:
        return None
    return profile.base_url or own_address(profile.model)


@dataclass(frozen=True)
class Questions:
    """What can be asked of the endpoint at ``base`` until ``deadline``, a ``time.monotonic`` time.

    Every answer is an exchange, redacted, and the exception that ended it, if there was one.
    """

    connection: Connection
    base: str
    deadline: float

    @property
    def protocol(self) -> str:
        """What litellm will speak with the endpoint."""
        return _PROTOCOLS.get(self.connection.profile.model.partition("/")[0], "chat")

    @property
    def model(self) -> str:
        """The provider's own name of the model."""
        return self.connection.profile.model.partition("/")[2] or self.connection.profile.model

    def bases(self) -> Iterator[str]:
        """Where the API may be: at the address itself, or where most servers have it."""
        parts = urlsplit(self.base)
        host = parts.netloc.rpartition("@")[2]  # user and password are no part of the question
        path = parts.path.rstrip("/")
        if self.protocol == "anthropic":
            path = path.removesuffix("/v1")
        yield urlunsplit((parts.scheme, host, path, "", ""))
        if self.protocol == "chat" and not path.endswith("/v1"):
            yield urlunsplit((parts.scheme, host, f"{path}/v1", "", ""))

    def models(self, base: str, *, key: bool = True) -> tuple[Exchange, Exception | None]:
        """Ask for the list of models, with or without the key."""
        url = self._list_url(base) + _WHOLE.get(self.protocol, "")
        return self._ask("GET", url, key=key)

    def one_model(self, base: str) -> Exchange | None:
        """Ask for the profile's model alone; ``None`` where that cannot be asked."""
        if self.protocol == "ollama":
            return None
        return self._ask("GET", f"{self._list_url(base)}/{quote(self.model, safe='/:')}")[0]

    def empty_call(self, base: str) -> Exchange:
        """Call the model with nothing at all, which is refused before it costs anything."""
        return self._ask("POST", base + _CALLS[self.protocol])[0]

    def _list_url(self, base: str) -> str:
        from pytest_ohllm.diagnosis.protocols import models_url

        return models_url(self.protocol, base + _CALLS[self.protocol])

    def _ask(self, method: str, url: str, *, key: bool = True) -> tuple[Exchange, Exception | None]:
        import httpx

        from pytest_ohllm.evidence.redaction import Redactor
        from pytest_ohllm.model import Exchange
        from pytest_ohllm.profiles.errors import ProfileError
        from pytest_ohllm.wire.tape import Tape

        hidden = {f"secret-{n}": text for n, text in enumerate(self.connection.confidential())}
        tape = Tape(redact=Redactor(hidden).value, deadline=self.deadline)
        error: Exception | None = None
        left = max(0.1, self.deadline - time.monotonic())
        content = b"{}" if method == "POST" else None
        try:
            request = httpx.Request(method, url, headers=self._headers(key), content=content)
            with tape.recording(), httpx.Client(timeout=left) as client:
                # An explicit auth: a .netrc for the host must not replace the key.
                client.send(request, auth=lambda sent: sent, follow_redirects=False)
        except httpx.HTTPError as failed:
            error = failed
        except (ValueError, TypeError, ImportError, httpx.InvalidURL) as unfit:
            raise ProfileError(
                f"no request to {url} can be made ({type(unfit).__name__}): check base_url, "
                "extra_headers, and the proxy variables of the environment"
            ) from unfit
        return next(iter(tape.exchanges), Exchange(method=method, url=url)), error

    def _headers(self, with_key: bool) -> dict[str, str]:
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "pytest-ohllm",
        }
        if self.protocol == "anthropic":
            headers["anthropic-version"] = "2023-06-01"
        if not with_key:
            return headers
        if secret := self.connection.secrets.get("api_key"):
            key = secret.get_secret_value()
            named = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}.get(self.protocol)
            headers |= {named: key} if named else {"authorization": f"Bearer {key}"}
        own = self.connection.profile.settings.get("extra_headers")
        if isinstance(own, dict):
            headers |= {str(name): str(value) for name, value in own.items()}
        return headers
