"""What a run will cost, as it is told beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ohllm import gates, plan
from pytest_ohllm.model import Stage
from pytest_ohllm.plan import COMPLETION_TOKENS_PER_CALL, Price

AUTO = gates.parse_gates("auto", "--llm-gates").selected
LISTED = {
    "gpt-x": {
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 4e-6,
        "litellm_provider": "openai",
    },
    "deep-x": {
        "input_cost_per_token": 2e-6,
        "output_cost_per_token": 3e-6,
        "litellm_provider": "deepseek",
    },
    "azure/gpt-x": {"input_cost_per_token": 5e-6, "output_cost_per_token": 6e-6},
    "azure/gpt-y": {"input_cost_per_token": 5e-6},
    "gpt-y": {"input_cost_per_token": 1, "output_cost_per_token": 1, "litellm_provider": "azure"},
    "zero": {"input_cost_per_token": 0.0, "output_cost_per_token": 0},
    "words": {"input_cost_per_token": "much", "output_cost_per_token": 1e-6},
    "no-object": 7,
}


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A litellm that has LISTED for prices, and cannot be imported."""
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    prices = package / "model_prices_and_context_window_backup.json"
    prices.write_text(json.dumps(LISTED))
    for name in [name for name in sys.modules if name.partition(".")[0] == "litellm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    return prices


def test_the_letters_of_the_stages_are_those_of_the_model() -> None:
    assert tuple(stage.value for stage in Stage) == gates.STAGES


def test_an_ordinary_run_takes_at_most_sixty_calls() -> None:
    whole = plan.plan(gates.STAGES, AUTO)
    assert 40 <= whole.calls <= 60
    assert whole.calls == sum(part.calls for part in whole.parts)
    assert whole.prompt_tokens == sum(part.prompt_tokens for part in whole.parts)
    assert whole.completion_tokens == whole.calls * COMPLETION_TOKENS_PER_CALL


def test_every_stage_and_every_gate_is_planned_once() -> None:
    whole = plan.plan(gates.STAGES, AUTO)
    assert [part.stage for part in whole.parts if not part.gates] == ["A", "B", "C"]
    assert sorted(gate for part in whole.parts for gate in part.gates) == sorted(gates.GATES)
    assert all(part.calls and part.prompt_tokens for part in whole.parts)


@pytest.mark.parametrize("chosen", [{"usage"}, {"reasoning"}, {"usage", "reasoning"}])
def test_gates_that_judge_one_scenario_are_counted_once(chosen: set[str]) -> None:
    (part,) = plan.plan(["D"], chosen).parts
    assert (part.stage, set(part.gates), part.calls) == ("D", chosen, 3)


def test_only_what_was_asked_for_is_planned() -> None:
    assert plan.plan([], AUTO).parts == ()
    assert plan.plan(["D"], []).parts == ()
    assert [part.stage for part in plan.plan([Stage.A, Stage.C], AUTO).parts] == ["A", "C"]
    (part,) = plan.plan(["D"], {"vision"}).parts
    assert part.gates == ("vision",)


def test_cost_is_that_of_both_directions() -> None:
    whole = plan.plan(["A", "B"], ())
    price = Price(2.0, 3.0)
    assert whole.cost(price) == 2 * whole.prompt_tokens + 3 * whole.completion_tokens
    assert sum(part.cost(price) or 0 for part in whole.parts) == pytest.approx(whole.cost(price))


def test_an_unknown_price_makes_the_cost_unknown_unless_nothing_is_asked() -> None:
    whole = plan.plan(["A"], ())
    assert whole.cost(None) is None and whole.parts[0].cost(None) is None
    assert plan.plan([], ()).cost(None) == plan.plan([], ()).cost(Price(2.0, 3.0)) == 0


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-x", (1e-6, 4e-6)),
        ("openai/gpt-x", (1e-6, 4e-6)),
        ("azure/gpt-x", (5e-6, 6e-6)),
        # Through a relay, or a protocol that many speak.
        ("litellm_proxy/deep-x", (2e-6, 3e-6)),
        ("openai/deep-x", (2e-6, 3e-6)),
        ("deepseek/deep-x", (2e-6, 3e-6)),
        # The name of a famous model on a server of one's own.
        ("hosted_vllm/deep-x", None),
        ("/deep-x", None),
        # What stands there under the full name is what counts, even if it is no price.
        ("azure/gpt-y", None),
        ("zero", None),
        ("words", None),
        ("no-object", None),
        ("openai/no-object", None),
        ("gpt-z", None),
        ("", None),
    ],
)
def test_a_price_is_looked_up_with_and_without_the_prefix(
    model: str, expected: tuple[float, float] | None, listed: Path
) -> None:
    assert plan.price(model) == expected


@pytest.mark.parametrize("text", [None, "", "[]", "{", "\udcff"])
def test_without_a_readable_price_file_prices_are_unknown(text: str | None, listed: Path) -> None:
    if text is None:
        listed.unlink()
    else:
        listed.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert plan.price("gpt-x") is None


def test_the_installed_litellm_knows_prices_and_is_not_imported() -> None:
    program = (
        "import sys\n"
        "from pytest_ohllm.plan import price\n"
        "found = price('openai/gpt-4o')\n"
        "assert found is not None and 0 < found.input < found.output < 0.01, found\n"
        "heavy = {'pytest', 'openhands', 'litellm', 'pydantic', 'httpx'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
