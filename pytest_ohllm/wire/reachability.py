"""Whether anything answers at a base URL, asked before a slow client library is even imported."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit
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
    parts = urlsplit(base_url)
    if base_url != base_url.strip() or any(c.isspace() for c in base_url):
        return _bad_url(f"base_url {base_url!r} contains white space", "remove it")
    if "://" not in base_url:
        return _bad_url(
            f"base_url {base_url!r} has no scheme", f"write http://{base_url} or https://{base_url}"
        )
    if parts.scheme not in ("http", "https"):
        return _bad_url(
            f"base_url {base_url!r} has the scheme {parts.scheme!r}", "use http:// or https://"
        )
    try:
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        return _bad_url(f"base_url {base_url!r} is not a URL: {error}", "correct it")
    if not host:
        return _bad_url(f"base_url {base_url!r} names no host", "write http://HOST:PORT/v1")
    for tail in ("/chat/completions", "/completions", "/responses", "/messages"):
        path = parts.path.rstrip("/")
        if path.endswith(tail):
            shorter = base_url.rstrip("/").removesuffix(tail)
            return _bad_url(
                f"base_url ends in {tail!r}, which the client adds itself", f"use {shorter}"
            )
    return None


def probe(base_url: str, seconds: float = CONNECT_SECONDS) -> Unreachable | None:
    """Connect to the host of ``base_url``, with TLS if it says so; send no request and no key.

    ``None`` means that something accepted the connection, or that a proxy would be asked instead
    (only the client knows how). The whole probe takes at most about ``seconds``.
    """
    if problem := malformed(base_url):
        return problem
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if getproxies().get(parts.scheme) and not proxy_bypass(host):
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            if parts.scheme == "https":
                with _tls_context().wrap_socket(connection, server_hostname=host):
                    pass
    except OSError as error:
        return _explain(error, host, port, seconds)
    except UnicodeError:
        return _bad_url(f"base_url names a host that cannot exist: {host!r}", "correct it")
    return None


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
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            "tls",
            f"the TLS certificate of {where} is not trusted: {error.verify_message}",
            "install the certificate's authority (SSL_CERT_FILE), or correct the host name",
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            "tls",
            f"{where} does not speak TLS ({error.reason or error})",
            "use http:// in base_url if the server is a plain one",
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


def _bad_url(summary: str, next_step: str) -> Unreachable:
    return Unreachable("base_url", summary, next_step)
