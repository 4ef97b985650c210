"""Scenarios side by side, beside a pytest that goes on with its own things."""

from __future__ import annotations

import logging
import threading

import pytest

from pytest_ohllm.model import Profile, Transcript
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.sdk.ensemble import Ensemble


class Ear:
    """Keeps the names of the scenarios that it hears of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def exchange_ended(self, exchange: object) -> None:
        """Not of interest here."""

    def transcript_made(self, transcript: Transcript) -> None:
        self.heard.append(transcript.scenario)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def driver(ear: Ear) -> Driver:
    """A driver that is never asked to play anything."""
    connection = Connection(Profile(name="test", settings={"model": "openai/some-model"}))
    return Driver(connection, timeout=5, redact=lambda value: value, listener=ear)


def test_no_more_scenarios_are_played_at_once_than_there_is_room_for(driver: Driver) -> None:
    ensemble = Ensemble(driver, 2)
    both, third = threading.Barrier(3), threading.Event()
    for name in ("first", "second"):
        ensemble.start(name, lambda _: both.wait(5))
    ensemble.start("third", lambda _: third.set())

    assert not third.wait(0.2), "the other two have not ended"
    both.wait(5)
    ensemble.result("third")
    assert third.is_set()


def test_evidence_belongs_to_whoever_asks_for_the_result_first(driver: Driver, ear: Ear) -> None:
    def scenario(on: Driver) -> str:
        assert on.listener is not None
        on.listener.transcript_made(Transcript(scenario="played"))
        return "done"

    ensemble = Ensemble(driver, 1)
    ensemble.start("one", scenario)
    ensemble.start("two", lambda _: None)
    ensemble.result("two")

    assert ear.heard == []
    assert ensemble.result("one") == ensemble.result("one") == "done"
    assert ear.heard == ["played"]


def test_a_scenario_that_raises_does_so_where_its_result_is_asked_for(driver: Driver) -> None:
    ensemble = Ensemble(driver, 1)

    def scenario(_: Driver) -> None:
        raise LookupError("in the thread")

    ensemble.start("one", scenario)
    ensemble.start("two", lambda _: "goes on")

    assert ensemble.result("two") == "goes on"
    with pytest.raises(LookupError, match="in the thread"):
        ensemble.result("one")


def test_loggers_can_be_made_while_pytest_looks_through_them(driver: Driver) -> None:
    Ensemble(driver, 1)

    for number, _ in enumerate(logging.Logger.manager.loggerDict.values()):
        if number < 3:
            logging.getLogger(f"{__name__}.made-meanwhile-{number}")

    assert f"{__name__}.made-meanwhile-2" in logging.Logger.manager.loggerDict
