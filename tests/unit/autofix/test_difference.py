"""Conditions tell the request that failed from the one that worked, whatever the two are."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_ohllm.evidence.difference import conditions
from pytest_ohllm.evidence.repro_script import holds
from pytest_ohllm.model import Exchange

CHAT = "https://api.example/v1/chat/completions"
RESPONSES = "https://api.example/v1/responses"


def exchange(request: Any, url: str = CHAT) -> Exchange:
    """A request, as it is kept."""
    return Exchange(method="POST", url=url, request=request, status=200)


def found(failing: Any, working: Any, urls: tuple[str, str] = (CHAT, CHAT)) -> list[dict[str, Any]]:
    """The conditions, as they are written to a file and read back."""
    told = conditions(exchange(failing, urls[0]), exchange(working, urls[1]))
    plain: list[dict[str, Any]] = json.loads(json.dumps(told))
    return plain


def path(url: str) -> str:
    """What an endpoint gets to see of it."""
    return url.removeprefix("https://api.example")


KEYS = st.sampled_from(["role", "type", "content", "messages", "tools", "a", "*", ""])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 2)
    | st.sampled_from(["", "x", "user", "1"])
    # As a float that is whole is read back.
    | st.sampled_from([0.0, 1.0, 0.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=4)
MESSAGES = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.fixed_dictionaries(
                {"role": st.sampled_from(["user", "assistant", "tool"]), "content": VALUES},
                optional={"tool_calls": st.lists(BODIES, max_size=2), "reasoning": st.just("x")},
            ),
            max_size=4,
        )
    },
    optional={"stop": st.lists(st.just("x")), "temperature": st.just(1)},
)


@settings(max_examples=400)
@given(
    st.one_of(st.tuples(VALUES, VALUES), st.tuples(BODIES, BODIES), st.tuples(MESSAGES, MESSAGES))
)
@example(({"m": [{"a": 1}, {"a": 2}]}, {"m": [{"a": 2}, {"a": 1}]}))
@example(({"m": [{"a": 1}, {"a": 1, "b": 2}]}, {"m": [{"a": 1, "b": 2}]}))
@example(([], {}))
@example((None, {"a": 1}))
@example(({"a": True}, {"a": 1}))
@example(({"a": [True, {}]}, {"a": [1]}))
@example(({"*": [1]}, {"*": [2]}))
@example(({"a": [[], 1]}, {"a": [[]]}))
def test_they_hold_for_the_one_that_failed_and_not_for_the_one_that_worked(
    pair: tuple[Any, Any],
) -> None:
    failing, working = pair

    for condition in found(failing, working):
        assert holds(condition, path(CHAT), failing), condition
        assert not holds(condition, path(CHAT), working), condition


@given(BODIES)
def test_equal_requests_have_none(body: Any) -> None:
    assert found(body, body) == []


@given(BODIES, BODIES, st.data())
def test_a_field_more_is_always_found(body: Any, more: Any, data: st.DataObject) -> None:
    failing = {**body, "stop": data.draw(VALUES)}

    assert {"kind": "present", "path": ["stop"]} in found(failing, body)


@given(BODIES)
def test_a_request_that_has_neither_holds_none_of_them(other: Any) -> None:
    """The SDK after its repair sends something else than the request that worked."""
    (condition,) = found({"messages": [], "stop": ["x"]}, {"messages": []})

    assert holds(condition, path(CHAT), other | {"messages": [1]}) is ("stop" in other)


@pytest.mark.parametrize(
    ("failing", "working", "expected"),
    [
        (
            {"model": "m", "stop": ["x"]},
            {"model": "m"},
            [{"kind": "present", "path": ["stop"]}],
        ),
        (
            {"model": "m"},
            {"model": "m", "reasoning": {}},
            [
                {
                    "kind": "absent",
                    "path": ["reasoning"],
                    "like": {"role": None, "type": None, "names": ["model"]},
                }
            ],
        ),
        ({"n": 1}, {"n": 2}, [{"kind": "value", "path": ["n"], "value": 1}]),
        ({"n": "1"}, {"n": 1}, [{"kind": "type", "path": ["n"], "type": "str"}]),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            {"messages": [{"role": "user", "content": "text"}]},
            [{"kind": "type", "path": ["messages", "*", "content"], "type": "list"}],
        ),
        (
            {"messages": [{"role": "assistant", "content": None}, {"role": "user", "content": ""}]},
            {"messages": [{"role": "assistant", "content": ""}, {"role": "user", "content": ""}]},
            [{"kind": "type", "path": ["messages", "*", "content"], "type": "NoneType"}],
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": []}]},
            {"messages": [{"role": "assistant", "tool_calls": [], "reasoning_content": "x"}]},
            [
                {
                    "kind": "absent",
                    "path": ["messages", "*", "reasoning_content"],
                    "like": {"role": "assistant", "type": None, "names": ["role", "tool_calls"]},
                }
            ],
        ),
        (
            {"tools": [{"type": "function"}, {"type": "mcp"}]},
            {"tools": [{"type": "function"}]},
            [
                {
                    "kind": "item",
                    "path": ["tools"],
                    "like": {"role": None, "type": "mcp", "names": ["type"]},
                }
            ],
        ),
        (
            {"input": [{"type": "message"}]},
            {"input": [{"type": "message"}, {"type": "reasoning"}]},
            [
                {
                    "kind": "lacking",
                    "path": ["input"],
                    "like": {"role": None, "type": "reasoning", "names": ["type"]},
                }
            ],
        ),
        (
            {"stop": ["a"]},
            {"stop": ["a", "b"]},
            [{"kind": "value", "path": ["stop"], "value": ["a"]}],
        ),
        # The same value stands elsewhere in what worked: it cannot be the reason.
        (
            {"m": [{"a": 1}, {"a": 2}]},
            {"m": [{"a": 2}, {"a": 2}]},
            [{"kind": "value", "path": ["m", "*", "a"], "value": 1}],
        ),
        ({"m": [{"a": 1}, {"a": 2}]}, {"m": [{"a": 2}, {"a": 1}]}, []),
    ],
)
def test_what_makes_the_difference(failing: Any, working: Any, expected: Any) -> None:
    assert found(failing, working) == expected


def test_another_operation_is_the_whole_difference() -> None:
    told = found({"messages": []}, {"input": []}, (CHAT, RESPONSES))

    assert told == [{"kind": "url", "ends": "/chat/completions"}]
    assert holds(told[0], "/v1/chat/completions?x=1", {})
    assert not holds(told[0], "/v1/responses", {})


def test_another_host_or_version_is_no_difference() -> None:
    assert found({}, {}, (CHAT, "https://other.example/api/v2/chat/completions")) == []


def test_an_operation_that_the_end_of_the_path_does_not_tell() -> None:
    urls = ("https://api.example/responses", RESPONSES)

    for condition in found({"a": 1}, {"a": 2}, urls):
        assert not holds(condition, "/v1/responses", {"a": 2})


@pytest.mark.parametrize("body", [None, "text", 1, [], ["x"], True])
def test_a_body_that_is_no_object_has_no_conditions(body: Any) -> None:
    assert found(body, {"a": 1}) == []
    assert found({"a": 1}, body) in ([], [{"kind": "present", "path": ["a"]}])


def test_they_come_in_the_same_order_every_time() -> None:
    """Two capsules of one failure are the same file."""
    program = (
        "import json\n"
        "from pytest_ohllm.evidence.difference import conditions\n"
        "from pytest_ohllm.model import Exchange\n"
        "one = {c: 1 for c in 'abcdefgh'}\n"
        "two = {'messages': [], **{c: 2 for c in 'mnopqrst'}}\n"
        "made = [Exchange(method='POST', url='http://h/x', request=x) for x in (one, two)]\n"
        "print(json.dumps(conditions(*made)))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(printed) == 1
    assert len(json.loads(printed.pop())) == 17
