"""docs/providers: a page for each preset, with what the suite knows of the provider.

What can happen at a provider is taken from the simulator's personalities, which play it: each says
in its description whose behaviour it is, and what the suite must conclude of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pytest_ohllm.app.questions import address
from pytest_ohllm.model import Kind, Profile
from pytest_ohllm.profiles.presets import Preset, presets
from pytest_ohllm.simulator import personalities
from pytest_ohllm.simulator.personalities.declaration import Personality
from tests.docs_reference import markdown
from tests.docs_reference.markdown import block, code, table

WORDS = {
    "openai": r"OpenAI",
    "anthropic": r"Anthropic|Claude",
    "gemini": r"Gemini|Google",
    "azure": r"Azure",
    "bedrock": r"Bedrock",
    "openrouter": r"OpenRouter",
    "litellm-proxy": r"LiteLLM proxy",
    "ollama": r"Ollama",
    "lm-studio": r"LM Studio",
    "vllm": r"vLLM|Qwen3-Coder",
    "llama.cpp": r"llama\.cpp",
    "deepseek": r"DeepSeek",
    "mistral": r"Mistral",
    "groq": r"Groq",
    "xai": r"xAI|Grok\b",
    "moonshot": r"Moonshot|Kimi",
    "zai": r"Z\.ai|GLM",
    "minimax": r"MiniMax",
    "fireworks": r"Fireworks",
    "together": r"Together",
}
"""What a description calls each provider."""

ALSO = {"zai": ("wrong-plan",)}
"""Personalities that play a provider without naming it."""

PROTOCOLS = {"anthropic": "anthropic", "gemini": "gemini", "ollama_chat": "ollama"}
"""Which healthy personality speaks what litellm speaks with a prefix; others speak OpenAI's."""

_KINDS = {kind.value for kind in Kind}
_OPTION = re.compile(r"(--[a-z-]+(?: https?://[\w./-]*\w)?)")
_LOCAL = re.compile(r"http://(localhost|\{host\})")
_PERSONALITIES = {
    "openai": "OpenAI Chat Completions",
    "anthropic": "Anthropic Messages",
    "gemini": "Gemini generateContent",
    "ollama": "Ollama's own chat protocol",
}


def pages() -> dict[str, str]:
    """The page of each provider, and the index."""
    made = {f"{_slug(one.name)}.md": _page(one) for one in presets().values()}
    return {"README.md": _index()} | made


def quirks(provider: str) -> list[Personality]:
    """What is known to happen there: the personalities that name it, but for the healthy models."""
    word = re.compile(rf"(?<![\w-])(?:{WORDS[provider]})")
    found = [personalities.get(name) for name in personalities.names()]
    plain = {*_PERSONALITIES, "default", "responses", "litellm-proxy"}
    also = ALSO.get(provider, ())
    return [
        one
        for one in found
        if one.name in also or (word.search(one.description) and one.name not in plain)
    ]


def _index() -> str:
    rows = []
    for one in presets().values():
        known = len(quirks(one.name))
        key = ", ".join(code(name) for name in one.secrets.values()) or "none"
        rows.append((f"[{one.title}]({_slug(one.name)}.md)", code(one.name), key, str(known or "")))
    return markdown.page(
        "Providers",
        "A page for each preset of `ohllm profiles add --preset`: what a profile needs, and what "
        "the suite knows of the provider, since the [embedded provider](../simulator.md) plays it. "
        "Any other provider that litellm knows works as well: `ohllm profiles add NAME --model "
        "PREFIX/MODEL`, see [profiles](../profiles.md).",
        table(["provider", "preset", "variables for keys", "known peculiarities"], rows),
    )


def _page(one: Preset) -> str:
    return markdown.page(
        one.title,
        "[All providers](README.md)",
        table(["", ""], _facts(one)),
        _OPTION.sub(r"`\1`", one.notes),
        "## A profile",
        block(_commands(one)),
        *_hints(one),
        *_known(one),
    )


def _facts(one: Preset) -> Iterator[tuple[str, str]]:
    yield "model", code(one.model("MODEL")) + f", such as {code(one.model(one.example))}"
    if one.base_url:
        yield "address", code(one.base_url)
    elif one.address:
        yield "address", f"{code(one.address)}, which need not be given"
    for field, variable in one.secrets.items():
        looks = f", looks like {' or '.join(code(f'{p}…') for p in one.key_prefixes)}"
        yield code(field), f"in {code(variable)}" + (looks if one.key_prefixes else "")
    if not one.secrets:
        yield "key", "none"
    for name, value in one.settings.items():
        yield code(name), f"{code(str(value))}, if nothing else is given"
    if address(_profile(one)) is not None:
        spoken = PROTOCOLS.get(one.prefix, "openai")
        yield "protocol", f"{_PERSONALITIES[spoken]}; try it without a key: {code(f'sim:{spoken}')}"


def _commands(one: Preset) -> str:
    own = "{" in (one.base_url or "")
    given = re.sub(r"\{(\w+)\}", r"MY-\1", one.base_url or "").upper() if own else ""
    given = re.sub(r"HTTPS?://", lambda found: found[0].lower(), given)
    given = re.sub(r"(?<=[A-Z])\.[A-Z.]+", lambda found: found[0].lower(), given)
    lines = [f"export {variable}=…" for variable in one.secrets.values()]
    lines += [
        f"ohllm profiles add mine --preset {one.name}/{one.example}"
        + (f" --base-url {given}" if own else ""),
        "ohllm profiles check mine",
        "pytest --llm-profile=mine",
    ]
    return "\n".join(lines)


def _hints(one: Preset) -> Iterator[str]:
    if one.secrets:
        keyring = "--api-key-keyring" if "api_key" in one.secrets else "--secret-keyring FIELD"
        yield (
            f"With {code(keyring)} the key goes to the keyring of the system instead: "
            "[where the key comes from](../profiles.md#where-the-key-comes-from)."
        )
    if address(_profile(one)) is None:
        yield (
            "`ohllm profiles check` asks nothing here: only litellm knows how. Its calls are "
            "signed, so the model cannot be the agent of "
            "[`ohllm-autofix`](../autofix.md#what-it-cannot-do), either."
            if one.prefix == "bedrock"
            else "`ohllm profiles check` asks nothing here: only litellm knows how."
        )
    if one.base_url and _LOCAL.match(one.base_url):
        yield (
            "It is a server of your own: what a flag of it would switch on is "
            "[configuration](../diagnosis/configuration.md), not a fault of the model. In CI, a "
            "runner of your own has to reach it: [private endpoints](../ci.md#private-endpoints)."
        )


def _known(one: Preset) -> Iterator[str]:
    found = quirks(one.name)
    if not found:
        yield (
            "## What is known to happen here\n\nNothing that the suite plays is peculiar to it. "
            "What happens at most OpenAI-compatible endpoints is on the page of "
            "[OpenAI](openai.md); an error text is looked up by "
            "[symptom](../troubleshooting.md) or with `ohllm explain`."
        )
        return
    yield "## What is known to happen here"
    yield (
        "Each is played by the embedded provider, and the suite is held to what it concludes: "
        f"`pytest --llm-profile=sim:{found[0].name}` shows the first."
    )
    yield table(
        ["what happens", "a run says", "what helps", "played by"],
        [
            (quirk.description, _concluded(quirk), _helps(quirk), code(f"sim:{quirk.name}"))
            for quirk in found
        ],
    )


def _concluded(quirk: Personality) -> str:
    kind = f"[{quirk.kind}](../diagnosis/{quirk.kind}.md)" if quirk.kind in _KINDS else ""
    where = f"gate `{quirk.gate}`" if quirk.stage == "D" and quirk.gate else ""
    fails = " in ".join(filter(None, [kind, where]))
    return f"{quirk.verdict.lower()}{', ' if fails else ''}{fails}"


def _helps(quirk: Personality) -> str:
    if not quirk.remedy:
        return "" if quirk.kind else "nothing is needed"
    shown = ", ".join(f"{name}={_value(name, value)}" for name, value in quirk.remedy.items())
    return code(f"LLM(..., {shown})")


def _value(name: str, value: object) -> str:
    if name == "base_url":  # of a personality, it is a path of the simulator's
        return f'"…{value}"'
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _profile(one: Preset) -> Profile:
    base_url = {"base_url": one.base_url} if one.base_url else {}
    return Profile(name="x", settings={"model": one.model(one.example), **base_url})


def _slug(name: str) -> str:
    return name.replace(".", "-")
