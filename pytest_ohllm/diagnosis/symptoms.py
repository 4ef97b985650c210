"""What is known about a failure before anybody judges it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pytest_ohllm.diagnosis.unwrap import Core, plain, unwrap, without_source
from pytest_ohllm.model import ErrorFacts, ErrorLink, Exchange, Stage, Transcript
from pytest_ohllm.wire import reading
from pytest_ohllm.wire.reachability import Unreachable

_HTML = re.compile(r"\s*+(?:<!doctype html|<html|<head|<body)", re.IGNORECASE)
_HTML_INSIDE = re.compile(r"<!doctype\b|<html[\s>]|<head>|<center><h1>", re.IGNORECASE)
_SELF_HOSTED = re.compile(
    r"vllm|llama|lm[ _-]?studio|sglang|local|tgi|text-generation|koboldcpp|^mlx|oobabooga", re.I
)
_OWN_PREFIX = re.compile(r"(?:ollama|ollama_chat|lm_studio|hosted_vllm|llamafile)/", re.I)
_LINK = re.compile(r"https?://\S+")
_MUCH = 8 * 1024
"""Characters of a pasted text that rules look through."""


@dataclass(frozen=True)
class Pasted:
    """A failure of which only words are left: a line of a log, a traceback, a record."""

    message: str
    exception_type: str | None = None
    http_status: int | None = None
    deepest_frame: str | None = None
    provider: str | None = None
    model: str | None = None
    stage_hint: str | None = None
    """What was being tried, such as ``vision`` or ``streaming``."""


@dataclass(frozen=True)
class Symptoms:
    """The evidence of one failure; everything in it is redacted.

    ``exchange`` is the last request that was sent, ``redirect`` the one that led the client there
    from another address, ``history`` all that were sent before. ``settings`` is what the user's
    profile says, and ``chosen`` names those settings that are not just the SDK's defaults (``None``
    if nobody knows). ``pasted`` is there in place of all that for ``ohllm explain``.
    """

    error: ErrorFacts | None = None
    exchange: Exchange | None = None
    redirect: Exchange | None = None
    stage: Stage | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    unreachable: Unreachable | None = None
    history: tuple[Exchange, ...] = ()
    chosen: frozenset[str] | None = None
    pasted: Pasted | None = None

    @classmethod
    def of(cls, transcript: Transcript, **context: Any) -> Symptoms:
        """The symptoms that a transcript shows."""
        *_, before, last = (None, None, *transcript.exchanges)
        redirect = before if before and _redirects(before) else None
        return cls(
            error=transcript.error,
            exchange=last,
            redirect=redirect,
            history=transcript.exchanges[:-1],
            **context,
        )

    @property
    def sent(self) -> bool:
        """Whether a request left for the endpoint, or may have."""
        return self.exchange is not None

    @property
    def turn(self) -> int:
        """Which request to the model failed, counted from 1: later ones carry a history."""
        return 1 + sum(map(reading.is_call, self.history))

    @property
    def redirecting(self) -> Exchange | None:
        """The answer that sent the request elsewhere, if the failure is due to that.

        A client repeats the request there without its body (301 to 303), and without its key if
        another host is meant.
        """
        last, before = self.exchange, self.redirect
        if last is None or _redirects(last) or before is None:
            return last if last is not None and _redirects(last) else None
        lost_body = before.method != last.method
        lost_key = _host(before) != _host(last) and last.status in (None, 401, 403)
        return before if lost_body or lost_key else None

    @cached_property
    def status(self) -> int | None:
        """The HTTP status that matters: the innermost one, of the body rather than of the wire.

        Proxies answer 200 or 500 with somebody else's 429 inside. Where a request is on record,
        litellm's own idea of a status is no evidence.
        """
        if self.pasted is not None:
            inner = self.core.status
            return inner if _is_error(inner) else self.pasted.http_status
        if self.exchange is None:
            return self.error.status if self.error else None
        status = self.exchange.status
        relayed = status is not None and (status == 200 or status >= 500)
        inner = self.core.status if relayed and self._refusal is not None else None
        return inner if _is_error(inner) else status

    @cached_property
    def body(self) -> Any:
        """The response's body, parsed if it is JSON; what an exception kept of it otherwise."""
        if self.exchange is not None and self.exchange.response is not None:
            return self.exchange.response
        links = reversed(self.error.links if self.error else ())
        return next((link.body for link in links if link.body is not None), None)

    @cached_property
    def _refusal(self) -> Any:
        """The body, if it says what is wrong; an answer of a model does not."""
        body = self.body[0] if isinstance(self.body, list) and self.body else self.body
        if isinstance(body, Mapping):
            speaks = body.get("error") or body.get("detail") or body.get("errors")
            plain = ("message" in body or "Message" in body) and "choices" not in body
            return body if speaks or (plain and "done" not in body) else None
        return body if isinstance(body, str) and not self.html and not self._streams else None

    @cached_property
    def core(self) -> Core:
        """The error without its wrappers."""
        if self.pasted is not None:
            return unwrap(self.pasted.message)
        if self._refusal is not None:
            return unwrap(self._refusal)
        return unwrap(self.root.message) if self.root else Core()

    @property
    def refused(self) -> bool:
        """Whether the endpoint answered with words of its own on what is wrong."""
        return self.pasted is not None or self._refusal is not None

    @property
    def body_error(self) -> bool:
        """Whether the body is an object that tells of an error."""
        return isinstance(self._refusal, Mapping)

    @cached_property
    def text(self) -> str:
        """The provider's own words if there are any, else those of the root exception."""
        return self.core.text

    @cached_property
    def codes(self) -> str:
        """The machine-readable words of the error, in lower case, space-separated."""
        return " ".join((*self.core.codes, *(name.lower() for name in self.core.fields)))

    @cached_property
    def words(self) -> str:
        """Codes and text: what patterns are looked for in. A link says what its page is about."""
        return f"{self.codes} {_LINK.sub('', self.text)}"

    @cached_property
    def told(self) -> str:
        """All that is told of it, wrappers and names of exceptions included, but no source code."""
        if self.pasted is None:
            return self.words
        told = without_source(plain(self.pasted.message, _MUCH))
        return f"{' '.join(self.classes)} {' '.join(told.split())}"

    @property
    def html(self) -> bool:
        """Whether a web page came back in place of an API's answer."""
        if self.pasted is not None:
            return bool(_HTML_INSIDE.search(self.text))
        body = self.exchange.response if self.exchange else self.body
        return isinstance(body, str) and bool(_HTML.match(body))

    @property
    def _streams(self) -> bool:
        return self.exchange is not None and self.exchange.content_type == "text/event-stream"

    @property
    def root(self) -> ErrorLink | None:
        """The exception that started it."""
        return self.error.root if self.error else None

    @cached_property
    def frame(self) -> str:
        """The deepest source file that is known, with forward slashes."""
        frames = self.core.frames
        if self.pasted is not None:
            return (self.pasted.deepest_frame or next(reversed(frames), "")).replace("\\", "/")
        return (self.root.frame or "") if self.root else ""

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of all exceptions, without their modules."""
        names = [link.type for link in self.error.links] if self.error else []
        if self.pasted is not None:
            names = [*filter(None, [self.pasted.exception_type]), *self.core.classes]
        return tuple(name.rpartition(".")[2] for name in names)

    def raised(self, *names: str) -> ErrorLink | None:
        """The deepest exception of the chain whose class has one of ``names``."""
        for link in reversed(self.error.links if self.error else ()):
            if link.type.rpartition(".")[2] in names:
                return link
        if self.pasted is not None:
            for name in reversed(self.classes):
                if name in names:
                    return ErrorLink(type=name, message=self.text)
        return None

    @property
    def self_hosted(self) -> bool:
        """Whether the user runs the server, and can change what it offers."""
        if self.pasted is not None:
            provider, model = self.pasted.provider or "", self.pasted.model or ""
            return bool(_SELF_HOSTED.search(provider) or _OWN_PREFIX.match(model))
        url = str(self.settings.get("base_url") or (self.exchange.url if self.exchange else ""))
        return is_private(urlsplit(url).hostname or "")


def is_private(host: str) -> bool:
    """Whether an address is on this machine or in a private network."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".internal", ".lan"))


def _is_error(status: int | None) -> bool:
    return status is not None and 400 <= status < 600


def _host(exchange: Exchange) -> str | None:
    return urlsplit(exchange.url).hostname


def _redirects(exchange: Exchange) -> bool:
    return exchange.status is not None and 300 <= exchange.status < 400
