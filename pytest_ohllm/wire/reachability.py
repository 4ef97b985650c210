"""Whether anything answers at a base URL, asked before a slow client library is even imported."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

CONNECT_SECONDS = 5.0
"""Time for name lookup, connection and TLS handshake."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why no request can be sent; ``reason`` is a stable word, the rest is prose."""

    reason: str
    summary: str
    next_step: str


def malformed(base_url: str) -> Unreachable | None:
    """What is wrong with the URL itself, judged without any connection."""
    shown = _shown(base_url)
    if any(c.isspace() or not c.isprintable() for c in base_url):
        return _bad_url(f"base_url {shown!r} contains white space", "remove it")
    if "://" not in base_url:
        return _bad_url(
            f"base_url {shown!r} has no scheme", f"write http://{shown} or https://{shown}"
        )
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return _bad_url(f"base_url {shown!r} is not a URL: {error}", "correct it")
    if parts.scheme not in ("http", "https"):
        return _bad_url(
            f"base_url {shown!r} has the scheme {parts.scheme!r}", "use http:// or https://"
        )
    if not host or port == 0:
        lack = "host" if not host else "usable port"
        return _bad_url(f"base_url {shown!r} names no {lack}", "write http://HOST:PORT/v1")
    path = parts.path.rstrip("/")
    for tail in ("/chat/completions", "/completions", "/responses", "/messages"):
        if path.endswith(tail):
            shorter = urlunsplit(parts._replace(path=path.removesuffix(tail)))
            return _bad_url(
                f"base_url ends in {tail!r}, which the client adds itself", f"use {_shown(shorter)}"
            )
    return None


def probe(base_url: str, seconds: float | None = None) -> Unreachable | None:
    """Connect to the host of ``base_url``, with TLS if it says so; send no request and no key.

    ``None`` means that something accepted the connection, or that a proxy would be asked instead
    (only the client knows how). Each address of the host gets ``seconds``, by default
    CONNECT_SECONDS.
    """
    seconds = CONNECT_SECONDS if seconds is None else seconds
    if problem := malformed(base_url):
        return problem
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if getproxies().get(parts.scheme) and not proxy_bypass(host):
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        connection = socket.create_connection((host, port), timeout=seconds)
    except OSError as error:
        return _explain(error, host, port, seconds)
    except UnicodeError:
        return _bad_url(f"base_url names a host that cannot exist: {host!r}", "correct it")
    with connection:
        if parts.scheme == "https":
            return _shake_hands(connection, host, port, seconds)
    return None


def _shake_hands(
    connection: socket.socket, host: str, port: int, seconds: float
) -> Unreachable | None:
    where = f"{host}:{port}"
    try:
        with _tls_context().wrap_socket(connection, server_hostname=host):
            return None
    except ssl.SSLCertVerificationError as error:
        return Unreachable(
            "tls",
            f"the TLS certificate of {where} is not trusted: {error.verify_message}",
            "install the certificate's authority (SSL_CERT_FILE), or correct the host name",
        )
    except TimeoutError:
        why = f"no answer to a TLS handshake within {seconds:g} s"
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or str(error)
    return Unreachable(
        "tls",
        f"{where} does not speak TLS ({why})",
        "use http:// in base_url if the server is a plain one",
    )


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        import certifi

        context.load_verify_locations(certifi.where())
    except (ImportError, OSError):
        pass  # the system's own certificates remain
    return context


def _explain(error: OSError, host: str, port: int, seconds: float) -> Unreachable:
    where = f"{host}:{port}"
    if isinstance(error, socket.gaierror):
        return Unreachable(
            "dns",
            f"the host name {host!r} cannot be resolved",
            "check the spelling of base_url and this machine's network",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            "timeout",
            f"{where} did not accept a connection within {seconds:g} s",
            "check base_url, the firewall and whether the server is up",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            "refused",
            f"nothing listens at {where} (connection refused)",
            "start the server, or correct the host and port in base_url",
        )
    return Unreachable(
        "unreachable",
        f"{where} cannot be reached: {error.strerror or error}",
        "check base_url and this machine's network",
    )


def _shown(url: str) -> str:
    """The URL without user and password, which may be there even if the rest is wrong."""
    return re.sub(r"(^|//)[^/@]*@", r"\1", url)


def _bad_url(summary: str, next_step: str) -> Unreachable:
    return Unreachable("base_url", summary, next_step)
