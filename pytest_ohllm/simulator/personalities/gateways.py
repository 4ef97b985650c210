"""Personalities of what stands before the model: gateways, proxies, web servers and wires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf

from pytest_ohllm.simulator.personalities.declaration import Intercept, Personality
from pytest_ohllm.simulator.response import (
    HTML,
    Call,
    Refusal,
    Response,
    Step,
    Wait,
    json_bytes,
)
from pytest_ohllm.simulator.turn import Turn

DRIP_SECONDS = 0.05
"""Pause between two bytes of the ``drip`` personality; any read timeout above it never fires."""

_WELCOME = b"""<!DOCTYPE html>
<html><head><title>Welcome</title></head>
<body><h1>It works!</h1><p>The web server is running.</p></body></html>
"""
_NOT_FOUND = b"""<html>
<head><title>404 Not Found</title></head>
<body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body>
</html>
"""


_WAF = b"""<!DOCTYPE html>
<html lang="en-US"><head><title>Attention Required! | Cloudflare</title></head>
<body><h1>Sorry, you have been blocked</h1>
<h2>You are unable to access this site</h2>
<p>This website is using a security service to protect itself from online attacks.</p>
<span>Cloudflare Ray ID: <strong>8a1b2c3d4e5f6789</strong></span></body></html>
"""
_BAD_GATEWAY = b"""<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body>
</html>
"""


def _always(answer: Response | Refusal) -> Intercept:
    return lambda call, key: answer


def _bad_key(call: Call, key: str | None) -> Refusal:
    """The worst that a provider can do with a key: it stands in the body and in a header."""
    return Refusal(
        401,
        f"Incorrect API key provided: {key or ''}. You can find your API key in your settings.",
        code="invalid_api_key",
        headers={"x-received-key": key or ""},
    )


def _site(call: Call, key: str | None) -> Response | None:
    """A web site, whose API stands below /v1 only."""
    return None if call.path.startswith("/v1/") else Response(200, (_WELCOME,), HTML)


class _Drip:
    """An endless body of white space, in front of JSON that never comes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __iter__(self) -> Iterator[Step]:
        while True:
            yield b" "
            yield Wait(self.seconds)


def drip(seconds: float) -> Response:
    """A response with status 200 that sends one byte every ``seconds`` and never ends."""
    return Response(200, _Drip(seconds))


def _truncated(turn: Turn, response: Response) -> Response:
    """A stream that stops half-way as if it were over, or a document shorter than announced."""
    if turn.stream:
        frames = list(response.steps)
        return replace(response, steps=frames[: len(frames) // 2])
    body = _joined(response.steps)
    length = {"content-length": str(len(body))}
    headers = {**response.headers, **length}
    return replace(response, steps=(body[: len(body) // 2],), headers=headers, complete=False)


def _error_in_200(turn: Turn, response: Response) -> Response:
    raw = json_bytes({"error": {"message": "upstream connect error", "type": "server_error"}})
    metadata = {"raw": raw.decode(), "provider_name": "Sim"}
    error = {"message": "Provider returned error", "code": 502, "metadata": metadata}
    body = json_bytes({"error": error, "user_id": "user_sim"})
    return Response(
        200, (b"data: " + body + b"\n\n" if turn.stream else body,), response.content_type
    )


def _joined(steps: Iterable[Step]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


PERSONALITIES = (
    Personality(
        "bad-key",
        "401 for every key, which it echoes in the body and in a header",
        stage="A",
        kind="credentials",
        intercept=(_bad_key,),
    ),
    Personality(
        "down",
        "503 on every path",
        stage="A",
        kind="provider_outage",
        intercept=(
            _always(
                Refusal(
                    503,
                    "The engine is currently overloaded, please try again later.",
                    type="service_unavailable",
                )
            ),
        ),
    ),
    Personality(
        "html-404",
        "a web server's 404 page on every path",
        stage="A",
        kind="configuration",
        intercept=(_always(Response(404, (_NOT_FOUND,), HTML)),),
    ),
    Personality(
        "html-200",
        "an HTML page with status 200 on every path",
        stage="A",
        kind="configuration",
        intercept=(_always(Response(200, (_WELCOME,), HTML)),),
    ),
    Personality(
        "empty-body",
        "status 200 and not one byte of body",
        stage="A",
        kind="provider_outage",
        intercept=(_always(Response(200)),),
    ),
    Personality(
        "truncated-stream",
        "streams end half-way without finish reason or [DONE]; documents are cut by a disconnect",
        stage="A",
        kind="provider_outage",
        deliver=(_truncated,),
    ),
    Personality(
        "hang",
        "accepts the request and never answers",
        stage="A",
        kind="provider_outage",
        intercept=(_always(Response(None, (Wait(inf),))),),
    ),
    Personality(
        "drip",
        "sends one blank after another for ever, too fast for any read timeout",
        stage="A",
        kind="provider_outage",
        intercept=(_always(drip(DRIP_SECONDS)),),
    ),
    Personality(
        "missing-v1",
        "the profile's base URL lacks the /v1 below which the server answers",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        base_path="",
        remedy={"base_url": "/v1"},
    ),
    Personality(
        "html-without-v1",
        "an HTML page with status 200 where the base URL points; the API stands below /v1",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        base_path="",
        remedy={"base_url": "/v1"},
        intercept=(_site,),
    ),
    Personality(
        "waf-page",
        "403 with a firewall's HTML page on every path",
        stage="A",
        kind="configuration",
        intercept=(
            _always(
                Response(403, (_WAF,), HTML, {"server": "cloudflare", "cf-mitigated": "block"})
            ),
        ),
    ),
    Personality(
        "bad-gateway",
        "502 with a web server's HTML page on every path",
        stage="A",
        kind="provider_outage",
        intercept=(_always(Response(502, (_BAD_GATEWAY,), HTML)),),
    ),
    Personality(
        "gateway-timeout",
        "504 with a sentence of plain text on every path",
        stage="A",
        kind="provider_outage",
        intercept=(_always(Response(504, (b"upstream request timeout",), "text/plain")),),
    ),
    Personality(
        "error-in-200",
        "an error object with status 200, as OpenRouter passes on a provider's failure",
        stage="A",
        kind="provider_outage",
        deliver=(_error_in_200,),
    ),
)
