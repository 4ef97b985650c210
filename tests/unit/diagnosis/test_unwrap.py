"""Peeling errors: each kind of wrapper by an example, then any sequence of them, then anything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ohllm.diagnosis.explanation import explain
from pytest_ohllm.diagnosis.symptoms import Pasted
from pytest_ohllm.diagnosis.unwrap import Core, unwrap

WORDS = "the flux must be aligned"


class TestWrappers:
    @pytest.mark.parametrize(
        "text",
        [
            WORDS,
            f"litellm.BadRequestError: {WORDS}",
            f"litellm.exceptions.BadRequestError: litellm.BadRequestError: AcmeException - {WORDS}",
            f"AcmeException BadRequestError - {WORDS}",
            f"Error code: 400 - {WORDS}",
            f"400 {WORDS}",
            f"HTTP 400 Bad Request: {WORDS}",
            f"[API Error: 400 {WORDS}",
            f"Message: {WORDS}",
            f"{WORDS}. Received Model Group=m\nAvailable Model Group Fallbacks=None",
        ],
    )
    def test_prefixes_of_libraries_and_notes_of_routers_go(self, text: str) -> None:
        assert unwrap(text).text == WORDS

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"message": WORDS, "type": "invalid_request_error", "code": "bad_flux"}},
            {"error": {"message": WORDS, "code": 400}},
            {"type": "error", "error": {"type": "bad_flux", "message": WORDS}},
            [{"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT"}}],
            {"detail": [{"loc": ["body", "flux"], "msg": WORDS, "type": "value_error"}]},
            {"detail": WORDS},
            {"Message": WORDS},
            {"errors": [{"code": "bad_flux", "message": WORDS}], "status_code": 400},
            {"object": "error", "message": WORDS, "code": 400},
            {"code": "Client made a mistake", "error": WORDS},
            {"error": "Bad Request", "message": WORDS},
            {"base_resp": {"status_code": 1001, "status_msg": WORDS}},
            {"error": {"message": "Provider returned error", "metadata": {"raw": WORDS}}},
        ],
    )
    def test_the_message_of_each_vendor_s_body_is_found(self, body: Any) -> None:
        for given_as in (body, json.dumps(body), json.dumps(body, indent=2), repr(body)):
            assert unwrap(given_as).text == WORDS

    def test_the_endpoint_s_body_is_found_beside_words_of_the_client(self) -> None:
        body = {"error": {"message": "property 'store' is unsupported"}}

        core = unwrap({"code": 400, "message": "Unsuccessful response", "body": body})

        assert (core.text, core.status) == ("property 'store' is unsupported", 400)

    def test_bytes_that_were_printed_are_read(self) -> None:
        body = json.dumps({"error": {"code": 400, "message": WORDS}}, indent=2).encode()

        core = unwrap(f"litellm.BadRequestError: AcmeException - {body!r} and then some")

        assert (core.text, core.status) == (WORDS, 400)

    @pytest.mark.parametrize("cut", [4, 20, 31])
    def test_a_body_whose_end_was_cut_off_is_mended(self, cut: int) -> None:
        body = json.dumps({"error": {"message": WORDS, "param": None, "type": "invalid"}})

        assert unwrap(f"Error code: 400 - {body[:-cut]}").text == WORDS

    def test_an_argument_in_the_words_is_no_body(self) -> None:
        for said in ('Got tool arguments {"path": "/tmp"} twice', "Item 'x_1b' of 'flux' is odd"):
            assert unwrap({"error": {"message": said}}).text == said


class TestWhatIsNamed:
    def test_the_innermost_status_counts(self) -> None:
        inner = json.dumps({"error": {"code": 400, "message": WORDS}})

        core = unwrap(f"litellm.ServiceUnavailableError: Error code: 503 - {inner}")

        assert core.status == 400

    @pytest.mark.parametrize(
        ("text", "status"),
        [
            ("Error code: 429 - slow", 429),
            ("429 slow down", 429),
            ("status code: 502, message: x", 502),
            ("HTTP 503", 503),
            ("<title>403 Forbidden</title>", 403),
            ("upstream said 504 Gateway Timeout", 504),
            ("it took 500 tokens", None),
            ("model gpt-400 is odd", None),
        ],
    )
    def test_a_status_in_words(self, text: str, status: int | None) -> None:
        assert unwrap(text).status == status

    @pytest.mark.parametrize("code", [0, 99, 600, 1113, "²²²", "9" * 5000, True, None, [400]])
    def test_a_code_that_is_no_status_is_none(self, code: Any) -> None:
        assert unwrap({"error": {"message": WORDS, "code": code}}).status is None

    def test_codes_go_from_the_inside_out_and_fields_are_named(self) -> None:
        inner = {"type": "bad_flux", "param": "flux", "message": WORDS}
        body = {"code": "outer", "error": inner}

        core = unwrap(body)

        assert core.codes == ("bad_flux", "outer")
        assert core.fields == ("flux",)

    def test_a_place_in_the_body_is_a_field(self) -> None:
        body = {"detail": [{"loc": ["body", "messages", 3, "content"], "msg": WORDS}]}

        assert unwrap(body).fields == ("messages.3.content",)

    def test_of_a_traceback_frames_and_classes_are_kept_and_source_lines_are_not(self) -> None:
        core = unwrap(
            "Traceback (most recent call last):\n"
            '  File "/x/litellm/main.py", line 7, in completion\n'
            "    raise AuthenticationError(quota_exceeded)\n"
            "    ^^^^^^^^^^^^^^^^^^^^^^^^^\n"
            '  File "/x/acme/client.py", line 9, in post\n'
            "    return billing()\n"
            f"acme.FluxError: {WORDS}\n"
        )

        assert core.frames == ("/x/litellm/main.py:completion", "/x/acme/client.py:post")
        assert "acme.FluxError" in core.classes
        assert core.text == WORDS

    def test_wrapped_lines_and_typographic_quotes_become_plain(self) -> None:
        assert unwrap("\x1b[31misn\u2019t\n  \u201csupported\u201d\x1b[0m").text == (
            'isn\'t "supported"'
        )


WRAPPERS: tuple[Callable[[str], str], ...] = (
    lambda text: f"litellm.BadRequestError: {text}",
    lambda text: f"litellm.exceptions.APIError: litellm.APIError: AcmeException - {text}",
    lambda text: f"Error code: 503 - {text}",
    lambda text: json.dumps({"error": {"message": text, "type": "outer", "code": "503"}}),
    lambda text: json.dumps({"error": {"message": text, "code": 500}}, indent=2),
    lambda text: repr({"error": {"message": text, "type": None, "param": None}}),
    lambda text: repr(json.dumps({"message": text}).encode()),
    lambda text: json.dumps({"detail": text}),
    lambda text: json.dumps({"error": {"message": "upstream", "metadata": {"raw": text}}}),
    lambda text: f"{text}. Received Model Group=m\nAvailable Model Group Fallbacks=None",
    lambda text: f"\n  {text}\n",
)
"""What passes an error on, with a status of its own."""


class TestAnySequenceOfWrappers:
    @given(wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=4), data=st.data())
    @settings(max_examples=150, deadline=None)
    def test_the_innermost_message_and_status_come_out(
        self, wrappers: list[Callable[[str], str]], data: st.DataObject
    ) -> None:
        status = data.draw(st.sampled_from([400, 404, 422, 429]))
        text = json.dumps({"error": {"code": status, "message": WORDS, "param": "flux"}})
        for wrap in wrappers:
            text = wrap(text)

        core = unwrap(text)

        assert (core.text, core.status, core.fields[:1]) == (WORDS, status, ("flux",))

    @given(message=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
    @settings(max_examples=150, deadline=None)
    def test_json_gives_back_any_message_without_structure(self, message: str) -> None:
        core = unwrap(json.dumps({"error": {"message": f"It says {message}"}}))

        assert core.text.startswith("It says")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "metadata", "raw", "code", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
PIECES = st.sampled_from(
    [*"{}[]\"'\\:,²\0\ud800", "b'", "error", "message", " - ", "\n", "400 ", "Error code: "]
) | st.sampled_from(["litellm.", "Error: ", 'File "', ", line 3, in ", "null"])


class TestAnything:
    @given(value=JSON)
    @settings(max_examples=150, deadline=None)
    def test_no_json_breaks_it(self, value: Any) -> None:
        assert isinstance(unwrap(value), Core)

    @given(text=st.lists(PIECES | st.text(max_size=5), max_size=60).map("".join))
    @settings(max_examples=150, deadline=None)
    def test_no_text_breaks_it_or_its_diagnosis(self, text: str) -> None:
        core = unwrap(text)
        diagnosis = explain(Pasted(text))

        assert len(core.text) <= 5000
        assert diagnosis.summary and "\n" not in diagnosis.summary

    @given(junk=st.binary(max_size=300))
    @settings(max_examples=60, deadline=None)
    def test_no_bytes_break_it(self, junk: bytes) -> None:
        assert isinstance(unwrap(junk), Core)


_SIGNS = list("([{\"'\\<²4A \n\t\0模")
_SHORT = ["a.", "A_", "aB", "A-B-", "a_", " .", "b'", '["', "x{", '{"a":', '{"error":', ', "a": ']
_WORDS = (
    "messages",
    "message role must",
    "tool call",
    "tool_calls",
    "content",
    "exceeds",
    "model",
    "the model 'a'",
    "api key",
    "token",
    "no",
    "not",
    "invalid",
    "input",
    "400",
    "status",
    "Error:",
    "Exception -",
    "image",
    "account",
    "returns",
    "container",
    "runtime",
    "concurrent",
    "12 tokens in the",
    "it never",
)
_OTHERS = ("aError", 'File "', "POST /", "{%- ", "\x1b[", "Received Model Group=")
_LINES = ("Traceback (most recent call last):\n", '  File "x", line 1\n')
_UNITS = (*_SIGNS, *_SHORT, *(f"{word} " for word in _WORDS), *_OTHERS, *_LINES)


class TestHostileTexts:
    """64 KiB of anything take less than 200 ms of work: no pattern looks back again and again."""

    @pytest.mark.parametrize("unit", _UNITS, ids=repr)
    def test_a_long_repetition_ends_quickly(self, unit: str) -> None:
        text = unit * (64 * 1024 // len(unit))
        for hostile in (text, f"{text}!", json.dumps({"error": {"message": text}})):
            started = time.process_time()
            explain(Pasted(hostile))
            assert time.process_time() - started < 2.0  # backtracking took half a minute

    @given(units=st.lists(st.sampled_from(_UNITS), min_size=2, max_size=5))
    @settings(max_examples=25, deadline=None)
    def test_so_does_any_mixture(self, units: list[str]) -> None:
        mixture = "".join(units)
        text = mixture * (64 * 1024 // len(mixture))
        started = time.process_time()
        explain(Pasted(text))
        assert time.process_time() - started < 2.0  # backtracking took half a minute

    def test_a_text_of_many_megabytes_does_too(self) -> None:
        text = "x" * 50_000_000
        started = time.process_time()
        explain(Pasted(text))
        assert time.process_time() - started < 2.0  # backtracking took half a minute

    def test_of_a_long_text_both_ends_are_read(self) -> None:
        line = '  File "/x/y.py", line 7, in f\n    call()\n'
        traceback = f"Traceback (most recent call last):\n{line * 3000}acme.FluxError: {WORDS}"

        assert WORDS in unwrap(traceback).text
