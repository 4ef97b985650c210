"""The shapes one secret takes on its way into a log: escaped, quoted, encoded, turned round."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

_URL_SAFE = (
    "",  # everything
    "/",  # urllib's default
    "!'()*",  # encodeURIComponent
    ":/?#[]@!$&'()*+,;=",  # encodeURI, and httpx in a path
)


def escaped_forms(secret: str) -> set[str]:
    """`secret` itself and as up to two nested text formats would write it (JSON, repr, XML, URL).

    JSON in JSON, a repr in JSON, JSON in XML and so on: a report quotes a log that quotes a body.
    """
    once = {secret} | _apply(_ESCAPES, [secret])
    twice = _apply(_TEXT_ESCAPES, once)
    return once | twice | _apply((_xml, _html), twice)


def encoded_forms(secret: str) -> set[str]:
    """`secret` reversed, in hex and in base64 (all three alignments, without the edge characters).

    Of the base64 alphabet, only characters that `secret` alone determines are kept, so that a form
    is found whatever stands before and after the secret in the encoded bytes.
    """
    forms = {secret[::-1]}
    for text in {secret, _json(secret)}:
        data = text.encode("utf-8", "surrogatepass")
        forms |= {data.hex(), data.hex().upper()}
        for shift in range(3):
            core = base64.b64encode(bytes(shift) + data).decode()
            core = core[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms


def _apply(functions: Iterable[Callable[[str], str]], texts: Iterable[str]) -> set[str]:
    texts = list(texts)
    return {function(text) for function in functions for text in texts}


def _url(safe: str, lower: bool) -> Callable[[str], str]:
    def escape(text: str) -> str:
        quoted = quote(text, safe=safe, errors="surrogatepass")
        return _lower_percent(quoted) if lower else quoted

    return escape


def _lower_percent(quoted: str) -> str:
    head, *rest = quoted.split("%")
    return head + "".join("%" + part[:2].lower() + part[2:] for part in rest)


def _form(text: str) -> str:
    return quote_plus(text, errors="surrogatepass")


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _json_utf8(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _json_slash(text: str) -> str:  # PHP
    return _json(text).replace("/", "\\/")


def _json_html(text: str) -> str:  # Go's encoding/json, jinja2's tojson
    for char in "<>&'":
        text = text.replace(char, f"\0{ord(char):04x}")
    return _json(text).replace("\\u0000", "\\u")


def _repr(text: str) -> str:
    return repr(text)[1:-1]


def _repr_both_quotes(text: str) -> str:  # as in a longer string that holds " and '
    return repr("\"'" + text)[4:-1]


def _repr_bytes(text: str) -> str:
    return repr(text.encode("utf-8", "surrogatepass"))[2:-1]


def _xml(text: str) -> str:
    return html.escape(text, quote=False)


def _xml_attribute(text: str) -> str:
    return _xml(text).replace('"', "&quot;")


def _html(text: str) -> str:
    return html.escape(text)


def _markup(text: str) -> str:  # markupsafe, hence jinja2 and pytest-html
    return _xml(text).replace('"', "&#34;").replace("'", "&#39;")


_TEXT_ESCAPES = (
    _json,
    _json_utf8,
    _repr,
    _repr_both_quotes,
    _xml,
    _html,
    _markup,
)
_ESCAPES = (
    *_TEXT_ESCAPES,
    *(_url(safe, lower) for safe in _URL_SAFE for lower in (False, True)),
    lambda text: quote(quote(text, safe="", errors="surrogatepass"), safe=""),
    _form,
    _json_slash,
    _json_html,
    _repr_bytes,
    _xml_attribute,
)
