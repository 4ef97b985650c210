"""What a run of the packaged suite will cost, known beforehand: calls, tokens, and their price.

It is that of one profile, if all goes well. Nothing heavy is imported.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pytest_ohllm.gates import GATES

COMPLETION_TOKENS_PER_CALL = 150
"""An allowance for what an ordinary model writes in a call; the simulator writes some 25. A model
that thinks first writes several times as much."""

# (calls, prompt tokens), measured with `--llm-profile=sim:openai --llm-gates=all,-server` and SDK
# 1.58. A call of the agent is some 5300 tokens: its system prompt and tools. The simulator takes
# four bytes for a token: real tokenizers differ by up to a fifth. Tools called by prompt take 30 %
# more.
_STAGES = {"A": (2, 10), "B": (1, 5_320), "C": (4, 21_570)}
_SCENARIOS = {
    "streaming": (2, 60),
    "streaming_tools": (2, 10_780),
    "vision": (1, 310),
    "responses": (6, 32_580),
    "resume": (2, 10_700),
    "switch": (3, 16_100),
    "reasoning": (3, 16_270),
    "parallel": (2, 10_900),
    "condenser": (4, 16_670),
    "tool_error": (3, 16_350),
    "long_output": (2, 14_740),
    "mcp": (2, 11_450),
    "no_tool": (1, 5_340),
    # Not measured but estimated, since it needs openhands-agent-server: the turns of "reasoning".
    "server": (3, 16_270),
    "fallback": (2, 10),
}
_JUDGES = {"usage": "reasoning"}
"""Gates without a scenario of their own: the one that they judge is played once for both."""

CLAIMED_ONLY = frozenset({"responses", "server", "vision"})
"""Gates that `auto` may leave out: only the SDK knows whether anything claims what they need."""

# Prefixes that name a protocol or a relay: behind it may be anybody's model.
_ANYBODYS = ("openai", "litellm_proxy", "openhands")
_PRICES = "model_prices_and_context_window_backup.json"


class Price(NamedTuple):
    """US dollars per token of the prompt, and per token that the model writes."""

    input: float
    output: float


@dataclass(frozen=True)
class Part:
    """A stage, or in stage D the gates that judge one scenario."""

    stage: str
    gates: tuple[str, ...]
    calls: int
    prompt_tokens: int

    @property
    def completion_tokens(self) -> int:
        """What the model will write, by the allowance for a call."""
        return self.calls * COMPLETION_TOKENS_PER_CALL

    def cost(self, price: Price | None) -> float | None:
        """In US dollars, without discounts for cached prompts; ``None`` is unknown."""
        if price is None:
            return None
        return self.prompt_tokens * price.input + self.completion_tokens * price.output


@dataclass(frozen=True)
class Plan:
    """What will be asked of the model, part by part."""

    parts: tuple[Part, ...]

    @property
    def calls(self) -> int:
        """LLM calls of all parts."""
        return sum(part.calls for part in self.parts)

    @property
    def prompt_tokens(self) -> int:
        """Tokens that are sent in all parts."""
        return sum(part.prompt_tokens for part in self.parts)

    @property
    def completion_tokens(self) -> int:
        """Tokens that the model writes in all parts."""
        return sum(part.completion_tokens for part in self.parts)

    def cost(self, price: Price | None) -> float | None:
        """In US dollars; ``None`` is unknown. No call at all costs nothing."""
        if price is None:
            return None if self.calls else 0.0
        return self.prompt_tokens * price.input + self.completion_tokens * price.output


def plan(stages: Collection[str], gates: Collection[str]) -> Plan:
    """The plan of a run of these stages, with these gates of stage D."""
    parts = [Part(stage, (), *cost) for stage, cost in _STAGES.items() if stage in stages]
    for scenario, cost in _SCENARIOS.items() if "D" in stages else ():
        judging = tuple(
            gate for gate in GATES if gate in gates and _JUDGES.get(gate, gate) == scenario
        )
        if judging:
            parts.append(Part("D", judging, *cost))
    return Plan(tuple(parts))


def price(model: str) -> Price | None:
    """The list price of ``model`` as litellm's own file has it; ``None`` if that does not say.

    litellm is not imported, which would take seconds.
    """
    listed = _price_file()
    prefix, slash, rest = model.partition("/")
    if model in listed or not slash:
        return _stated(listed.get(model))
    entry = listed.get(rest)
    return _stated(entry) if _serves(prefix, entry) else None


def _price_file() -> Mapping[str, Any]:
    spec = find_spec("litellm")
    for folder in (spec and spec.submodule_search_locations) or ():
        try:
            listed = json.loads((Path(folder) / _PRICES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(listed, dict):
            return listed
    return {}


def _serves(prefix: str, entry: Any) -> bool:
    """Whether the price is that of the provider: a model at home may have a famous name."""
    provider = entry.get("litellm_provider") if isinstance(entry, dict) else None
    if not prefix or not isinstance(provider, str):
        return False
    return prefix in _ANYBODYS or provider.startswith(prefix)


def _stated(entry: Any) -> Price | None:
    if not isinstance(entry, dict):
        return None
    costs = [entry.get(f"{way}_cost_per_token") for way in ("input", "output")]
    numbers = [float(cost) for cost in costs if isinstance(cost, int | float)]
    # The file has two zeros for many a model whose price it does not know.
    return Price(*numbers) if len(numbers) == 2 and any(numbers) else None
