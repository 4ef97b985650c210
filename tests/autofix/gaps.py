"""Real gaps of real releases of the SDK, and how they are played.

Each was found by playing the pack against one of the simulator's personalities, and each is filled
in a later release, whose way of doing it is the fix here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.model import Run
from tests.autofix.releases import PACKAGES, git, repository

__all__ = [
    "GAPS",
    "Edit",
    "Gap",
    "endpoints",
    "environment_of",
    "gap",
    "git",
    "play",
    "repository",
]

_FEATURES = "openhands-sdk/openhands/sdk/llm/utils/model_features.py"
_COMMON = "openhands-sdk/openhands/sdk/llm/options/common.py"
_RESPONSES = "openhands-sdk/openhands/sdk/llm/options/responses_options.py"

_TESTS_OF_FEATURES = "tests/sdk/llm/test_model_features.py"
_TESTS_OF_CHAT = "tests/sdk/llm/test_chat_options.py"
_TESTS_OF_RESPONSES = "tests/sdk/llm/test_responses_parsing_and_kwargs.py"


@dataclass(frozen=True)
class Edit:
    """One place of a repository's file with another text; the old one must stand there once."""

    path: str
    old: str
    new: str

    def make(self, repository: Path) -> None:
        """Change the file; raises ``AssertionError`` where the place is not found."""
        file = repository / self.path
        text = file.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, (self.path, self.old, text.count(self.old))
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Gap:
    """What ``release`` of the SDK gets wrong; ``filled_in`` is one seen to get it right.

    ``settings`` are those of a profile whose endpoint has the ``personality``; its base URL ends in
    ``base_path``. ``verdict`` is what the release gets, whose check ``check`` fails, in each case
    as an ``sdk_gap`` for which a fix is offered: where it is *works with settings*, the check has
    passed with the ``remedy``. After ``edits`` nothing is wrong, after ``wrong_edit`` all is as it
    was. ``tests`` are the SDK's own about the code in question.
    """

    name: str
    release: str
    filled_in: str
    personality: str
    settings: Mapping[str, Any]
    check: str
    edits: tuple[Edit, ...]
    wrong_edit: Edit
    tests: tuple[str, ...]
    verdict: str = "DOES NOT WORK"
    remedy: Mapping[str, Any] = field(default_factory=dict)
    base_path: str = "/v1"
    gates: str = "none"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of pytest that show it."""
        return (f"--llm-profile={self.name}", f"--llm-gates={self.gates}", "--llm-timeout=20")


GAPS = (
    Gap(
        name="gpt-6-on-chat",
        release="1.30.0",
        filled_in="1.50.0",
        # GPT-6 takes tools on the Responses API only; the SDK knows that of GPT-5.
        personality="tools-need-responses+litellm-proxy+any-model",
        settings={"model": "litellm_proxy/gpt-6-sol"},
        base_path="",
        check="test_the_conversation_completes",
        edits=(
            Edit(
                _FEATURES,
                '    "gpt-5",\n    # OpenAI Codex (uses Responses API)\n',
                '    "gpt-5",\n    # OpenAI GPT-6 family: no function tools with reasoning_effort\n'
                '    # on /v1/chat/completions\n    "gpt-6",\n'
                "    # OpenAI Codex (uses Responses API)\n",
            ),
        ),
        wrong_edit=Edit(
            _FEATURES,
            '    "gpt-5",\n    # OpenAI Codex (uses Responses API)\n',
            '    "gpt-5",\n    "gpt6",\n    # OpenAI Codex (uses Responses API)\n',
        ),
        tests=(_TESTS_OF_FEATURES,),
    ),
    Gap(
        name="codex-temperature",
        release="1.30.0",
        filled_in="1.40.0",
        # The SDK sends a temperature of its own, which no setting takes away.
        personality="responses-without-sampling+any-model",
        settings={"model": "openai/gpt-5-codex"},
        check="test_the_model_answers",
        edits=(
            Edit(
                _RESPONSES,
                '    if not llm.is_subscription:\n        out["temperature"] = 1.0\n',
                "    if not llm.is_subscription and llm.temperature is not None:\n"
                '        out.setdefault("temperature", llm.temperature)\n',
            ),
        ),
        wrong_edit=Edit(
            _RESPONSES,
            '        out["temperature"] = 1.0\n',
            '        out.setdefault("temperature", 1.0)\n',
        ),
        tests=(_TESTS_OF_RESPONSES,),
    ),
    Gap(
        name="claude-cache-key",
        release="1.40.0",
        filled_in="1.50.0",
        # A field of OpenAI's goes to whatever stands behind a proxy.
        personality="rejects-prompt-cache-key+litellm-proxy+any-model",
        settings={"model": "litellm_proxy/claude-sonnet-4-5"},
        base_path="",
        check="test_the_conversation_completes",
        edits=(
            Edit(
                _FEATURES,
                "    supports_prompt_cache: bool\n",
                "    supports_prompt_cache: bool\n    supports_prompt_cache_key: bool\n",
            ),
            Edit(
                _FEATURES,
                "        supports_stop_words=_resolved_bool(\n",
                "        supports_prompt_cache_key=_resolved_bool(\n"
                '            "supports_prompt_cache_key",\n'
                "            overrides=overrides,\n"
                "            metadata=model_info,\n"
                '            fallback="prompt_cache_key" in supported_params,\n'
                "        ),\n"
                "        supports_stop_words=_resolved_bool(\n",
            ),
            Edit(
                _COMMON,
                "    if ctx.prompt_cache_key:\n",
                "    accepted = llm._model_features().supports_prompt_cache_key\n"
                "    if ctx.prompt_cache_key and accepted:\n",
            ),
        ),
        wrong_edit=Edit(
            _COMMON,
            "    if ctx.prompt_cache_key:\n",
            "    if ctx.prompt_cache_key and llm.caching_prompt:\n",
        ),
        tests=(_TESTS_OF_CHAT, _TESTS_OF_RESPONSES, _TESTS_OF_FEATURES),
    ),
    Gap(
        name="deepseek-thoughts",
        release="1.40.0",
        filled_in="1.50.0",
        personality="reasoning-required+any-model",
        settings={"model": "deepseek/deepseek-v4.1-flash"},
        check="test_the_tool_is_called",
        edits=(
            Edit(
                _FEATURES,
                '    "deepseek/deepseek-v4-flash",  # Dual-mode (Thinking/Non-Thinking)\n',
                '    "deepseek/deepseek-v4-flash",  # Dual-mode (Thinking/Non-Thinking)\n'
                '    "deepseek/deepseek-v4.1-flash",  # Dual-mode (Thinking/Non-Thinking)\n',
            ),
        ),
        wrong_edit=Edit(
            _FEATURES,
            '    "deepseek",  # e.g., DeepSeek-V3.2-Exp\n',
            '    "deepseek",  # e.g., DeepSeek-V3.2-Exp\n    "deepseek/deepseek-v4.1-flash",\n',
        ),
        tests=(_TESTS_OF_FEATURES,),
        verdict="WORKS WITH SETTINGS",
        remedy={"native_tool_calling": False},
    ),
    Gap(
        name="gpt-oss-stop-words",
        release="1.40.0",
        filled_in="1.58.0",
        # Bedrock's names of OpenAI's open models.
        personality="rejects-stop+any-model",
        settings={"model": "openai/openai.gpt-oss-120b", "native_tool_calling": False},
        check="test_the_conversation_completes",
        edits=(
            Edit(
                _FEATURES,
                '    "deepseek-r1-0528",\n]\n',
                '    "deepseek-r1-0528",\n    # OpenAI models on Bedrock\n    "openai.gpt-",\n]\n',
            ),
        ),
        wrong_edit=Edit(
            _FEATURES,
            '    "deepseek-r1-0528",\n]\n',
            '    "deepseek-r1-0528",\n    "bedrock/openai.gpt-",\n]\n',
        ),
        tests=(_TESTS_OF_FEATURES,),
        verdict="WORKS WITH SETTINGS",
        remedy={"disable_stop_word": True},
    ),
)


def gap(name: str) -> Gap:
    """The gap of that name."""
    (found,) = [one for one in GAPS if one.name == name]
    return found


# Playing

_OURS = ("OHLLM_", "OPENHANDS_", "LLM_", "OH_", "PYTEST_", "PYTHON", "KEY_OF_")


@contextmanager
def endpoints(gaps: Sequence[Gap], store: Path) -> Iterator[dict[str, str]]:
    """Run an endpoint for each gap, and save a profile with its name in ``store``.

    Yields the variables with which a run finds the profiles and their keys.
    """
    from pytest_ohllm.profiles.creation import add
    from pytest_ohllm.simulator.server import Simulator

    store.mkdir(parents=True, exist_ok=True)
    environment = {"LLM_PROFILES_DIR": str(store)}
    with ExitStack() as running:
        for one in gaps:
            simulator = running.enter_context(Simulator(one.personality))
            variable = "KEY_OF_" + one.name.upper().replace("-", "_")
            environment[variable] = simulator.api_key
            origin = simulator.base_url.removesuffix(simulator.personality.path)
            settings = dict(one.settings) | {"base_url": origin + one.base_path}
            add(one.name, settings, {"api_key": variable}, folder=store)
            _keep_only(store / f"{one.name}.json", settings)
        yield environment


def _keep_only(profile: Path, settings: Mapping[str, Any]) -> None:
    """Take what the SDK has added: an older one refuses a profile with fields that it lacks."""
    saved = json.loads(profile.read_text())
    kept = {name: saved[name] for name in saved if name in {*settings, "schema_version"}}
    profile.write_text(json.dumps(kept))


def environment_of(repository: Path, **more: str) -> dict[str, str]:
    """The environment in which the SDK of ``repository`` is the one that is imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    path = os.pathsep.join(str(repository / package) for package in PACKAGES)
    return kept | {"PYTHONPATH": path, "LITELLM_LOCAL_MODEL_COST_MAP": "True"} | more


def play(
    gaps: Sequence[Gap], repository: Path, environment: Mapping[str, str], folder: Path
) -> Run:
    """Run the pack with the SDK of ``repository``; ``folder``, which must not exist, is the run's.

    ``environment`` is what ``endpoints`` gave.
    """
    options = dict.fromkeys(option for one in gaps for option in one.options)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--llm-run-dir={folder}", *options],
        cwd=folder.parent,
        env=environment_of(repository, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return read_run(folder)
