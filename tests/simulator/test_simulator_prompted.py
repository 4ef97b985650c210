"""Tool calls as text: what a model writes from the SDK's prompt, and what the SDK reads there."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from compat_suite import orders, prompts
from pytest_ohllm.simulator import agent, prompted
from pytest_ohllm.simulator.turn import Message, Reply, ToolCall, Turn

pytestmark = pytest.mark.filterwarnings("ignore")

TOOL = {
    "type": "function",
    "function": {
        "name": "place_order",
        "description": "Place an order.",
        "parameters": {
            "type": "object",
            "properties": {
                "customer": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                },
                "items": {"type": "array", "items": {"type": "object"}},
                "count": {"type": "integer"},
                "priority": {"type": "string", "enum": ["low", "high"]},
            },
            "required": ["customer", "items"],
        },
    },
}
GIVEN = {
    "customer": {"name": "Zoë 日本"},
    "items": [{"sku": "A", "tags": []}],
    "count": 2,
    "priority": "high",
}


@pytest.fixture
def converter(sdk: SimpleNamespace) -> Any:
    """The SDK's own conversion."""
    from openhands.sdk.llm.mixins import fn_call_converter

    return fn_call_converter


def _turn(converter: Any, task: str) -> Turn:
    """A request as the SDK makes it without native tools."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": task}]
    converted = converter.convert_fncall_messages_to_non_fncall_messages(messages, [TOOL])
    return Turn("m", tuple(Message(one["role"], one["content"]) for one in converted))


def test_the_prompt_is_read_as_a_model_reads_it(converter: Any) -> None:
    turn = prompted.unfold(_turn(converter, "Please echo 'x'"))
    (tool,) = turn.tools
    assert tool.name == "place_order"
    assert tool.schema["required"] == ["customer", "items"]
    types = {name: about["type"] for name, about in tool.properties.items()}
    assert types == {
        "customer": "object",
        "items": "array[object]",
        "count": "integer",
        "priority": "string",
    }
    assert turn.messages[-1].text == "Please echo 'x'"


def test_objects_and_lists_are_written_as_json_with_letters_as_they_are() -> None:
    call = ToolCall("place_order", GIVEN)
    text = prompted.fold(Reply(text="I order.", tool_calls=(call,), finish="tool_calls")).text
    assert text.splitlines() == [
        "I order.",
        "<function=place_order>",
        '<parameter=customer>{"name": "Zoë 日本"}</parameter>',
        '<parameter=items>[{"sku": "A", "tags": []}]</parameter>',
        "<parameter=count>2</parameter>",
        "<parameter=priority>high</parameter>",
        "</function>",
    ]


def test_the_sdk_reads_lists_and_numbers_from_the_text_and_leaves_objects_strings(
    converter: Any,
) -> None:
    """As of SDK 1.58. If it reads objects one day, the gate mcp passes without native tools, and
    ``works_by_prompt`` declares too much."""
    task = prompts.CALL_WITH_JSON.format(tool="place_order", arguments=json.dumps(GIVEN))
    turn = prompted.unfold(_turn(converter, task))
    reply = prompted.fold(agent.answer(turn))
    said = {"role": "assistant", "content": reply.text}
    (read,) = converter.convert_non_fncall_messages_to_fncall_messages([said], [TOOL])
    arguments = json.loads(read["tool_calls"][0]["function"]["arguments"])
    assert arguments == {**GIVEN, "customer": json.dumps(GIVEN["customer"], ensure_ascii=False)}


def test_the_order_of_the_gate_is_told_right_from_wrong() -> None:
    order = orders.order()
    assert orders.problem(order) is None
    assert orders.problem({**order, "note": None}) is None
    assert "customer: " in str(orders.problem({**order, "customer": "Zoë"}))
    wrong = [{"sku": "A", "quantity": 0}]
    assert "items.0.quantity: " in str(orders.problem({**order, "items": wrong}))
