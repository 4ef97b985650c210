from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from pytest_ohllm.simulator import journal
from pytest_ohllm.simulator.response import Call

Connect = Callable[..., Any]

ODD_KEY = "sk-odd/key+with=signs&more"


def test_a_request_is_kept_with_what_it_asked_and_how_it_was_answered(connect: Connect) -> None:
    client = connect("no-native-tools")
    client.post("Say hello.", tools=[{"type": "function", "function": {"name": "t"}}])
    client.http.get("models")
    first, second = client.simulator.journal
    assert (first.number, first.method, first.path) == (1, "POST", "/v1/chat/completions")
    assert first.body["messages"] == [{"role": "user", "content": "Say hello."}]
    assert (first.personality, first.status) == ("no-native-tools", 400)
    assert first.headers["content-type"] == "application/json"
    assert (second.number, second.path, second.body, second.status) == (2, "/v1/models", None, 200)
    assert list(client.simulator.journal[1:]) == [second]


def test_no_key_is_in_the_journal_wherever_it_was_sent(connect: Connect) -> None:
    client = connect(api_key=ODD_KEY)
    other = "another-key-0123456789"
    client.post(f"my key is {ODD_KEY}", user=quote(ODD_KEY, safe=""), api_key=other)
    client.http.get("models", params={"key": ODD_KEY}, headers={"x-api-key": other})
    client.http.post("chat/completions", content=b"{broken " + ODD_KEY.encode())
    client.http.post("nowhere", json={ODD_KEY: [other]}, headers={"Authorization": other})
    text = repr(list(client.simulator.journal))
    assert len(client.simulator.journal) == 4
    for form in (ODD_KEY, quote(ODD_KEY), quote(ODD_KEY, safe=""), other):
        assert form not in text
    assert base64.b64encode(ODD_KEY.encode()).decode() not in text
    assert text.count(journal.MASK) > 6


def test_a_key_that_only_another_endpoint_takes_is_masked_too(connect: Connect) -> None:
    client = connect()
    client.http.headers["Authorization"] = "Bearer real-key-of-a-careless-user"
    client.post("it is real-key-of-a-careless-user")
    assert "careless" not in repr(client.simulator.journal)


def test_only_the_newest_requests_are_kept() -> None:
    kept = journal.Journal("sk-key-0123456789")
    call = Call("POST", "/v1/chat/completions", {}, b"{}")
    for _ in range(journal.MAX_ENTRIES + 5):
        kept.record(call, "default", 200)
    assert len(kept) == journal.MAX_ENTRIES
    assert kept[0].number == 6
    assert kept[-1].number == journal.MAX_ENTRIES + 5


def test_large_bodies_push_old_ones_out() -> None:
    kept = journal.Journal("sk-key-0123456789")
    call = Call("POST", "/v1/chat/completions", {}, b'"' + b"x" * (journal.MAX_BYTES // 3) + b'"')
    for _ in range(4):
        kept.record(call, "default", 200)
    assert [entry.number for entry in kept] == [3, 4]
    kept.clear()
    assert list(kept) == []
