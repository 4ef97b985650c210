"""Settings of the SDK that may make a failing request acceptable, the smallest change first.

Which of them does is not guessed here: each is tried on the check that failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

type Settings = dict[str, Any]

# A profile file of the SDK holds no null where the default is something else: what it can keep
# comes first.
NO_EFFORT: tuple[Settings, ...] = (
    {"capability_overrides": {"supports_reasoning_effort": False}},
    {"reasoning_effort": None},
)
"""Keeps the model from being asked to reason."""
_LIMIT = ({"max_output_tokens": None}, {"max_output_tokens": 4096})

_KNOBS: Mapping[str, tuple[Settings, ...]] = {
    "temperature": ({"temperature": None},),
    "top_p": ({"top_p": None},),
    "top_k": ({"top_k": None},),
    "seed": ({"seed": None},),
    "max_tokens": _LIMIT,
    "max_completion_tokens": _LIMIT,
    "max_output_tokens": _LIMIT,
    "generationConfig.maxOutputTokens": _LIMIT,
    "reasoning_effort": NO_EFFORT,
    "reasoning": NO_EFFORT,
    "reasoning.effort": NO_EFFORT,
    "reasoning.summary": ({"reasoning_summary": None}, *NO_EFFORT),
    "think": NO_EFFORT,
    "generationConfig.thinkingConfig": NO_EFFORT,
    "thinking": (
        {"capability_overrides": {"thinking_mode": "none"}},
        {"extended_thinking_budget": None},
        *NO_EFFORT,
    ),
    "stop": ({"disable_stop_word": True},),
    "prompt_cache_key": ({"capability_overrides": {"supports_prompt_cache_key": False}},),
    "prompt_cache_retention": (
        {"capability_overrides": {"supports_prompt_cache_retention": False}},
        {"prompt_cache_retention": None},
    ),
    "include": ({"enable_encrypted_reasoning": False},),
    "tools": ({"native_tool_calling": False},),
    "stream": ({"stream": False},),
    "stream_options": ({"stream": False},),
    "cache_control": ({"caching_prompt": False},),
    "image": ({"capability_overrides": {"supports_vision": False}},),
}
"""Field of a request -> the settings that keep the SDK from sending it."""

_WITHOUT_TOOLS: Settings = {"native_tool_calling": False}

BEHAVIOUR: tuple[Settings, ...] = (_WITHOUT_TOOLS, *NO_EFFORT)
"""What may help a model that answers and does not do what was asked for."""

_NAME_LISTS: Mapping[str, str] = {
    "disable_stop_word": "SUPPORTS_STOP_WORDS_FALSE_MODELS",
    "force_string_serializer": "FORCE_STRING_SERIALIZER_MODELS",
    "supports_prompt_cache": "PROMPT_CACHE_MODELS",
    "supports_prompt_cache_retention": "PROMPT_CACHE_RETENTION_MODELS",
    "supports_reasoning_effort": "REASONING_EFFORT_MODEL_OVERRIDES",
    "supports_responses_api": "RESPONSES_API_MODELS",
}
"""Setting -> the list of models in the SDK's model_features.py that does the same by itself."""


def for_fields(names: Iterable[str], settings: Mapping[str, Any]) -> list[Settings]:
    """Changes of ``settings`` that keep all the fields ``names`` out of a request."""
    wanted = list(names)
    alternatives = [_for_field(name, settings) for name in wanted]
    if not wanted or not all(alternatives):
        return []
    first: Settings = {}
    for options in alternatives:
        first = merged(first, options[0])
    others = alternatives[0][1:] if len(alternatives) == 1 else []
    return [completed(one, settings) for one in (first, *others)]


def completed(change: Mapping[str, Any], settings: Mapping[str, Any]) -> Settings:
    """``change`` with what the profile has already in the mappings that it changes."""
    whole = dict(change)
    for name, value in change.items():
        before = settings.get(name)
        if name == "capability_overrides" and isinstance(before, Mapping):
            whole[name] = {**before, **value}
    return whole


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Settings:
    """Both changes at once."""
    both = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], Mapping) and isinstance(other[name], Mapping):
            both[name] = {**one[name], **other[name]}
    return both


def unique(candidates: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[Settings]:
    """The candidates that change something, each once, in their order."""
    found: list[Settings] = []
    for one in candidates:
        change = dict(one)
        if change not in found and any(settings.get(k) != v for k, v in change.items()):
            found.append(change)
    return found


def name_list_note(settings: Mapping[str, Any], model: str) -> str:
    """Which list of names in the SDK would do what ``settings`` do, if it held the model."""
    names = [*settings, *settings.get("capability_overrides", {})]
    lists = [_NAME_LISTS[name] for name in names if name in _NAME_LISTS]
    if not lists:
        return ""
    return f"the SDK's {lists[0]} (openhands/sdk/llm/utils/model_features.py) lacks {model!r}"


def _for_field(name: str, settings: Mapping[str, Any]) -> Sequence[Settings]:
    extra = settings.get("litellm_extra_body")
    top = name.partition(".")[0]
    if isinstance(extra, Mapping) and top in extra:
        left = {key: value for key, value in extra.items() if key != top}
        return ({"litellm_extra_body": left},)
    return _KNOBS.get(name) or _KNOBS.get(top) or ()
