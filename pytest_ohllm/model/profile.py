"""What is tested: a connection to a model."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pytest_ohllm.model.record import Record


class Profile(Record):
    """A named connection, without its secrets.

    ``settings`` holds the non-secret fields of the SDK's ``LLM`` as they were saved; ``secrets``
    maps the name of each secret field to a *reference*, such as ``env:MY_KEY``.
    """

    name: str
    settings: dict[str, Any]
    secrets: dict[str, str] = Field(default_factory=dict)
    source: str = ""

    @property
    def model(self) -> str:
        """The litellm model string, such as ``openai/gpt-4o``."""
        return str(self.settings.get("model", ""))

    @property
    def base_url(self) -> str | None:
        """Where requests go; ``None`` means the provider's own address."""
        url = self.settings.get("base_url")
        return None if url is None else str(url)
