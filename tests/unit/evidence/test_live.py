"""A run that goes on is summed up from its events, whatever else stands among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.live import EventTail, Tally
from pytest_ohllm.model import Outcome, Usage

USAGE = {"llm_calls": 2, "prompt_tokens": 100, "completion_tokens": 10, "cost": 0.5}


def event(name: str, time: float, check: str = "m::a", profile: str = "gpt", **more: Any) -> Any:
    return {
        "event": name, "time": time, "profile": profile, "stage": "A", "check": check, **more
    }  # fmt: skip


def tally(*events: Any) -> Tally:
    found = Tally()
    for one in events:
        found.add(one)
    return found


def test_a_call_counts_as_soon_as_it_was_made() -> None:
    found = tally(event("started", 10), event("exchange", 11), event("exchange", 12))

    assert found.usage.llm_calls == 2
    assert found.usage.prompt_tokens is None
    assert found.current is not None and found.current.check == "m::a"
    assert (found.started, found.latest, found.done) == (10, 12, [])


def test_what_a_check_has_used_is_known_when_its_transcript_is_and_counted_once() -> None:
    calls = [event("exchange", 11), event("exchange", 12)]
    running = tally(event("started", 10), *calls, event("spent", 13, usage=USAGE))
    assert (running.usage.llm_calls, running.usage.cost) == (2, 0.5)

    running.add(event("finished", 14, outcome="passed", usage=USAGE))

    assert (running.usage.llm_calls, running.usage.cost) == (2, 0.5)
    assert running.done == [("gpt", "m::a", Outcome.PASSED)]
    assert running.current is None


def test_profiles_side_by_side_are_all_running_and_the_longest_is_the_current_one() -> None:
    found = tally(event("started", 10), event("started", 9, profile="llama"))

    assert len(found.running) == 2
    assert found.current is not None and found.current.profile == "llama"


def test_a_check_whose_worker_died_does_not_run_for_ever() -> None:
    found = tally(event("started", 10), event("started", 20, check="m::b"))

    assert [check.check for check in found.running.values()] == ["m::b"]


def test_what_has_another_form_is_left_out() -> None:
    strange = [
        {},
        {"event": "started"},
        {"event": "started", "time": "x", "profile": "a", "check": "b"},
        {"event": "started", "time": 1, "profile": 3, "check": "b"},
        {"event": "started", "time": 1, "profile": "a", "check": None},
        event("exchange", 1),
        event("spent", 1, usage={"llm_calls": "many"}),
        event("finished", 2, outcome="glorious", usage=[1]),
        event("finished", 2, outcome=[]),
    ]
    found = tally(*strange)

    assert (found.usage, found.done, found.running) == (Usage(cost=0.0), [], {})


def test_events_are_read_as_they_come_and_once(tmp_path: Path) -> None:
    tail = EventTail(tmp_path)
    assert tail.new() == []

    with (tmp_path / "events.jsonl").open("ab", buffering=0) as file:
        file.write(b'{"a": 1}\n{"b"')
        assert tail.new() == [{"a": 1}]
        assert tail.new() == []
        file.write(b": 2}\nbroken\n[1]\n\xff\n" + json.dumps({"c": "é"}).encode() + b"\n")
        assert tail.new() == [{"b": 2}, {"c": "é"}]
