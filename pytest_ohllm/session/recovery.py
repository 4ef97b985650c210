"""What a limit or an outage has stopped is tried again, in bounds; a dead host is left alone."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pytest_ohllm.diagnosis.engine import find
from pytest_ohllm.diagnosis.laboratory import retry_after
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import Kind, Transcript
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.wire.reachability import Unreachable

MOST_RETRIES = 2
LONGEST_PAUSE = 20.0
"""Seconds: a limit that lasts longer says nothing about the model, and is reported."""

_FIRST_PAUSE = 0.5
_PASSING = frozenset({Kind.RATE_LIMIT, Kind.PROVIDER_OUTAGE})
_SILENT = frozenset({"timed_out", "connection_broken", "not_connected"})
"""Rules after which nothing at the address can be expected to answer anybody."""

_WORDED = re.compile(r"(?:try again|retry) (?:in|after) (\d+(?:\.\d+)?) ?s(?:econds?)?\b", re.I)


class Recovery:
    """Decides for all drivers of a session; what it learns of a host holds for all workers."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def pause(self, transcript: Transcript, retries: int) -> float | None:
        """Seconds after which to try again, or ``None`` to leave it at that."""
        if transcript.error is None:
            return None
        symptoms = Symptoms.of(transcript)
        finding, rule = find(symptoms)
        if finding.kind not in _PASSING or rule == "nothing_reachable":
            return None
        if rule == "timed_out" or retries >= MOST_RETRIES:
            self._give_up(symptoms, rule, finding.summary)
            return None
        asked = retry_after(symptoms.exchange) if symptoms.exchange else None
        if asked is None and (worded := _WORDED.search(symptoms.text)):
            asked = float(worded[1])
        seconds = _FIRST_PAUSE * 2**retries if asked is None else asked
        return seconds if seconds <= LONGEST_PAUSE else None

    def check(self, driver: Driver) -> None:
        """Let the driver end at once if its host was found dead, by whichever profile."""
        host = _host(driver.connection.profile.base_url)
        if driver.unreachable or not host or not (summary := self._folder.dead_host(host)):
            return
        driver.unreachable = Unreachable(
            "timeout",
            f"{host} did not answer before in this run: {summary}",
            "try again when it answers",
        )

    def _give_up(self, symptoms: Symptoms, rule: str, summary: str) -> None:
        exchange = symptoms.exchange
        if rule not in _SILENT or exchange is None or exchange.status is not None:
            return
        if host := _host(exchange.url):
            self._folder.note_dead_host(host, summary)


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").netloc.rpartition("@")[2] or None
    except ValueError:
        return None  # what is wrong with the URL is said elsewhere
