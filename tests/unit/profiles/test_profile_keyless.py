"""A profile without a key is sent without one, whatever keys the environment holds.

The SDK's ``LLM(api_key=None)`` takes any key that it finds, and sends it to the profile's address.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, says

CANARY = "sk-canary-0123456789"
VARIABLES = (
    *("LLM_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    *("OPENROUTER_API_KEY", "LITELLM_PROXY_API_KEY", "HOSTED_VLLM_API_KEY", "GROQ_API_KEY"),
    *("DEEPSEEK_API_KEY", "MISTRAL_API_KEY", "AZURE_API_KEY", "OLLAMA_API_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
MODELS = {
    "openai": "openai/x",
    "anthropic": "anthropic/x",
    "gemini": "gemini/x",
    "openrouter": "openrouter/x",
    "proxy": "litellm_proxy/x",
    "vllm": "hosted_vllm/x",
    "deepseek": "deepseek/x",
    "ollama": "ollama_chat/x",
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in an empty directory with a key in every variable that a library might read."""
    environ = os.environ | dict.fromkeys(VARIABLES, CANARY) | {"LLM_PROFILES_DIR": str(folder)}
    command = [sys.executable, "-m", "pytest", "--llm-stages=A", "--llm-timeout=20", *arguments]
    return subprocess.run(
        command, cwd=folder.parent, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("key", [None, "**********", ""], ids=["none", "masked", "empty"])
def test_no_key_of_the_environment_is_ever_sent(
    key: str | None, write_profile: Any, folder: Path
) -> None:
    chosen = MODELS if key is None else {"openai": MODELS["openai"]}
    with Endpoint(says("hello")) as endpoint:
        stored = {} if key is None else {"api_key": key}
        for name, model in chosen.items():
            write_profile(name, model=model, base_url=endpoint.base_url, num_retries=0, **stored)
        done = run(folder, *(f"--llm-profile={name}" for name in chosen))
    if key == "":
        assert done.returncode == 4 and "is empty: give the key" in done.stderr
        assert endpoint.requests == []
        return
    assert len(endpoint.requests) >= len(chosen), done.stdout
    for request in endpoint.requests:
        sent = f"{request.path} {request.headers} {request.body.decode()}"
        assert "canary" not in sent
    assert "canary" not in done.stdout + done.stderr


def test_without_an_address_either_nothing_is_sent_at_all(write_profile: Any, folder: Path) -> None:
    write_profile("p", model="openai/gpt-4o-mini")
    done = run(folder, "--llm-profile=p")
    assert done.returncode == 4 and "a key would be taken from the environment" in done.stderr
    assert "canary" not in done.stdout + done.stderr
