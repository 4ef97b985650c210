"""The endpoint behind the relay: where it is, what may be asked of it, and how its key is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.profiles import confidential
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.profiles.presets import own_address

PLACEHOLDER = "relay"
"""What stands in the sandbox where the key belongs. The relay puts the key in its place."""

_UNRELAYED = {
    "bedrock": "signs its requests with AWS keys",
    "sagemaker": "signs its requests with AWS keys",
    "vertex_ai": "signs in with Google's credentials",
}
_CALLS = re.compile(
    r"(?:/openai/deployments/[^/]+|/openai(?:/v1)?|/v1)?/(?:chat/completions|responses)"
    r"|(?:/v1)?/messages"
    r"|(?:/v1beta|/v1)?/models/[^/]+:(?:generateContent|streamGenerateContent)"
    r"|/api/(?:chat|generate)"
)
"""What follows the path of the base URL in a request that asks a model."""
_LOOKED_UP = "/api/show"
_MODEL_IN_PATH = re.compile(r"/(?:models|deployments)/([^/:]+(?::[^/:]+)*?)(?::\w+Content|/|$)")

_PASSED_ON = re.compile(
    r"content-type|accept|user-agent|anthropic-(?:version|beta)|openai-[\w-]+|x-stainless-[\w-]+"
    r"|x-goog-api-client|http-referer|x-title"
)
_CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_KEY_PARAMETER = "key"

_LEFT_OUTSIDE = frozenset(
    {
        *("base_url", "ollama_base_url", "extra_headers", "fallback_strategy"),
        *("log_completions", "log_completions_folder"),
    }
)
"""Settings that mean nothing in the sandbox, or are secret, and are the relay's to apply."""


class Forbidden(Exception):
    """A request that is none of the agent's; the message is for its client."""


@dataclass(frozen=True)
class Request:
    """What is sent to the endpoint."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


class Upstream:
    """The endpoint of a connection. Raises ``AutofixError`` if its calls cannot be relayed."""

    def __init__(self, connection: Connection) -> None:
        profile = connection.profile
        provider = profile.model.partition("/")[0]
        if reason := _UNRELAYED.get(provider) or _signed(connection):
            raise AutofixError(
                f"the agent cannot use profile {profile.name!r}: it {reason}, and a key that signs "
                "would have to be in the sandbox",
                "choose a profile with an API key for the agent",
            )
        address = profile.base_url or own_address(profile.model)
        if address is None:
            raise AutofixError(
                f"the agent cannot use profile {profile.name!r}: the address of {profile.model} is "
                "known to litellm alone",
                f"give the profile a base_url: `ohllm profiles edit {profile.name} --base-url URL`",
            )
        self._model = profile.model
        self._parts = urlsplit(address.rstrip("/"))
        self.path = self._parts.path
        """The path of the base URL, which is the same in the sandbox."""
        key = connection.secrets.get("api_key")
        self._key = None if key is None else key.get_secret_value()
        headers = profile.settings.get("extra_headers") or {}
        self._extra = {str(name).lower(): str(value) for name, value in headers.items()}
        self.settings = _inside(profile.settings, profile.name)
        """The profile's settings for the sandbox, without a ``base_url`` and without secrets."""

    def request(
        self, target: str, headers: Mapping[str, str], body: bytes, method: str = "POST"
    ) -> Request:
        """The request to send for one from the sandbox; names of ``headers`` are in lower case.

        The key goes wherever the client library has put the placeholder. Raises Forbidden.
        """
        parts = urlsplit(target)
        self._check(method, parts.path, body)
        query = [(n, self._filled(n, v)) for n, v in parse_qsl(parts.query, True)]
        pairs = [(name, value) for name, value in query if value is not None]
        sent = {name: value for name, value in headers.items() if _PASSED_ON.fullmatch(name)}
        for name in _CREDENTIALS:
            if name in headers and (value := self._credential(headers[name])) is not None:
                sent[name] = value
        place = self._parts._replace(path=parts.path, query=urlencode(pairs))
        # A compressed answer could neither be searched for the key nor passed on piece by piece.
        return Request(urlunsplit(place), {**sent, **self._extra, "accept-encoding": "identity"})

    def _check(self, method: str, path: str, body: bytes) -> None:
        rest = path.removeprefix(self.path)
        known = path.startswith(self.path) and (_CALLS.fullmatch(rest) or rest == _LOOKED_UP)
        if method != "POST" or not known or ".." in unquote(path):
            raise Forbidden(f"the relay forwards calls of the model alone, not {method} {path}")
        for name in _models(path, body):
            # Gateways and litellm differ in what they put before a model's own name.
            if name.rpartition("/")[2] != self._model.rpartition("/")[2]:
                raise Forbidden(f"the relay forwards calls of {self._model} alone, not of {name}")

    def _credential(self, value: str) -> str | None:
        scheme, space, shown = value.rpartition(" ")
        if self._key is None or shown != PLACEHOLDER:
            return None
        return scheme + space + self._key

    def _filled(self, name: str, value: str) -> str | None:
        """The value of a parameter; ``None`` leaves it out."""
        return self._key if name == _KEY_PARAMETER else value


def _signed(connection: Connection) -> str | None:
    if any(name.startswith("aws_") for name in connection.secrets):
        return "signs its requests with AWS keys"
    if any(connection.profile.settings.get(n) for n in ("aws_profile_name", "aws_role_name")):
        return "signs its requests with AWS keys"
    return None


def _inside(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    known = {key: value for key, value in settings.items() if key not in _LEFT_OUTSIDE}
    kept, left_out = confidential.without(known)
    if left_out:
        raise AutofixError(
            f"the agent cannot use profile {name!r}: its {', '.join(left_out)} holds a secret that "
            "would have to be in the sandbox",
            "put it into extra_headers, which stay outside, or choose another profile",
        )
    return kept


def _models(path: str, body: bytes) -> list[str]:
    """Every name of a model in a request."""
    found = [unquote(match[1]) for match in _MODEL_IN_PATH.finditer(path)]
    try:
        fields = json.loads(body)
    except ValueError:
        raise Forbidden("the relay forwards JSON alone") from None
    if isinstance(fields, dict) and "model" in fields:
        found.append(str(fields["model"]))
    return found
