"""The JSON Schema of ``run.json``, shipped as ``run.schema.json`` beside this module.

``python -m pytest_ohllm.evidence.schema`` writes the file anew after a change of the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_ohllm.model import SCHEMA_VERSION, Run

SCHEMA_FILE = Path(__file__).with_name("run.schema.json")


def generated() -> dict[str, Any]:
    """The schema as the model has it now."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-ohllm:run:{SCHEMA_VERSION}",
        **Run.model_json_schema(mode="serialization"),
    }


def published() -> dict[str, Any]:
    """The schema as it is shipped."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def publish() -> None:
    """Write the schema as the model has it now into the package."""
    SCHEMA_FILE.write_text(json.dumps(generated(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    publish()
