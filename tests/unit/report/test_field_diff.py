"""Two requests, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ohllm.model import Exchange
from pytest_ohllm.report.field_diff import ABSENT, Change, changes, folded


def asked(request: Any, url: str = "http://host/v1/chat/completions") -> Exchange:
    return Exchange(method="POST", url=url, request=request)


TURN = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("failing", "working", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"a": 1}, [("b", 2, ABSENT)]),
        ({"a": 1}, {"a": 1, "b": None}, [("b", ABSENT, None)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [("a.b[1]", 2, 3)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, [("a", 1, 1.0)]),
        ({"m": [TURN]}, {"m": "hi"}, [("m", [TURN], "hi")]),
        ({"m": [1, 2, 3]}, {"m": [1, 3]}, [("m[1]", 2, ABSENT)]),
        ({"m": [1, 3]}, {"m": [1, 2, 3]}, [("m[1]", ABSENT, 2)]),
        ({"m": [{"a": 1}, 5]}, {"m": [{"a": 2}]}, [("m[0].a", 1, 2), ("m[1]", 5, ABSENT)]),
        ("text", {"a": 1}, [("request", "text", {"a": 1})]),
        (None, None, []),
    ],
)
def test_each_field_that_differs_is_named_with_both_values(
    failing: Any, working: Any, expected: list[tuple[str, Any, Any]]
) -> None:
    found = changes(asked(failing), asked(working))

    assert [(one.field, one.failing, one.working) for one in found] == expected


def test_another_address_is_a_difference_and_another_port_is_none() -> None:
    here, there = "http://host:1/v1/chat", "http://host:2/v1/chat"

    assert changes(asked({}, here), asked({}, there)) == []
    assert changes(asked({}, here), asked({}, "http://host:1/v1/responses")) == [
        Change("URL", here, "http://host:1/v1/responses")
    ]


def test_the_same_change_at_many_places_is_told_once() -> None:
    failing = {"messages": [{"content": [n], "name": "x"} for n in range(5)], "stop": 1}
    working = {"messages": [{"content": str(n), "name": "x"} for n in range(5)]}

    found = folded(changes(asked(failing), asked(working)))

    assert [(one.field, one.more) for one in found] == [("messages[0].content", 4), ("stop", 0)]


def test_depth_has_a_bound() -> None:
    one: Any = 1
    other: Any = 2
    for _ in range(500):
        one, other = {"a": one}, {"a": other}

    (found,) = changes(asked(one), asked(other))

    assert found.field.count("a") < 100
