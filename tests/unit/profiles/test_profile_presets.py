"""Every preset is held against litellm's own table of providers."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ohllm.evidence.key_shapes import SHAPES
from pytest_ohllm.profiles import schema
from pytest_ohllm.profiles.endpoint import check_base_url
from pytest_ohllm.profiles.presets import Preset, own_address, presets

ALL = list(presets().values())
OWN_TABLE = {"openai", "anthropic", "gemini", "openrouter"}
"""Providers whose address litellm keeps elsewhere than in its lookup."""


@pytest.fixture
def litellm(sdk: Any) -> Any:
    """The library, imported as the SDK imports it, without any key in the environment."""
    import litellm

    return litellm


def config(litellm: Any, preset: Preset) -> Any:
    """What litellm knows of a provider beside its table."""
    from litellm.utils import ProviderConfigManager

    provider = litellm.LlmProviders(preset.prefix)
    return ProviderConfigManager.get_provider_chat_config(preset.example, provider)


def test_all_the_providers_that_people_ask_for_are_there() -> None:
    assert set(presets()) == {
        *("openai", "anthropic", "gemini", "azure", "bedrock", "openrouter", "litellm-proxy"),
        *("ollama", "lm-studio", "vllm", "llama.cpp", "deepseek", "mistral", "groq", "xai"),
        *("moonshot", "zai", "minimax", "fireworks", "together"),
    }


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
class TestEveryPreset:
    def test_has_a_prefix_that_litellm_knows(self, preset: Preset, litellm: Any) -> None:
        known = {getattr(provider, "value", provider) for provider in litellm.provider_list}
        assert preset.prefix in known
        model, provider, _, _ = litellm.get_llm_provider(preset.model(preset.example))
        assert (model, provider) == (preset.example, preset.prefix)

    def test_names_the_variable_that_litellm_reads(
        self, preset: Preset, litellm: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = preset.model(preset.example)
        missing = litellm.validate_environment(model)["missing_keys"]
        if any("KEY" in name for name in missing):
            assert set(preset.secrets.values()) <= set(missing)
        elif variable := preset.secrets.get("api_key"):
            monkeypatch.setenv(variable, "sk-read-by-litellm")
            found = {*litellm.get_llm_provider(model), config(litellm, preset).get_api_key()}
            assert "sk-read-by-litellm" in found

    def test_has_the_address_that_litellm_takes(self, preset: Preset, litellm: Any) -> None:
        _, _, _, address = litellm.get_llm_provider(preset.model(preset.example))
        if address is not None:
            assert preset.address == address
        elif preset.prefix == "minimax":
            assert preset.address == config(litellm, preset).get_api_base()
        elif preset.address is not None:
            assert preset.prefix in OWN_TABLE

    def test_makes_a_profile_that_can_be_saved(self, preset: Preset, sdk: Any) -> None:
        base_url = (preset.base_url or "").replace("{", "").replace("}", "") or None
        fields = preset.fields(preset.example, base_url)
        assert check_base_url(fields.get("base_url"), fields["model"]) is None
        llm = sdk.LLM(**fields)
        assert all(getattr(llm, name) == value for name, value in preset.settings.items())
        assert preset.secrets.keys() <= schema.installed().secrets

    def test_has_key_prefixes_that_the_redactor_knows(self, preset: Preset) -> None:
        known = tuple(prefix for shape in SHAPES for prefix in shape.prefixes)
        for prefix in preset.key_prefixes:
            assert prefix.startswith(known)

    def test_needs_a_key_or_an_address(self, preset: Preset) -> None:
        assert preset.secrets or preset.base_url


def test_the_address_of_a_provider_is_known_without_litellm() -> None:
    assert own_address("groq/x") == "https://api.groq.com/openai/v1"
    assert own_address("openai/x") == "https://api.openai.com/v1"
    assert own_address("azure/x") is None and own_address("gpt-4o") is None
