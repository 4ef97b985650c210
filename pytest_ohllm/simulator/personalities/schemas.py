"""Personalities that know a part of JSON Schema only: they reject keywords in a tool's schema."""

from __future__ import annotations

from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.personalities.rejections import keys
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Turn


def _no_schema_keyword(*keywords: str) -> Refuse:
    """Google's OpenAI-compatible endpoint, whose schemas are a subset of JSON Schema."""

    def refuse(turn: Turn) -> Refusal | None:
        for index, item in enumerate(turn.fields.get("tools") or ()):
            for path, key in keys((item.get("function") or {}).get("parameters")):
                if key in keywords:
                    where = f"tools[0].function_declarations[{index}].parameters"
                    parent = path.removesuffix(f".{key}")
                    message = (
                        f'Invalid JSON payload received. Unknown name "{key}" at '
                        f"'{where}{parent}': Cannot find field."
                    )
                    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
                    return Refusal(400, message, body={"error": error})
        return None

    return refuse


def _unseen(what: str, *keywords: str) -> Personality:
    """The SDK takes these out of tools' schemas, so that none arrives."""
    return Personality(
        f"rejects-{what}",
        f"rejects `{keywords[0]}` in a tool's schema, in Google's words",
        healthy=True,
        verdict="WORKS",
        refuse=(_no_schema_keyword(*keywords),),
    )


PERSONALITIES = (
    _unseen("schema-dialect", "$schema"),
    _unseen("additional-properties", "additionalProperties"),
    _unseen("schema-references", "$ref", "$defs"),
)
