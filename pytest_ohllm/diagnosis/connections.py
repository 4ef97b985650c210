"""Rules for failures before any answer came: settings, names, network."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_API_PATHS = ("/chat/completions", "/responses", "/messages")

_NO_WAY = re.compile(
    r"connection refused|actively refused|cannot connect|connect call failed|no route to host|"
    r"\bconnection error\b|fetch failed|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|"
    r"self[- ]signed certificate|local issuer certificate|(?:ssl|tls) handshake|proxyerror|"
    r"could not connect to the endpoint|connect to proxy|proxy authentication required|"
    r"(?:name|host).{0,30}(?:resol|not known)|getaddrinfo|nodename nor servname|"
    r"certificate verify|scheme for proxy|"
    r"积极拒绝|拒绝连接|连接被拒绝|无法连接|CERTIFICATE_|WRONG_VERSION_NUMBER|missing an 'http|"
    r"UnsupportedProtocol|Invalid URL|all connection attempts failed|network is unreachable",
    re.IGNORECASE,
)
_NO_PROVIDER = re.compile(r"LLM Provider NOT provided|GetLLMProvider Exception")
_NO_TIME = re.compile(r"time[d ]?[ -]?out|deadline exceeded|ETIMEDOUT|超时", re.IGNORECASE)
_BROKEN = re.compile(
    r"connection (?:was )?(?:reset|aborted|closed)|peer closed|server disconnected|broken pipe|"
    r"incomplete (?:chunked )?read|remote end closed|premature|stream (?:ended|closed|broke)|"
    r"EOF occurred|unexpected EOF|ECONNRESET|EPIPE|other side closed|"
    r"socket hang up|disconnect/reset",
    re.IGNORECASE,
)

_CONFIGURATION, _OUTAGE = Kind.CONFIGURATION, Kind.PROVIDER_OUTAGE
_USER, _ENDPOINT = Blame.USER, Blame.ENDPOINT


def nothing_reachable(s: Symptoms) -> Finding | None:
    """The raw probe found that nothing can answer at base_url."""
    if s.unreachable is None:
        return None
    problem = s.unreachable
    if problem.reason == "timeout":
        return Finding(_OUTAGE, _ENDPOINT, problem.summary, problem.next_step)
    return Finding(_CONFIGURATION, _USER, problem.summary, problem.next_step)


def settings_refused(s: Symptoms) -> Finding | None:
    """The SDK refuses to build an LLM from the profile."""
    link = s.raised("UnusableSettings")
    if link is None:
        return None
    return Finding(
        _CONFIGURATION,
        _USER,
        f"the SDK refuses the profile: {one_line(link.message)}",
        "correct the field in the profile",
    )


def provider_unknown(s: Symptoms) -> Finding | None:
    """litellm cannot tell from the model string whom to call."""
    said = s.pasted.message if s.pasted else s.root.message if s.root else ""
    if s.sent or not _NO_PROVIDER.search(said):
        return None
    model = s.settings.get("model") or (s.pasted.model if s.pasted else None) or ""
    return Finding(
        _CONFIGURATION,
        _USER,
        f"litellm knows no provider for the model string {model!r}",
        f"put the provider first, such as openai/{model} for an OpenAI-compatible endpoint",
    )


def key_missing(s: Symptoms) -> Finding | None:
    """A client library refused to start without a key."""
    if s.sent or s.root is None:
        return None
    if s.root.type == "openai.OpenAIError" or s.raised("AuthenticationError", "NoCredentialsError"):
        return Finding(
            Kind.CREDENTIALS,
            _USER,
            f"no usable credentials: {one_line(s.root.message)}",
            "name the environment variable that holds the key in the profile",
        )
    return None


def not_connected(s: Symptoms) -> Finding | None:
    """The connection failed at run time: name, port, TLS, scheme."""
    where = s.settings.get("base_url") or "the provider"
    if s.raised("gaierror"):
        return Finding(
            _CONFIGURATION,
            _USER,
            f"the host name of {where} cannot be resolved",
            "check base_url and this machine's network",
        )
    if s.raised("ConnectionRefusedError"):
        return Finding(
            _CONFIGURATION,
            _USER,
            f"nothing listens at {where} (connection refused)",
            "start the server, or correct base_url",
        )
    if link := s.raised("SSLCertVerificationError", "SSLError", "SSLEOFError"):
        return Finding(
            _CONFIGURATION,
            _USER,
            f"TLS with {where} failed: {one_line(link.message)}",
            "check the scheme in base_url and the certificate's authority",
        )
    if link := s.raised("UnsupportedProtocol", "LocalProtocolError"):
        return Finding(
            _CONFIGURATION,
            _USER,
            f"base_url {where!r} cannot be used: {one_line(link.message)}",
            "write it as http://HOST:PORT/v1 or https://HOST/v1",
        )
    return None


def told_of_the_network(s: Symptoms) -> Finding | None:
    """The same in words, where the exceptions are lost."""
    if s.pasted is None or (s.status is not None and s.status < 500 and s.status != 407):
        return None
    if s.pasted.provider == "none":
        return None  # it was another server of ours that did not answer
    said = one_line(s.text, 160)
    if _NO_WAY.search(s.told) and not _BROKEN.search(s.text):
        summary, step = f"nothing answers at the address: {said}", "check base_url and the network"
        return Finding(_CONFIGURATION, _USER, summary, step)
    if _NO_TIME.search(s.told):
        summary = f"no complete answer came in time: {said}"
        return Finding(_OUTAGE, _ENDPOINT, summary, "try again, or give it more time")
    if _BROKEN.search(s.told):
        summary = f"the endpoint broke off the connection: {said}"
        return Finding(_OUTAGE, _ENDPOINT, summary, "try again; if it repeats, look at its log")
    return None


def redirected(s: Symptoms) -> Finding | None:
    """The endpoint sends the request elsewhere, where it does not arrive as it was."""
    hop = s.redirecting
    if hop is None:
        return None
    target = urljoin(hop.url, hop.response_headers.get("location", ""))
    path = next((path for path in _API_PATHS if hop.url.endswith(path)), "")
    same = bool(path) and target.endswith(path)
    return Finding(
        _CONFIGURATION,
        _USER,
        f"the endpoint redirects to {target} (HTTP {hop.status})",
        f"use {target.removesuffix(path)} as base_url" if same else "correct base_url",
    )


def timed_out(s: Symptoms) -> Finding | None:
    """A request was sent and no complete answer came in time."""
    names = ("ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout", "TimeoutError")
    if not s.raised(*names, "LlmTimeout", "APITimeoutError") or s.exchange is None:
        return None
    exchange = s.exchange
    if exchange.status is None:
        what = "accepted the request and did not answer"
    else:
        what = f"began to answer (HTTP {exchange.status}) and did not come to an end"
    return Finding(
        _OUTAGE,
        _ENDPOINT,
        f"the endpoint {what} within {exchange.seconds:.3g} s",
        "try again, or give it more time with --llm-timeout=SECONDS",
    )


def not_http(s: Symptoms) -> Finding | None:
    """Something answered that does not speak HTTP; a TLS port does so, too."""
    link = s.raised("RemoteProtocolError")
    if link is None or "illegal" not in link.message or s.status is not None:
        return None
    where = s.settings.get("base_url") or "the provider's address"
    return Finding(
        _CONFIGURATION,
        _USER,
        f"what answers at {where} does not speak HTTP: {one_line(link.message, 80)}",
        "correct the port in base_url, or write https:// if it is a TLS port",
    )


def connection_broken(s: Symptoms) -> Finding | None:
    """The connection ended in the middle of an answer, or what came was not HTTP."""
    link = s.raised("RemoteProtocolError", "ReadError", "WriteError", "ConnectionResetError")
    if link is None:
        return None
    return Finding(
        _OUTAGE,
        _ENDPOINT,
        f"the endpoint broke off the connection: {one_line(link.message)}",
        _after_a_break(s),
    )


def _after_a_break(s: Symptoms) -> str:
    plain = s.exchange is not None and s.exchange.url.startswith("http://")
    if plain and s.status is None:
        return "write https:// in base_url if it is a TLS port, else look at the server's log"
    return "try again; if it repeats, look at the server's log"


RULES = (
    nothing_reachable,
    redirected,
    settings_refused,
    provider_unknown,
    key_missing,
    not_connected,
    timed_out,
    not_http,
    connection_broken,
    told_of_the_network,
)
