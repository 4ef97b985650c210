"""How OpenAI says no, in both of its protocols, and the checks that lead to it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pytest_ohllm.simulator.response import Refusal, Refused

_KINDS = {
    str: "a string",
    int: "an integer",
    float: "a decimal",
    bool: "a boolean",
    list: "an array",
}


def document(refusal: Refusal) -> dict[str, Any]:
    """OpenAI's error document."""
    return {
        "error": {
            "message": refusal.message,
            "type": refusal.type,
            "param": refusal.param,
            "code": refusal.code,
        }
    }


def unauthorized(key: str | None) -> Refusal:
    """OpenAI's 401 in its two wordings."""
    if key is None:
        return Refusal(
            401,
            "You didn't provide an API key. You need to provide your API key in an "
            "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )
    shown = f"{key[:3]}{'*' * 12}{key[-4:]}" if len(key) > 20 else "*" * len(key)
    return Refusal(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def unknown_model(model: str) -> Refusal:
    """OpenAI's 404."""
    return Refusal(
        404,
        f"The model `{model}` does not exist or you do not have access to it.",
        code="model_not_found",
    )


def parse(body: bytes) -> dict[str, Any]:
    """The request's JSON object, which must name a model; raises ``Refused``."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        refuse(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but "
            "what was sent was not valid JSON.)"
        )
    if not isinstance(fields, dict):
        wrong_type("body", "an object", fields)
    if not fields.get("model"):
        refuse("you must provide a model parameter")
    return fields


def required(fields: dict[str, Any], name: str, where: str = "") -> Any:
    """The value of a field that must be there; raises ``Refused``."""
    if fields.get(name) is None:
        param = f"{where}.{name}" if where else name
        refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    return fields[name]


def wrong_type(param: str, expected: str, value: Any) -> NoReturn:
    """Refuse a value of the wrong type."""
    got = _KINDS.get(type(value), "an object")
    refuse(
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        param,
        "invalid_type",
    )


def refuse(message: str, param: str | None = None, code: str | None = None) -> NoReturn:
    """Raise a 400 in OpenAI's form."""
    raise Refused(Refusal(400, message, param=param, code=code))
