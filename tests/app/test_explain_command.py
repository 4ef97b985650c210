"""`ohllm explain`: what is pasted, what is recorded, and what is no error at all."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = "from pytest_ohllm.app.cli import main; main()"
KEY = "sk-proj-4Xt9QmZ2vLb8RkYw7HsNc3PdUf6Ge1Ja"  # nobody's
UNPAID = "litellm.BadRequestError: AcmeException - Your credit balance is too low"

Explain = Callable[..., Any]


@pytest.fixture
def explain(ohllm: Any, monkeypatch: pytest.MonkeyPatch) -> Explain:
    """`ohllm explain` in this process, with text or bytes on its standard input."""

    def run(given: str | bytes = b"", *arguments: str) -> Any:
        data = given.encode() if isinstance(given, str) else given
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return ohllm("explain", *arguments)

    return run


def jsonl(*records: Any) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


class TestPastedText:
    def test_a_person_gets_readable_lines(self, explain: Explain) -> None:
        done = explain(UNPAID)

        assert (done.code, done.err) == (0, "")
        first, *rest = done.out.splitlines()
        assert first == (
            "credentials: the account cannot pay for the request: Your credit balance is too low"
        )
        assert [line.split()[0] for line in rest] == ["blame", "next", "rule", "confidence"]

    def test_a_program_gets_json(self, explain: Explain) -> None:
        done = explain(UNPAID, "--json")

        data = json.loads(done.out)
        assert (done.code, data["schema_version"]) == (0, 1)
        assert (data["kind"], data["blame"], data["rule"]) == ("credentials", "user", "billing")
        assert data["confidence"] == "text"
        assert set(data) == {
            *("schema_version", "kind", "blame", "summary", "next_step", "rule", "confidence")
        }

    def test_a_traceback_is_one_error(self, explain: Explain) -> None:
        traceback = (
            "Traceback (most recent call last):\n"
            '  File "/x/site-packages/litellm/main.py", line 1, in completion\n'
            '    raise RateLimitError("quota")\n'
            "ModuleNotFoundError: No module named 'acme_cloud'\n"
        )

        assert "acme_cloud" in explain(traceback).out
        assert json.loads(explain(traceback, "--json").out)["rule"] == "module_missing"

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"message": "Your credit balance is too low", "code": 400}},
            {"type": "error", "error": {"type": "billing", "message": "credit balance too low"}},
            {"message": "credit balance too low", "type": "invalid_request_error", "code": "x"},
            {"detail": "credit balance too low"},
        ],
    )
    @pytest.mark.parametrize("indent", [None, 2])
    def test_the_body_of_an_answer_is_a_text_not_a_record(
        self, body: dict[str, Any], indent: int | None, explain: Explain
    ) -> None:
        done = explain(json.dumps(body, indent=indent))

        assert done.code == 0
        assert done.out.startswith("credentials: ")

    def test_from_a_file(self, explain: Explain, tmp_path: Path) -> None:
        file = tmp_path / "error.txt"
        file.write_text(UNPAID)

        assert explain("", str(file)).out == explain(UNPAID, "-").out == explain(UNPAID).out

    @pytest.mark.parametrize("given", ["", "\n \n"])
    def test_nothing_is_a_mistake(self, given: str, explain: Explain) -> None:
        done = explain(given)

        assert (done.code, done.out) == (4, "")
        assert done.err == (
            "ohllm: error: there is nothing to explain: give an error text or JSON records\n"
        )


class TestRecords:
    RECORDS = (
        {"id": "a", "message": UNPAID, "label": "ignored"},
        {"id": 7, "message": "Overloaded", "http_status": 529, "provider": "acme"},
        {"id": None, "exception_type": "litellm.AuthenticationError", "http_status": 401},
        {"message": "tmux: command not found", "deepest_frame": None, "stage_hint": None},
        {"id": {"x": [1, 2.5]}, "message": "", "http_status": "402", "model": None},
    )

    def test_each_gives_one_line_in_order_and_its_id_as_it_was(self, explain: Explain) -> None:
        done = explain(jsonl(*self.RECORDS))

        found = answers(done.out)
        assert (done.code, done.err) == (0, "")
        assert [one.get("id", "none") for one in found] == ["a", 7, None, "none", {"x": [1, 2.5]}]
        assert [one["kind"] for one in found] == [
            *("credentials", "provider_outage", "credentials", "environment", "credentials")
        ]
        for one in found:
            assert one["schema_version"] == 1 and one["confidence"] == "text"
            assert one["summary"] and one["next_step"] and one["rule"]

    def test_json_is_the_same_for_them(self, explain: Explain) -> None:
        given = jsonl(*self.RECORDS)

        assert explain(given, "--json").out == explain(given).out

    @pytest.mark.parametrize(
        "record",
        [
            {"message": None},
            {"message": ["a", {"b": 1}]},
            {"message": {"error": {"message": "x"}}, "http_status": "many"},
            {"http_status": True, "message": 3},
            {"http_status": 4e2, "message": "x"},
            {"provider": 3, "model": {}, "deepest_frame": [], "exception_type": False},
            {"message": "\ud800 \u202e \x1b[2J"},
        ],
    )
    def test_a_field_of_another_type_counts_as_missing(
        self, record: dict[str, Any], explain: Explain
    ) -> None:
        done = explain(jsonl({"exception_type": "E"}, record))

        assert (done.code, done.err) == (0, "")
        assert len(answers(done.out)) == 2

    @pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\n\n  ", b""])
    @pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\n\n"])
    def test_blank_lines_marks_and_line_ends_do_not_matter(
        self, start: bytes, end: bytes, explain: Explain
    ) -> None:
        record = b'{"id": 1, "message": "Overloaded", "http_status": 529}'

        assert len(answers(explain(start + end.join([record, record])).out)) == 2

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("oops", "line 2 is not valid JSON (expecting value at column 1)"),
            ('{"message": "cut', "line 2 is not valid JSON ("),
            ("[1]", "line 2 is a list"),
            ('"x"', "line 2 is a string"),
            ("null", "line 2 is a bare value"),
            ("{}", "line 2 is an object without these"),
            ('{"id": 3}', "line 2 is an object without these"),
            ('{"id": NaN, "message": "x"}', "line 2 is not valid JSON ("),
            ('{"id": 1e999, "message": "x"}', "line 2 is not valid JSON ("),
            ("[" * 200_000, "line 2 is not valid JSON (too deeply nested)"),
        ],
    )
    def test_a_line_that_is_none_is_named_and_costs_no_other_answer(
        self, line: str, what: str, explain: Explain
    ) -> None:
        good = json.dumps({"id": 1, "message": "Overloaded", "http_status": 529})

        done = explain(f"{good}\n{line}\n{good}\n")

        first, wrong, last = answers(done.out)
        assert done.code == 4
        assert first == last and first["kind"] == "provider_outage"
        assert wrong["line"] == 2 and wrong["error"].startswith(what)
        assert "expected a JSON object with at least one of message" in wrong["error"]
        assert done.err == f"ohllm: error: {wrong['error']}\n"

    def test_the_first_line_may_be_the_broken_one(self, explain: Explain) -> None:
        done = explain('{"message": "cut\n' + jsonl({"message": "x", "http_status": 402}))

        wrong, good = answers(done.out)
        assert (done.code, wrong["line"], good["kind"]) == (4, 1, "credentials")

    def test_all_that_is_wrong_is_counted(self, explain: Explain) -> None:
        done = explain(jsonl({"message": "x", "http_status": 402}) + "oops\n[]\n{}\n")

        assert done.err.endswith("(and 2 more lines)\n") and done.err.count("\n") == 1

    def test_a_text_with_a_record_in_it_is_a_text(self, explain: Explain) -> None:
        done = explain(f"the log says:\n{jsonl({'message': UNPAID})}")

        assert done.out.startswith("credentials: ")


class TestNothingComesOutThatMustNot:
    PLACES = (
        f"Incorrect API key provided: {KEY}. Find yours in the console.",
        f"litellm.BadRequestError: no model (api_key={KEY}) 'x' not found",
        f"Authorization: Bearer {KEY}",
        f"unknown {'x' * 130} {KEY}",
        f"x {'y' * 40_000} {KEY} {'z ' * 10_000}",
        *(f"{'y ' * count}{KEY} {'z ' * 20_000}" for count in (2000, 4080, 4085, 4090, 8180)),
    )

    @pytest.mark.parametrize("text", PLACES, ids=range(len(PLACES)))
    def test_no_key_and_no_part_of_one(self, text: str, explain: Explain) -> None:
        record = {"message": text, "model": f"m-{KEY}", "deepest_frame": KEY, "provider": KEY}
        outputs = [explain(text), explain(text, "--json"), explain(jsonl(record))]
        outputs.append(explain(f"{jsonl(record)}{text}\n"))

        for done in outputs:
            for part in (KEY, KEY[8:20], KEY[-12:]):
                assert part not in done.out + done.err

    def test_not_even_as_the_name_of_a_file(self, explain: Explain) -> None:
        done = explain("", f"Incorrect API key provided: {KEY}")

        assert done.code == 4 and done.out == ""
        assert done.err.startswith("ohllm: error: cannot read ") and KEY not in done.err
        assert "standard input" in done.err and done.err.count("\n") == 1

    @pytest.mark.parametrize(
        "junk",
        [
            b"\x1b[31mOverloaded\x1b[0m \x1b]0;title\x07 now",
            b"\x00\xff\xfe\x9b2J Overloaded \xe2\x80\xae txet",
            bytes(range(256)) * 40,
            "\u202e\u2066\U000e0041Overloaded".encode(),
        ],
    )
    @pytest.mark.parametrize("arguments", [(), ("--json",)])
    def test_nothing_that_a_terminal_obeys(
        self, junk: bytes, arguments: tuple[str, ...], explain: Explain
    ) -> None:
        done = explain(junk, *arguments)

        assert done.code == 0
        assert all(char == "\n" or char.isprintable() or char == "\ufffd" for char in done.out)

    def test_a_terminal_that_takes_ascii_only_gets_it(self, ohllm_process: Any) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "explain"],
            input="Überlastet \u2026 Overloaded".encode(),
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
            check=False,
        )

        assert done.returncode == 0 and b"Overloaded" in done.stdout
        assert done.stdout.isascii() and done.stderr == b""


class TestSizes:
    def test_a_line_of_a_hundred_megabytes_ends_quickly(self, ohllm_process: Any) -> None:
        record = json.dumps({"id": 1, "message": "Overloaded", "http_status": 529})
        huge = '{"message": "' + "x" * 100_000_000 + '"}'
        started = time.perf_counter()

        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "explain"],
            input=f"{record}\n{huge}\n{record}\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        first, wrong, last = answers(done.stdout)
        assert (done.returncode, first["kind"], last) == (4, "provider_outage", first)
        assert wrong["error"] == "line 2 is longer than 4,194,304 bytes"
        assert time.perf_counter() - started < 20  # 1 s on an idle machine

    def test_of_a_huge_text_both_ends_are_read(self, explain: Explain) -> None:
        line = '  File "/x/y.py", line 7, in f\n    call()\n'
        text = f"Traceback (most recent call last):\n{line * 200_000}acme.Error: Overloaded"

        assert explain(text).out.startswith("provider_outage: ")

    def test_many_long_records_are_all_answered(self, explain: Explain) -> None:
        long = f"litellm.BadRequestError: AcmeException - {'it failed somehow; ' * 5000}"
        records = [{"id": number, "message": long} for number in range(40)]

        done = explain(jsonl(*records))

        assert len(answers(done.out)) == 40


class TestInputs:
    @pytest.mark.parametrize("name", ["nope.txt", ".", "a\0b", "x" * 5000])
    def test_a_file_that_cannot_be_read_is_a_mistake(self, name: str, explain: Explain) -> None:
        done = explain("", name)

        assert (done.code, done.out) == (4, "")
        assert done.err.startswith("ohllm: error: cannot read ") and done.err.count("\n") == 1

    def test_at_a_terminal_it_says_what_to_do(self, folder: Path) -> None:
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "explain"],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.write(controller, b"Overloaded\n\x04")
        out, err = process.communicate(timeout=60)
        os.close(controller)
        os.close(terminal)

        assert err == "Paste an error text or JSON records, then press Ctrl-D.\n"
        assert (process.returncode, out.split(":")[0]) == (0, "provider_outage")

    def test_neither_the_sdk_nor_pytest_nor_an_http_library_is_imported(self) -> None:
        program = (
            "import sys\n"
            "from pytest_ohllm.app import cli\n"
            "assert cli.run(['explain']) == 0\n"
            "heavy = {'pytest', '_pytest', 'openhands', 'litellm', 'httpx', 'starlette', 'rich'}\n"
            "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], input=UNPAID, capture_output=True, text=True
        )

        assert (done.returncode, done.stderr.strip()) == (0, "[]")
