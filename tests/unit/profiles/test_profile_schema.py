from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles import schema

MINIMAL = """
LLM_PROFILE_SCHEMA_VERSION: Final[int] = 3

class LLM({bases}):
    model: str = Field()
    token: str | SecretStr | None = None
    _private: int = 0
    shared: ClassVar[int] = 0
    model_config: ClassVar[ConfigDict] = ConfigDict()

    @computed_field(return_type=bool)
    @property
    def is_special(self) -> bool: ...

    def method(self) -> None: ...
"""


def test_the_text_of_the_installed_sdk_says_what_its_class_says(sdk: Any) -> None:
    from openhands.sdk.llm import llm

    found = schema.installed()
    assert found.fields == set(sdk.LLM.model_fields)
    assert found.secrets == set(llm.LLM_SECRET_FIELDS)
    assert found.version == llm.LLM_PROFILE_SCHEMA_VERSION
    assert found == schema.from_class()


def test_the_installed_sdk_is_understood_without_its_class() -> None:
    path = schema._source()
    assert path is not None and schema.from_source(path.read_text()) is not None


def test_every_key_that_the_sdk_writes_is_known(sdk: Any) -> None:
    assert set(sdk.LLM(model="openai/x").to_persisted()) <= schema.installed().keys


def test_fields_secrets_and_computed_fields_are_told_apart() -> None:
    found = schema.from_source(MINIMAL.format(bases="BaseModel, RetryMixin"))
    assert found == schema.Schema(
        fields=frozenset({"model", "token"}),
        secrets=frozenset({"token"}),
        derived=frozenset({"schema_version", "is_special"}),
        version=3,
    )


def test_an_sdk_from_before_the_constant_reads_version_1() -> None:
    text = MINIMAL.format(bases="BaseModel").replace("LLM_PROFILE_SCHEMA_VERSION", "OTHER")
    found = schema.from_source(text)
    assert found is not None and found.version == 1


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL.format(bases="SomethingWithFields"),
        "class LLM(BaseModel):\n    name: str",
        "class Other: ...",
        "class LLM(:",
    ],
    ids=["unknown base", "no model", "no class", "syntax"],
)
def test_a_text_that_leaves_doubt_is_not_used(text: str) -> None:
    assert schema.from_source(text) is None


def test_an_sdk_that_is_written_in_another_way_is_imported_and_asked(
    sdk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = schema.installed()
    monkeypatch.setattr(schema, "_source", lambda: None)
    assert schema.installed.__wrapped__() == expected


def test_reading_a_profile_imports_neither_the_sdk_nor_litellm(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"model": "openai/x", "base_url": "http://localhost:1/v1"}')
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pytest_ohllm.profiles import connection, creation, endpoint, listing, store\n"
        "connection.resolve(store.load('p', folder=Path(sys.argv[1])), {})\n"
        "listing.listing(Path(sys.argv[1]), {})\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'openhands', 'litellm', 'httpx'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
