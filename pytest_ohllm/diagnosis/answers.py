"""Rules for answers that came with HTTP 200 and still could not be used."""

from __future__ import annotations

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind


def error_in_success(s: Symptoms) -> Finding | None:
    """HTTP 200 whose body is an error object."""
    if s.status != 200 or not s.body_error:
        return None
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        f"the endpoint answered HTTP 200 with an error: {one_line(s.text)}",
        "try again; if it repeats, report it to the provider",
    )


def empty_body(s: Symptoms) -> Finding | None:
    """HTTP 200 without a single byte."""
    if s.status != 200 or s.exchange is None or s.exchange.response is not None:
        return None
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        "the endpoint answered HTTP 200 with an empty body",
        "check base_url; if it is right, look at the server's log",
    )


def not_json(s: Symptoms) -> Finding | None:
    """HTTP 200 with something that is not an LLM API's answer."""
    streamed = s.exchange is not None and s.exchange.content_type == "text/event-stream"
    if s.status != 200 or streamed or not isinstance(s.body, str) or s.error is None:
        return None
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint answered HTTP 200 with something that is not JSON: {one_line(s.body, 80)!r}",
        "check that base_url is an LLM API",
    )


def redirected(s: Symptoms) -> Finding | None:
    """The endpoint wants the request elsewhere."""
    if s.status is None or not 300 <= s.status < 400 or s.exchange is None:
        return None
    target = s.exchange.response_headers.get("location", "another address")
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint redirects to {target} (HTTP {s.status})",
        "use that address as base_url",
    )


def unreadable(s: Symptoms) -> Finding | None:
    """A JSON answer on which a library stumbled; who is wrong takes an experiment to say."""
    if s.status != 200 or s.root is None:
        return None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the answer (HTTP 200) could not be read: {one_line(s.root.message)}",
        "compare the response in the run folder with the provider's documentation",
    )


RULES = (error_in_success, empty_body, not_json, redirected, unreadable)
