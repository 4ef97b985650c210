"""What is wrong with an address before anything is sent to it."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from pytest_ohllm.profiles.confidential import shown_url

_PASTED = ("/chat/completions", "/completions", "/responses", "/messages")
"""Paths that clients append themselves; longer ones first."""


def check_base_url(url: str | None, model: str) -> str | None:
    """The problem with an endpoint, in one line that says what to do, or ``None``.

    ``url`` is ``None`` for a provider's own address. User and password in it are allowed; they are
    secret (``Connection.confidential``), and no message repeats them.
    """
    if problem := _check_model(model):
        return problem
    if url is None:
        return None
    if not url:
        return "the base_url is empty: give one such as http://localhost:8000/v1, or none"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "the base_url holds a space, a line break or an unprintable character: remove it"
    if "://" not in url:
        return f"the base_url {shown_url(url)} has no scheme: add http:// or https:// before it"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"the base_url {shown_url(url)} is malformed: check its host and port"
    if parts.scheme not in ("http", "https"):
        return f"the base_url {shown_url(url)} has the scheme {parts.scheme!r}: use http or https"
    if not parts.hostname or port == 0:
        lack = "host" if not parts.hostname else "usable port"
        return f"the base_url {shown_url(url)} has no {lack}: write it as http://HOST:PORT/v1"
    return _check_path(parts, model)


def _check_model(model: str) -> str | None:
    if not model.strip():
        return "the model is empty: give one such as openai/gpt-4o"
    if model != model.strip():
        return f"the model {model!r} starts or ends with a space: remove it"
    return None


def _check_path(parts: SplitResult, model: str) -> str | None:
    path = parts.path.rstrip("/")
    for pasted in _PASTED:
        if path.endswith(pasted):
            left = path.removesuffix(pasted)
            if model.startswith("anthropic/"):
                left = left.removesuffix("/v1")  # its client appends /v1/messages
            base = urlunsplit((parts.scheme, parts.netloc, left, "", ""))
            return (
                f"the base_url {shown_url(urlunsplit(parts))} ends in {pasted}, which is appended: "
                f"remove it, so that it is {shown_url(base)}"
            )
    return None
