"""What is known about a failure before anybody judges it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pytest_ohllm.model import ErrorFacts, ErrorLink, Exchange, Stage, Transcript
from pytest_ohllm.wire.reachability import Unreachable

_HTML = re.compile(r"\s*(?:<!doctype html|<html|<head|<body)", re.IGNORECASE)


@dataclass(frozen=True)
class Symptoms:
    """The evidence of one failure; everything in it is redacted.

    ``exchange`` is the last request that was sent, ``redirect`` the one that led the client there
    from another address, ``settings`` what the user's profile says.
    """

    error: ErrorFacts | None = None
    exchange: Exchange | None = None
    redirect: Exchange | None = None
    stage: Stage | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    unreachable: Unreachable | None = None

    @classmethod
    def of(cls, transcript: Transcript, **context: Any) -> Symptoms:
        """The symptoms that a transcript shows."""
        *_, before, last = (None, None, *transcript.exchanges)
        redirect = before if before and _redirects(before) else None
        return cls(error=transcript.error, exchange=last, redirect=redirect, **context)

    @property
    def sent(self) -> bool:
        """Whether a request left for the endpoint."""
        return self.exchange is not None

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
        """The HTTP status that matters: the wire's, or the one inside a 200 that is an error."""
        # Where a request is on record, litellm's own idea of a status is not evidence.
        if self.exchange is not None:
            status = self.exchange.status
        else:
            status = self.error.status if self.error else None
        if status == 200 and self.body_error:
            inner = self.body_error.get("code") or self.body_error.get("status")
            if str(inner).isdigit() and 400 <= int(str(inner)) < 600:
                return int(str(inner))
        return status

    @cached_property
    def body(self) -> Any:
        """The response's body, parsed if it is JSON."""
        if self.exchange is not None and self.exchange.response is not None:
            return self.exchange.response
        for link in reversed(self.error.links if self.error else ()):
            if link.body is not None:
                return _parsed(link.body)
        return None

    @cached_property
    def body_error(self) -> Mapping[str, Any]:
        """The error object of the body, wherever the provider puts it; empty if there is none."""
        body = self.body[0] if isinstance(self.body, list) and self.body else self.body
        if not isinstance(body, Mapping):
            return {}
        inner = body.get("error", body.get("detail"))
        if isinstance(inner, str):
            return {"message": inner, "code": body.get("code")}
        if isinstance(inner, list):
            return {"message": json.dumps(inner)}
        if isinstance(inner, Mapping):
            return inner
        return body if "message" in body and "choices" not in body else {}

    @cached_property
    def text(self) -> str:
        """The provider's own words if there are any, else those of the root exception."""
        if message := self.body_error.get("message"):
            return str(message)
        if isinstance(self.body, str) and not self.html:
            return self.body
        return self.root.message if self.root else ""

    @cached_property
    def codes(self) -> str:
        """The machine-readable words of the error object, in lower case, space-separated."""
        keys = ("code", "type", "status", "param", "reason")
        return " ".join(str(self.body_error[k]) for k in keys if self.body_error.get(k)).lower()

    @property
    def html(self) -> bool:
        """Whether a web page came back in place of an API's answer."""
        body = self.exchange.response if self.exchange else self.body
        return isinstance(body, str) and bool(_HTML.match(body))

    @property
    def root(self) -> ErrorLink | None:
        """The exception that started it."""
        return self.error.root if self.error else None

    def raised(self, *names: str) -> ErrorLink | None:
        """The deepest exception of the chain whose class has one of ``names``."""
        for link in reversed(self.error.links if self.error else ()):
            if link.type.rpartition(".")[2] in names:
                return link
        return None


def _host(exchange: Exchange) -> str | None:
    return urlsplit(exchange.url).hostname


def _redirects(exchange: Exchange) -> bool:
    return exchange.status is not None and 300 <= exchange.status < 400


def _parsed(body: Any) -> Any:
    if isinstance(body, str):
        try:
            return json.loads(body)
        except ValueError:
            return body
    return body
