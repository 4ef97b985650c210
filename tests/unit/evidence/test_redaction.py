"""What is known to be secret does not get through, in any encoding, cut or wrapped."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import textwrap
import time
import urllib.parse
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from pprint import pformat
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_ohllm.evidence.redaction import Redactor

KEY = "sk-proj-FAKEfakeFAKE_0123-not/a+real=key&at<all>"
PLAIN_KEY = "sk-or-v1-fake0123456789abcdeffake0123456789abcdef"

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
UNICODE = st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cn", "Co"))
KEYS = st.one_of(
    st.text(PRINTABLE, min_size=12, max_size=200),
    st.text(UNICODE, min_size=12, max_size=80),
    st.text("abcdefXYZ0123456789-_", min_size=12, max_size=200),
    st.text("\\\"'<>&%+/= \t", min_size=12, max_size=60),
    st.builds("{}{}".format, st.sampled_from(["sk-", "sk-ant-api03-", "AIza", "ghp_", "hf_"]),
              st.text("ABCabc019_-", min_size=12, max_size=120)),
)  # fmt: skip
SEVERAL = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": json.dumps,
    "json utf-8": lambda key: json.dumps(key, ensure_ascii=False),
    "json in json": lambda key: json.dumps({"body": json.dumps({"k": key})}),
    "json in json in json": lambda key: json.dumps(json.dumps(json.dumps([key]))),
    "repr": repr,
    "repr of repr": lambda key: repr(repr(key)),
    "repr beside both quotes": lambda key: repr(f"\"' {key}"),
    "repr of bytes": lambda key: repr(key.encode()),
    "url": urllib.parse.quote,
    "url, all": lambda key: urllib.parse.quote(key, safe=""),
    "url, twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "form": lambda key: urllib.parse.urlencode({"value": key}),
    "html": html.escape,
    "xml text": lambda key: html.escape(key, quote=False),
    "xml attribute": quoteattr,
    "json in html": lambda key: html.escape(json.dumps({"k": key})),
    "repr in html": lambda key: html.escape(repr(key)),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "basic auth": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64 shifted": lambda key: base64.b64encode(f"ab{key}, and so on".encode()).decode(),
    "urlsafe base64": lambda key: base64.urlsafe_b64encode(f"a{key}".encode()).decode(),
    "reversed": lambda key: key[::-1],
}

PLACES: dict[str, Callable[[str], str]] = {
    "a line of log": lambda shown: f"2026-01-01 INFO client: sending {shown} now\nnext line\n",
    "a document": lambda shown: f'{{"a": [1, 2], "b": "{shown}", "c": null}}',
    "an element": lambda shown: f"<a b='1'>{shown}</a><c/>",
    "a traceback": lambda shown: f"E   ValueError: bad key {shown}\n\ntests/a.py:3: ValueError\n",
    "a query": lambda shown: f"https://host.invalid/v1?x=1&y={shown}&z=2",
    "nothing around": str,
    "glued to letters": lambda shown: f"xyz{shown}xyz",
}


def windows(key: str, size: int = 12) -> set[str]:
    return {key[at : at + size] for at in range(len(key) - size + 1)}


def readings(text: str) -> list[str]:
    """What a curious person gets out of `text` by undoing one or two encodings."""
    texts = {text, text[::-1]}
    for _ in range(2):
        texts |= {html.unescape(each) for each in texts}
        texts |= {urllib.parse.unquote(each) for each in texts}
        texts |= {urllib.parse.unquote_plus(each) for each in texts}
        texts |= {re.sub(r"\\(u[0-9a-f]{4}|.)", unescaped, each) for each in texts}
    decoded: set[str] = set()
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", text):
        for shift in range(4):
            part = run[shift:].replace("-", "+").replace("_", "/")
            data = base64.b64decode(part[: len(part) // 4 * 4])
            decoded |= {data[at:].decode("utf-8", "replace") for at in range(3)}
    for run in re.findall(r"[0-9A-Fa-f]{24,}", text):
        for shift in range(2):
            part = run[shift:]
            data = bytes.fromhex(part[: len(part) // 2 * 2])
            decoded.add(data.decode("utf-8", "replace"))
    return [*texts, *decoded]


def unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1][1:], 16)) if escape[1][0] == "u" and escape[1][1:] else escape[1]


def leaks(text: str, key: str) -> list[str]:
    return [reading for reading in readings(text) if any(w in reading for w in windows(key))]


def cut(text: str, sizes: list[int]) -> Iterator[str]:
    """`text` in pieces of `sizes` characters, again and again."""
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(text):
            return
        yield text[at : at + size]
        at += size


class TestKnownValues:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize("key", [KEY, PLAIN_KEY, "fake\"\\key\\n'with <every> & %41 +/= sign"])
    def test_are_found_in_every_encoding(self, encoding: str, key: str) -> None:
        text = f"before {ENCODINGS[encoding](key)} after"
        assert leaks(text, key), "or the next lines would prove nothing"
        redacted = Redactor({"api_key": key}).text(text)
        assert "[REDACTED:api_key]" in redacted
        assert not leaks(redacted, key)
        assert redacted.startswith("before ")
        assert redacted.endswith(" after")

    @SEVERAL
    @given(KEYS, st.sampled_from(sorted(ENCODINGS)), st.sampled_from(sorted(PLACES)))
    def test_leave_no_twelve_characters(self, key: str, encoding: str, place: str) -> None:
        text = PLACES[place](ENCODINGS[encoding](key))
        assert not leaks(Redactor({"it": key}).text(text), key), text

    @SEVERAL
    @given(KEYS, st.data())
    def test_leave_no_twelve_characters_of_a_fragment(self, key: str, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(key) - 12))
        end = data.draw(st.integers(start + 12, len(key)))
        redacted = Redactor({"it": key}).text(f"<{key[start:end]}>")
        assert not any(window in redacted for window in windows(key))

    @SEVERAL
    @given(KEYS, st.sampled_from(sorted(ENCODINGS)))
    def test_are_redacted_once_and_for_all(self, key: str, encoding: str) -> None:
        redactor = Redactor({"it": key})
        once = redactor.text(f"api_key={ENCODINGS[encoding](key)}; and {key}!")
        assert redactor.text(once) == once
        assert redactor.contains(once) == []

    @SEVERAL
    @given(KEYS)
    def test_leave_documents_that_can_be_read(self, key: str) -> None:
        redactor = Redactor({"it": key})
        document = {"a": key, "list": [key, 1, None], "text": f"said {key}."}
        assert not leaks(json.dumps(redactor.value(document)), key)
        root = ElementTree.Element("a", {"b": redactor.text(key)})
        root.text = redactor.text(f"x {key} y")
        assert not leaks(ElementTree.tostring(root, "unicode"), key)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda key: "\n".join(textwrap.wrap(key, 20)),
            lambda key: pformat(["x", f"header {key}"], width=30),
            lambda key: "\n".join(f"E     {line}" for line in textwrap.wrap(key, 17)),
            lambda key: "\n".join(f"\x1b[31mE  {x}\x1b[0m" for x in textwrap.wrap(key, 17)),
            lambda key: "│\n│ ".join(textwrap.wrap(key, 9)),
            lambda key: json.dumps("\n".join(f"E     {x}" for x in textwrap.wrap(key, 17))),
            lambda key: " ".join(key),
            lambda key: key.encode().hex(" "),
            lambda key: ":".join(re.findall("..", key.encode().hex())),
            lambda key: "\n".join(textwrap.wrap(base64.b64encode(key.encode() * 2).decode(), 10)),
            lambda key: key.upper(),
            lambda key: urllib.parse.quote(key, safe="&=").lower(),
        ],
    )
    def test_are_found_when_a_line_ends_within(self, wrap: Callable[[str], str]) -> None:
        for key in (KEY, PLAIN_KEY):
            redacted = Redactor({"it": key}).text(f"see {wrap(key)} end")
            kept = re.sub(r"[^A-Za-z0-9]", "", redacted.replace("[REDACTED:it]", ""))
            assert len(kept) < 24, redacted  # "see", "end", quotes, and the odd letter

    @pytest.mark.parametrize(
        ("shown", "expected"),
        [
            ("'sk-or-v1-fake01...'", "'[REDACTED:it]...'"),
            ("'...e0123456789abcdef'", "'...[REDACTED:it]'"),
            ("key sk-or-v1-fake…9abcdef", "key [REDACTED:it]"),
            ("key sk-or-v1-fake…89abcdef", "key [REDACTED:it]"),
            ("sk-o****************cdef.", "[REDACTED:it]."),
            ("sk-or-v1...", "sk-or-v1..."),
            ("wait... what", "wait... what"),
        ],
    )
    def test_are_found_when_cut_short(self, shown: str, expected: str) -> None:
        redacted = Redactor({"it": PLAIN_KEY}).text(shown)
        assert redacted.replace("[REDACTED:it]…[REDACTED:it]", "[REDACTED:it]") == expected

    def test_are_named_in_the_marker_the_longest_first(self) -> None:
        redactor = Redactor({"part": PLAIN_KEY[:30], "whole": PLAIN_KEY})
        assert redactor.text(PLAIN_KEY) == "[REDACTED:whole]"

    def test_can_be_added(self) -> None:
        redactor = Redactor({"one": KEY}).with_known({"two": PLAIN_KEY})
        assert redactor.text(f"{KEY} {PLAIN_KEY}") == "[REDACTED:one] [REDACTED:two]"

    def test_that_are_empty_redact_nothing(self) -> None:
        redactor = Redactor({"api_key": ""})
        assert redactor.text("nothing 'api_key': '' here") == "nothing 'api_key': '' here"
        assert redactor.value({"api_key": ""}) == {"api_key": ""}

    def test_are_not_given_away_by_their_names_or_the_repr(self) -> None:
        redactor = Redactor({KEY: KEY, "a b/c": PLAIN_KEY})
        assert redactor.text(f"{KEY},{PLAIN_KEY}") == "[REDACTED:secret],[REDACTED:a_b_c]"
        assert not leaks(repr(redactor), KEY)


class TestShortKnownValues:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Authorization: Bearer test", "Authorization: Bearer [REDACTED:k]"),
            ("{'authorization': 'Bearer test'}", "{'authorization': 'Bearer [REDACTED:k]'}"),
            ('{"api_key": "test"}', '{"api_key": "[REDACTED:k]"}'),
            ('{\\"api_key\\": \\"test\\"}', '{\\"api_key\\": \\"[REDACTED:k]\\"}'),
            ("x-api-key: test\r\n", "x-api-key: [REDACTED:k]\r\n"),
            ("(b'x-api-key', b'test')", "(b'x-api-key', b'[REDACTED:k]')"),
            ("OPENAI_API_KEY=test", "OPENAI_API_KEY=[REDACTED:k]"),
            ("--api-key test", "--api-key [REDACTED:k]"),
            ("GET /v1?key=test&alt=sse", "GET /v1?key=[REDACTED:k]&alt=sse"),
            ("API key provided: test. You", "API key provided: [REDACTED:k]. You"),
            ("http://me:test@host.invalid/", "http://[REDACTED:url-credentials]@host.invalid/"),
            ("the test passed: test", "the test passed: test"),
            ("api_key: tests", "api_key: tests"),
        ],
    )
    def test_go_where_a_credential_stands(self, text: str, expected: str) -> None:
        assert Redactor({"k": "test"}).text(text) == expected

    def test_go_from_fields_too(self) -> None:
        redactor = Redactor({"k": "test"})
        assert redactor.value({"api_key": "test", "name": "test"}) == {
            "api_key": "[REDACTED:k]",
            "name": "test",
        }

    def test_of_six_characters_go_everywhere_unless_they_are_a_word(self) -> None:
        assert Redactor({"k": "p4ss-w"}).text("xp4ss-wx") == "x[REDACTED:k]x"
        assert Redactor({"k": "hunter"}).text("a hunter, hunters") == "a [REDACTED:k], hunters"
        assert Redactor({"k": "ollama"}).text("an ollama error") == "an ollama error"


class TestValues:
    def test_keep_their_shape(self) -> None:
        Point = namedtuple("Point", "x y")
        value = {"a": [(KEY, 1), {KEY: None}], "b": Point(KEY, 2), "n": 1.5, "t": True}
        assert Redactor({"k": KEY}).value(value) == {
            "a": [("[REDACTED:k]", 1), {"[REDACTED:k]": None}],
            "b": Point("[REDACTED:k]", 2),
            "n": 1.5,
            "t": True,
        }
        assert isinstance(Redactor({"k": KEY}).value(value)["b"], Point)

    def test_in_bytes_are_redacted(self) -> None:
        assert Redactor({"k": KEY}).value(b"\xff" + KEY.encode()) == b"\xff[REDACTED:k]"
        assert Redactor({"k": KEY}).value(bytearray(KEY.encode())) == bytearray(b"[REDACTED:k]")

    def test_two_secret_keys_stay_two(self) -> None:
        redacted = Redactor({"k": KEY}).value(OrderedDict({KEY: 1, KEY[1:]: 2}))
        assert sorted(redacted.values()) == [1, 2]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"authorization": "Bearer abc"}, {"authorization": "Bearer [REDACTED:credential]"}),
            ({"Set-Cookie": "sid=1; path=/"}, {"Set-Cookie": "[REDACTED:cookie]"}),
            ([("x-api-key", "fake0123")], [("x-api-key", "[REDACTED:credential]")]),
            ([[b"api-key", b"fake0123"]], [[b"api-key", b"[REDACTED:credential]"]]),
            (
                {"name": "api_key", "value": "fake0123"},
                {"name": "api_key", "value": "[REDACTED:credential]"},
            ),
            ({"aws_secret_access_key": "fa/ke+01"},
             {"aws_secret_access_key": "[REDACTED:credential]"}),
            ({"api_key": None, "secret": 3}, {"api_key": None, "secret": 3}),
            ({"api_key": "OPENAI_API_KEY"}, {"api_key": "OPENAI_API_KEY"}),
            ({"api_key": "**********"}, {"api_key": "**********"}),
            ({"max_tokens": "4096", "token": "hello1"}, {"max_tokens": "4096", "token": "hello1"}),
        ],
    )  # fmt: skip
    def test_of_named_fields_are_judged_by_the_name(self, value: object, expected: object) -> None:
        redactor = Redactor()
        assert redactor.value(value) == expected
        assert redactor.value(expected) == expected

    def test_without_secrets_are_returned_as_they_are(self) -> None:
        text = "nothing to see"
        assert Redactor({"k": KEY}).value(text) is text


class TestStreams:
    @SEVERAL
    @given(
        KEYS,
        st.sampled_from(sorted(ENCODINGS)),
        st.lists(st.sampled_from([1, 7, 100, 1500, 5000]), min_size=1, max_size=5),
    )
    def test_leave_as_little_as_whole_texts(
        self, key: str, encoding: str, sizes: list[int]
    ) -> None:
        shown = ENCODINGS[encoding](key)
        text = f"{'lorem ipsum ' * 150}{shown}{' dolor sit' * 150}{shown}"
        redactor = Redactor({"it": key})
        stream = redactor.stream()
        pieces = [stream.feed(piece) for piece in cut(text, sizes)]
        streamed = "".join([*pieces, stream.close()])
        assert not leaks(streamed, key)
        assert streamed == redactor.text(text)

    @pytest.mark.parametrize("size", [1, 3, 1000, 4096, 100_000])
    def test_of_any_cut_give_what_the_whole_text_gives(self, size: int) -> None:
        redactor = Redactor({"it": KEY, "short": "test"})
        line = f'POST /v1?key=test {{"api_key": "test", "x": "{KEY}"}} sk-ant-api03-{"fAkE0" * 9}\n'
        pem = f"-----BEGIN PRIVATE KEY-----\n{'FAKE' * 3000}\n-----END PRIVATE KEY-----\n"
        text = (line * 40 + "plain text, nothing more\n" * 200) * 3 + pem + line * 40
        stream = redactor.stream()
        pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join([*pieces, stream.close()]) == redactor.text(text)

    def test_without_line_ends_do_not_lose_the_name_of_a_field(self) -> None:
        redactor = Redactor({"short": "test"})
        text = '{"api_key":"test","n":17},' * 2000
        stream = redactor.stream()
        shown = "".join([stream.feed(char) for char in text] + [stream.close()])
        assert shown == text.replace('"test"', '"[REDACTED:short]"')

    def test_hold_back_a_bounded_amount(self) -> None:
        stream = Redactor({"it": "fakefakefakefake"}).stream()
        shown = sum(len(stream.feed("fake" * 4096)) for _ in range(100))
        assert 0 < shown < 10_000
        assert "fake" not in stream.close()


class TestScan:
    def test_names_what_is_left(self, tmp_path: Path) -> None:
        redactor = Redactor({"it": KEY})
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "bad.bin").write_bytes(b"\0\xff" + base64.b64encode(KEY.encode()))
        (tmp_path / "good.txt").write_text(redactor.text(KEY) + "password: hunter2x")
        (tmp_path / "other.txt").write_text(f"{PLAIN_KEY}")
        (tmp_path / "link").symlink_to(tmp_path / "other.txt")
        assert redactor.scan_folder(tmp_path) == [
            ("a/bad.bin", "it"),
            ("other.txt", "openrouter-key"),
        ]

    def test_finds_nothing_in_what_was_redacted(self) -> None:
        redactor = Redactor({"it": KEY, "short": "test"})
        text = f'{KEY} "api_key": "test" {PLAIN_KEY} https://a:b1c2d3@host.invalid'
        assert redactor.contains(text) == ["it", "openrouter-key", "short", "url-credentials"]
        assert redactor.contains(redactor.text(text).encode()) == []

    def test_sees_file_names(self, tmp_path: Path) -> None:
        (tmp_path / PLAIN_KEY).touch()
        assert Redactor({"it": PLAIN_KEY}).scan_folder(tmp_path) == [("[REDACTED:it]", "it")]


class TestTime:
    # Bounds are ten times what is measured on an idle machine of 2026.
    def test_of_a_long_log_is_linear(self) -> None:
        line = (
            "2026-01-01 00:00:00 INFO httpx: POST https://host.invalid/v1/chat/completions 200 OK "
            '{"usage": {"prompt_tokens": 17}, "text": "said \\"hello\\"\\n"}\n'
        )
        redactor = Redactor({"a": KEY, "b": PLAIN_KEY, "c": "another-fake-key-0123456789"})
        start = time.perf_counter()
        redactor.text(line * (4_000_000 // len(line)))
        assert time.perf_counter() - start < 6

    @pytest.mark.parametrize(
        "part", ["a", "sk-", '"', "://", "api_key=", "eyJ-", "\\", "%25", "-----BEGIN ", "... "]
    )
    def test_of_hostile_text_is_linear(self, part: str) -> None:
        redactor = Redactor({"a": KEY, "b": PLAIN_KEY})
        start = time.perf_counter()
        redactor.text(part * (500_000 // len(part)))
        assert time.perf_counter() - start < 5

    def test_of_a_text_that_is_all_secret_is_linear(self) -> None:
        redactor = Redactor({"a": PLAIN_KEY})
        start = time.perf_counter()
        assert redactor.text(PLAIN_KEY * 5000).startswith("[REDACTED:a]")
        assert time.perf_counter() - start < 5
