"""Which fields the installed SDK's ``LLM`` has, learnt without importing the SDK.

Importing the SDK takes seconds, and a profile is read before it is known whether the SDK is needed
at all. ``class LLM`` is therefore read as text. Only if the text does not look as expected is the
class itself imported and asked.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Bases that declare no fields. Another base may have some, which the text would not show.
_FIELDLESS_BASES = {"BaseModel", "RetryMixin", "NonNativeToolCallingMixin"}


@dataclass(frozen=True)
class Schema:
    """The fields that a profile may have.

    ``fields`` are all fields of ``LLM``, ``secrets`` those of them that hold a secret, ``derived``
    the keys that a profile file has beside them, ``version`` the newest file format it may have.
    """

    fields: frozenset[str]
    secrets: frozenset[str]
    derived: frozenset[str]
    version: int

    @property
    def keys(self) -> frozenset[str]:
        """Every key that a profile file may have."""
        return self.fields | self.derived


@cache
def installed() -> Schema:
    """The schema of the installed SDK. Raises ``ProfileError`` if there is no working one."""
    path = _source()
    schema = from_source(path.read_text(encoding="utf-8")) if path is not None else None
    return schema or from_class()


def _source() -> Path | None:
    # `openhands` is a namespace package: looking it up runs no code of the SDK.
    spec = importlib.util.find_spec("openhands")
    for location in (spec and spec.submodule_search_locations) or ():
        sdk = Path(location) / "sdk"
        if (sdk / "__init__.py").is_file():  # the one that an import would take
            path = sdk / "llm" / "llm.py"
            return path if path.is_file() else None
    return None


def from_source(text: str) -> Schema | None:
    """The schema that the text of ``openhands/sdk/llm/llm.py`` declares, ``None`` if in doubt."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    llm = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "LLM"), None)
    if llm is None or not {ast.unparse(base) for base in llm.bases} <= _FIELDLESS_BASES:
        return None
    fields = {
        statement.target.id: ast.unparse(statement.annotation)
        for statement in llm.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
    fields = {
        name: annotation
        for name, annotation in fields.items()
        if not name.startswith("_") and "ClassVar" not in annotation and name != "model_config"
    }
    if "model" not in fields:
        return None
    return Schema(
        fields=frozenset(fields),
        secrets=frozenset(name for name, annotation in fields.items() if "SecretStr" in annotation),
        derived=frozenset({"schema_version", *_computed(llm)}),
        version=_version(tree),
    )


def _computed(llm: ast.ClassDef) -> Iterator[str]:
    """Names of computed fields: pydantic writes them, ``LLM`` reads them back by other means."""
    for statement in llm.body:
        if isinstance(statement, ast.FunctionDef) and any(
            "computed_field" in ast.unparse(decorator) for decorator in statement.decorator_list
        ):
            yield statement.name


def _version(tree: ast.Module) -> int:
    for statement in tree.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if "LLM_PROFILE_SCHEMA_VERSION" in names and isinstance(statement.value, ast.Constant):
            return int(str(statement.value.value))
    return 1  # SDKs before the constant ignore the key, so they read version 1


def from_class() -> Schema:
    """The schema of the imported ``LLM``. Slow; ``ProfileError`` if it cannot be imported."""
    from pytest_ohllm.profiles import sdk_store

    llm = sdk_store.llm_class()
    return Schema(
        fields=frozenset(llm.model_fields),
        secrets=frozenset(
            name for name, field in llm.model_fields.items() if "SecretStr" in str(field.annotation)
        ),
        derived=frozenset({"schema_version", *llm.model_computed_fields}),
        version=sdk_store.file_version(),
    )
