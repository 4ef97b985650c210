"""Numbers and settings in the words of every view."""

from __future__ import annotations

import json
import shlex

from pytest_ohllm.model import Remedy, Usage

_NOT_SAVED = ("sim", "adhoc")


def cost_text(usage: Usage) -> str:
    """``$0.0123``, ``$0`` where nothing was spent, ``unknown`` where nobody knows."""
    if usage.cost is None:
        return "unknown" if usage.llm_calls else "$0"
    if usage.cost == 0:
        return "$0"
    if usage.cost < 0.0001:
        return "<$0.0001"
    return f"${usage.cost:.4f}" if usage.cost < 1 else f"${usage.cost:,.2f}"


def tokens_text(usage: Usage) -> str:
    """Tokens in both directions, such as ``1.2k``; ``unknown`` where no server reported any."""
    known = [count for count in (usage.prompt_tokens, usage.completion_tokens) if count is not None]
    if not known:
        return "unknown" if usage.llm_calls else "0"
    total = sum(known)
    if total < 1000:
        return str(total)
    return f"{total / 1000:.1f}k" if total < 999_950 else f"{total / 1_000_000:.1f}M"


def seconds_text(seconds: float) -> str:
    """``8.2 s``, ``2 min 05 s``."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def remedy_text(remedy: Remedy) -> str:
    """What to write, such as ``LLM(..., native_tool_calling=False)``."""
    settings = (f"{name}={value!r}" for name, value in remedy.settings.items())
    return f"LLM(..., {', '.join(settings)})"


def command_text(profile: str, remedy: Remedy) -> str:
    """How to write the remedy into a saved profile; empty for one that is not saved."""
    if profile.partition(":")[0] in _NOT_SAVED:
        return ""
    words = ["ohllm", "profiles", "edit", profile]
    for name, value in remedy.settings.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += [f"--unset={name}"] if value is None else [f"--set={name}={text}"]
    return shlex.join(words)
