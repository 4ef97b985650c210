"""A tool with a nested schema: objects, arrays, enums, ``anyOf`` and ``$ref``."""

from __future__ import annotations

import secrets
from typing import Any

import jsonschema

from pytest_ohllm.sdk.guard import shorten

TOOL: dict[str, Any] = {
    "name": "place_order",
    "description": "Place an order, and get a receipt.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "customer": {"$ref": "#/$defs/Customer"},
            "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "minItems": 1},
            "priority": {"type": "string", "enum": ["low", "normal", "high"]},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["customer", "items", "priority"],
        "$defs": {
            "Customer": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "address": {
                        "type": "object",
                        "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
                        "required": ["street", "zip"],
                    },
                },
                "required": ["name", "address"],
            },
            "Item": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "quantity": {"type": "integer", "minimum": 1},
                    "gift": {"type": "boolean"},
                },
                "required": ["sku", "quantity"],
            },
        },
    },
}
"""As an MCP server lists it."""


def order() -> dict[str, Any]:
    """Arguments that the schema allows, different every time."""
    return {
        "customer": {
            "name": "Zoë Ångström",
            "address": {"street": f"Main Street {secrets.randbelow(900) + 100}", "zip": "00123"},
        },
        "items": [
            {"sku": f"A-{secrets.token_hex(2)}", "quantity": 2, "gift": True},
            {"sku": f"B-{secrets.token_hex(2)}", "quantity": 7},
        ],
        "priority": "high",
        "note": 'leave it at the "back" door',
    }


def problem(arguments: Any) -> str | None:
    """What the schema does not allow in these arguments, and where; ``None`` if it allows them."""
    try:
        jsonschema.validate(arguments, TOOL["inputSchema"])
    except jsonschema.ValidationError as error:
        where = ".".join(map(str, error.absolute_path)) or "arguments"
        return f"{where}: {shorten(error.message)}"
    return None
