"""docs/reference/run-json.md: the contract of run.json, from its JSON Schema."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from tests.docs_reference import markdown
from tests.docs_reference.markdown import code, sentence, table


def page() -> str:
    """The whole page."""
    text = files("pytest_ohllm.evidence").joinpath("run.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    return markdown.page(
        "run.json",
        "What a run found, for other tools: the file `run.json` in the "
        "[run folder](../run-folder.md), and the object `run` of `ohllm runs show --json`. Its "
        "JSON Schema is "
        "`pytest_ohllm/evidence/run.schema.json` in the package. Fields are added; what is there "
        "keeps its meaning for as long as `schema_version` stays the same.",
        "## Run",
        _described(schema),
        *(
            part
            for name, about in schema["$defs"].items()
            for part in (f"## {name}", _described(about))
        ),
    )


def _described(about: Mapping[str, Any]) -> str:
    paragraphs = inspect.cleandoc(about.get("description", "")).split("\n\n")
    told = "\n\n".join(sentence(paragraph) for paragraph in paragraphs)
    if "enum" in about:
        return f"{told}\n\nOne of {', '.join(code(value) for value in about['enum'])}."
    needed = about.get("required", ())
    rows = [
        (code(name), _type(field), "" if name in needed else "may be missing", _text(field))
        for name, field in about["properties"].items()
    ]
    columns = [0, 1, *(n for n in (2, 3) if any(row[n] for row in rows))]
    head = ("field", "type", "", "meaning")
    return f"{told}\n\n" + table(
        [head[n] for n in columns], [[row[n] for n in columns] for row in rows]
    )


def _text(field: Mapping[str, Any]) -> str:
    text = sentence(field.get("description"))
    if "const" in field:
        text = f"{text} always {code(json.dumps(field['const']))}".strip()
    return text


def _type(field: Mapping[str, Any]) -> str:
    """In words, with a link to what has a section of its own."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}" if field.get("items") else "list"
    if kind == "object":
        inside = field.get("additionalProperties")
        return f"map to {_type(inside)}" if isinstance(inside, dict) else "object"
    return kind
