"""Finds the places where a credential stands, and judges whether what stands there is one.

Covers headers, assignments in any common syntax (JSON, repr, .env, command line, XML), URL queries
and URL userinfo, also when they are quoted in JSON or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_ohllm.evidence.key_shapes import PLACEHOLDERS
from pytest_ohllm.evidence.spans import Span

# Searched in lowered ASCII and grouped by letters, without IGNORECASE and named groups: so `re`
# skips ahead to possible first letters and is ten times as fast.
_NAMES = (
    r"a(?:pi(?:[-_ ]?key|[-_]?token)|ccess[-_]?(?:key|token)|uth[-_]?token)"
    r"|b(?:earer|ot)[-_]?token|(?:g(?:h|it(?:hub|lab))|h(?:f|uggingface)|id|npm)[-_]?token"
    r"|(?:oauth|refresh|s(?:ecurity|ession|lack))[-_]?token"
    r"|p(?:ass(?:w(?:or)?d|phrase)|rivate[-_]?(?:key|token))"
    r"|s(?:ecret(?:[-_]?(?:access[-_]?)?key)?|ubscription[-_]key)"
)
_OTHERS = (
    r"authorization|cookie|b(?:earer[ +]|asic )|://"
    r"|(?:auth|key|sig(?:nature)?|token)="
)
_ANCHOR = re.compile(f"{_NAMES}|{_OTHERS}".encode())
_NAME = re.compile(rf".*(?:authorization|cookie|{_NAMES})")
_QUOTE = r"(?:\\{0,8}[\"']|&(?:amp;)?(?:quot|apos|#34|#39|#x27);)"
_SEPARATOR = re.compile(
    rf"(?P<before>{_QUOTE})?\]?(?:[ ]provided)?[ \t]{{0,8}}(?P<sign>=>|:=|[:=,>]|&gt;|(?=[ ]))"
    rf"[ \t]{{0,8}}(?:[brfu]{{0,2}}(?P<after>{_QUOTE}))?"
)
_QUOTED = re.compile(r"(?![,;:)\]}>])[^\s\"'\\\0]{1,4096}")
_BARE = re.compile(r"[^\s\"'\\\0,;&<>(){}\[\]=:]{1,4096}={0,2}")
_SCHEME = re.compile(r"(?i:bearer|basic|token|apikey|api-key|key|negotiate)(?:[ +]|%20){1,4}")
_SIGNED = re.compile(r"(?i:digest|aws4-hmac-sha256|hawk|signature)[ ]{1,4}([^\r\n\"\\\0]{1,4096})")
_COOKIE = re.compile(r"[\w!#$%&*.^|~-]{1,128}=[^\r\n\"'\\\0]{0,4096}")
_QUERY_VALUE = re.compile(r"(?!=)[^\s\"'\\\0&;#<>()\]}]{1,2048}")
_QUERY_START = re.compile(r"[?&;][A-Za-z0-9_.-]{0,40}\Z")
_OPTION = re.compile(r"--[A-Za-z0-9-]{0,30}\Z")
_USERINFO = re.compile(r"([^\s\"'\\\0/?#@<>:]{0,256})(:[^\s\"'\\\0/?#@<>]{0,512})?@(?=[\w\[])")

_REFERENCE = re.compile(
    r"[$<{(]|%[(s]|#/|https?://|os\.environ|env[./:]|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z"
    r"|.*(?i:your)[-_ ]"
)
_WORDS = re.compile(r"/?[A-Za-z]+(?:[-_./ ][A-Za-z]+)*[.!?:]?")
_EXPRESSION = re.compile(r"_*[A-Za-z]\w*(?:\.\w+)+|_*[a-z]+[0-9]{0,2}(?:_[a-z]+[0-9]{0,2})+")
_LONG_WORD = re.compile(r"[A-Za-z]{20,}")
_HEX = re.compile(r"[0-9a-fA-F-]+")
_WORD = re.compile(r"[\w-]")
_ENTITY = re.compile(r"&(?:amp;)?(?:quot|apos|#34|#39|#x27);")
_CALL = {"(", "["}
_LONGEST_NAME = 64
_SHORTEST = 6
_SHORTEST_BARE = 7
_MASKED = re.compile(r"\*{3}|\.{3}|…|[xX•]{6}|REDACTED|redacted")


class CredentialPositions:
    """Credentials by their place, among them the known values that are too short to search for."""

    def __init__(self, short: Mapping[str, str]) -> None:
        """`short` maps each form of a short known value to the name under which it is shown."""
        self._short = dict(sorted(short.items(), key=lambda item: -len(item[0])))

    def spans(self, text: str) -> list[Span]:
        """Where credentials stand in `text`, in order. NUL characters are never part of one."""
        found: list[Span] = []
        done = 0
        for anchor in _ANCHOR.finditer(text.encode("ascii", "replace").lower()):
            if anchor.start() < done:
                continue
            for span in self._at(text, anchor):
                found.append(span)
                done = span[1]
        return found

    def named(self, name: str, value: str) -> Span | None:
        """What of `value` is a credential, if it is the value of a field called `name`."""
        name = name.lower()
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            return None
        if name.endswith("cookie"):
            return (0, len(value), "cookie") if _COOKIE.match(value) else None
        scheme = _SCHEME.match(value)
        start = scheme.end() if scheme else 0
        sure = scheme is not None and name.endswith("authorization")
        token = value[start:]
        if label := self._short.get(token):
            return start, len(value), label
        if (sure and not _is_placeholder(token)) or _is_secret(token, quoted=True):
            return start, len(value), "credential"
        return None

    def _at(self, text: str, anchor: re.Match[bytes]) -> Iterator[Span]:
        start, end = anchor.span()
        match anchor[0]:
            case b"://":
                yield from self._userinfo(text, end)
            case b"bearer " | b"bearer+" | b"basic ":
                yield from self._token(text, end, minimum=16)
            case b"cookie":
                yield from _cookie(text, end)
            case name if name.endswith(b"="):
                yield from self._query(text, start, end)
            case name:
                yield from self._assigned(text, start, end, header=name == b"authorization")

    def _assigned(self, text: str, start: int, end: int, header: bool) -> Iterator[Span]:
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            return
        inside = text[max(0, start - 1) : start].isalpha() and not text[start].isupper()
        if inside and text[end - 5 : end] == "token":
            return  # a valid_token is no id_token
        sign, at, quoted = separator["sign"], separator.end(), separator["after"] is not None
        if not sign and not _is_option(text, start):
            return  # prose
        scheme = _SCHEME.match(text, at) if header or quoted else None
        if sign == "," and not scheme and not _is_option(text, start):
            # ("x-api-key", "value") is a pair, ["api_key", "base_url"] a list of names.
            if quoted and separator["before"] and not header:
                yield from self._token(text, at, minimum=16)
        elif scheme:
            yield from self._token(text, scheme.end(), quoted, sure=header)
        elif header and (signed := _SIGNED.match(text, at)):
            yield *signed.span(1), "credential"
        else:
            yield from self._token(text, at, quoted)

    def _token(
        self,
        text: str,
        at: int,
        quoted: bool = False,
        sure: bool = False,
        minimum: int = 0,
    ) -> Iterator[Span]:
        """The word at `at`. `sure`: whatever stands here is a credential, except placeholders."""
        if known := list(self._known(text, at)):
            yield from known
            return
        found = (_QUOTED if quoted else _BARE).match(text, at)
        if found is None:
            return
        value = _ENTITY.split(found[0], maxsplit=1)[0] if quoted else found[0].rstrip(".")
        end = at + len(value)
        if len(value) < max(1, minimum) or _is_placeholder(found[0]):
            return
        if sure or (_is_secret(value, quoted) and (quoted or text[end : end + 1] not in _CALL)):
            yield at, end, "credential"

    def _known(self, text: str, at: int) -> Iterator[Span]:
        if self._short and (scheme := _SCHEME.match(text, at)):
            at = scheme.end()
        for form, name in self._short.items():
            end = at + len(form)
            if text.startswith(form, at) and not text[end : end + 1].isalnum():
                yield at, end, name
                return

    def _query(self, text: str, start: int, end: int) -> Iterator[Span]:
        """`?key=`, `&token=` and the like, and a `key=` anywhere if a long random value follows."""
        if _QUERY_START.search(text[max(0, start - 42) : start]):
            value = _QUERY_VALUE.match(text, end)
            if known := list(self._known(text, end)):
                yield from known
            elif value and _is_secret(value[0], quoted=True):
                yield *value.span(), "credential"
        elif text[start:end] == "key=" and not _WORD.match(text[max(0, start - 1) : start]):
            bare = _BARE.match(text, end)
            if bare and not _HEX.fullmatch(bare[0]):  # a digest, or a UUID
                yield from self._token(text, end, minimum=20)
            else:
                yield from self._known(text, end)

    def _userinfo(self, text: str, at: int) -> Iterator[Span]:
        found = _USERINFO.match(text, at)
        if found is None:
            return
        user, password = found[1], found[2]
        known = user in self._short or (password or ":")[1:] in self._short
        secret = bool(password) and len(password) > 1 and not _is_placeholder(password[1:])
        if known or secret or (len(user) >= 16 and _is_secret(user, quoted=False)):
            yield at, found.end() - 1, "url-credentials"


def _cookie(text: str, at: int) -> Iterator[Span]:
    separator = _SEPARATOR.match(text, at)
    if separator is None or not separator["sign"]:
        return
    if separator["sign"] == "," and not (separator["before"] and separator["after"]):
        return
    if value := _COOKIE.match(text, separator.end()):
        yield *value.span(), "cookie"


def _is_option(text: str, start: int) -> bool:
    """Whether the name that holds `start` is a command-line option: `--openai-api-key`."""
    return _OPTION.search(text[max(0, start - 32) : start]) is not None


def _is_placeholder(value: str) -> bool:
    return (
        value.lower() in PLACEHOLDERS
        or _REFERENCE.match(value) is not None
        or _MASKED.search(value) is not None
    )


def _is_secret(value: str, quoted: bool) -> bool:
    """Whether an unknown value looks like one. Words, sentences, references and code do not."""
    if len(value) < (_SHORTEST if quoted else _SHORTEST_BARE) or _is_placeholder(value):
        return False
    if _WORDS.fullmatch(value):
        return quoted and _LONG_WORD.fullmatch(value) is not None
    if quoted:
        return not any(char.isspace() for char in value)
    has_digit = any(char.isdigit() for char in value)
    has_letter = any(char.isalpha() for char in value)
    return has_digit and has_letter and not _EXPRESSION.fullmatch(value)
