"""What a run will cost, for ``check``: calls, tokens and dollars, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pytest_ohllm.model import Profile
    from pytest_ohllm.plan import Part, Plan, Price


@dataclass(frozen=True)
class Cost:
    """The plan of a run and its price; ``at_most`` since `auto` may leave gates out."""

    plan: Plan
    price: Price | None
    at_most: bool


def expected(profile: Profile, stages: str | None, gates: str) -> Cost:
    """The cost of a run with these stages and gates. Raises ``ProfileError`` for wrong names."""
    from pytest_ohllm.gates import parse_gates, parse_stages
    from pytest_ohllm.plan import CLAIMED_ONLY, plan

    try:
        chosen = parse_stages(stages, "--stages")
        wanted = parse_gates(gates, "--gates")
    except ValueError as error:
        raise ProfileError(str(error)) from error
    unsure = "D" in chosen and not CLAIMED_ONLY.isdisjoint(wanted.selected - wanted.named)
    return Cost(plan(chosen, wanted.selected), _price(profile), unsure)


def _price(profile: Profile) -> Price | None:
    """The profile's own price, which the SDK would count with, or the one that litellm knows."""
    from pytest_ohllm.plan import Price, price
    from pytest_ohllm.profiles import builtin

    if profile.source == builtin.SOURCE:
        return Price(0.0, 0.0)
    own = [profile.settings.get(f"{way}_cost_per_token") for way in ("input", "output")]
    stated = [float(value) for value in own if isinstance(value, int | float) and value > 0]
    return Price(*stated) if len(stated) == 2 else price(profile.model)


def as_json(cost: Cost) -> dict[str, Any]:
    """Price and plan, for a program."""
    return {
        "price": None if cost.price is None else cost.price._asdict(),
        "plan": {
            "at_most": cost.at_most,
            **_amounts(cost.plan, cost.price),
            "parts": [
                {"stage": part.stage, "gates": part.gates, **_amounts(part, cost.price)}
                for part in cost.plan.parts
            ],
        },
    }


def _amounts(of: Plan | Part, price: Price | None) -> dict[str, Any]:
    return {
        "calls": of.calls,
        "prompt_tokens": of.prompt_tokens,
        "completion_tokens": of.completion_tokens,
        "cost": of.cost(price),
    }


def print_cost(cost: Cost) -> None:
    """The same as a table, for people."""
    from pytest_ohllm.app.tables import print_table
    from pytest_ohllm.model import Stage
    from pytest_ohllm.plan import COMPLETION_TOKENS_PER_CALL

    rows = [
        _row(f"{part.stage} {', '.join(part.gates) or Stage(part.stage).claim}", part, cost.price)
        for part in cost.plan.parts
    ]
    total = "total, at most" if cost.at_most else "total"
    titles = ("Part", "Calls", "Tokens sent", "Tokens written", "Cost")
    print_table(titles, [*rows, _row(total, cost.plan, cost.price)])
    typer.echo(
        "Estimated for a run in which all goes well, with "
        f"{COMPLETION_TOKENS_PER_CALL} tokens written in each call."
    )
    if cost.at_most:
        typer.echo("Gates are left out where nothing claims that the model can do what they need.")
    typer.echo(_price_text(cost.price))


def _row(title: str, of: Plan | Part, price: Price | None) -> tuple[str, ...]:
    from pytest_ohllm.model import Usage
    from pytest_ohllm.report.wording import cost_text

    cost = cost_text(Usage(llm_calls=of.calls, cost=of.cost(price)))
    numbers = (of.calls, of.prompt_tokens, of.completion_tokens)
    return title, *(f"{number:,}" for number in numbers), cost


def _price_text(price: Price | None) -> str:
    if price is None:
        return (
            "The price is unknown: litellm lists none for this model. Give it to the profile by "
            "--set input_cost_per_token=… and --set output_cost_per_token=…"
        )
    if not any(price):
        return "The embedded provider is free."
    sent, written = (f"${value * 1e6:,.2f}" for value in price)
    return f"The price is {sent} for a million tokens sent, {written} for a million written."
