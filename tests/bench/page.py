"""Print what the page of a large run costs, to write and to open; run by `nox -s bench`."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Confidence,
    Diagnosis,
    Event,
    Exchange,
    Kind,
    Outcome,
    Probe,
    Profile,
    Stage,
    ToolMode,
    Transcript,
    Usage,
)
from pytest_ohllm.report.page import write_page

PROFILES, CHECKS = 50, 40
FAILING = 4
"""One check of so many fails."""

LARGEST = 10_000_000
SLOWEST = 2.0
STAGES = (Stage.A, Stage.B, Stage.C, Stage.D)

PROMPT = "You are a helpful assistant. <Do> what is asked & nothing else.\n" * 300
TOOLS = [{"type": "function", "function": {"name": f"tool_{n}", "description": PROMPT[:2000]}}
         for n in range(3)]  # fmt: skip


def main() -> None:
    """Exit with 1 if a target was missed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_run(Path(temporary))
        started = time.perf_counter()
        page = write_page(folder)
        written = time.perf_counter() - started
        size = page.stat().st_size
        print(f"page of {PROFILES} profiles x {CHECKS} checks: written in {written:.1f} s, "
              f"{size / 1e6:.1f} MB (target: {LARGEST / 1e6:.0f} MB)")  # fmt: skip
        opened = seconds_to_open(page)
    if opened is not None:
        print(f"opened by Chromium in {opened:.2f} s (target: {SLOWEST:.0f} s)")
    sys.exit(size > LARGEST or (opened or 0.0) > SLOWEST)


def make_run(root: Path) -> Path:
    """A run folder as a large run leaves it, with a quarter of its checks failing."""
    profiles = [Profile(name=f"vendor-{n:02}/model-{n:02}", settings={}) for n in range(PROFILES)]
    now = datetime.now(UTC)
    folder = RunFolder.create(root, None, now, Redactor())
    folder.begin(now, profiles)
    for number, profile in enumerate(profiles):
        for check in range(CHECKS):
            _check(folder, profile.name, check, fails=number % 10 > 0 and check % FAILING == 3)
    folder.end(1234.5)
    return folder.path


def _check(folder: RunFolder, profile: str, number: int, *, fails: bool) -> None:
    stage = STAGES[min(number // 10, 3)]
    check = folder.check_folder(
        profile, stage, f"suite.test_{stage.lower()}::test_{number:02}_works"
    )
    check.start({"rerun": "pytest --llm-profile=x"})
    exchanges = [_exchange(400 if fails and turn == 2 else 200) for turn in range(3)]
    for exchange in exchanges:
        check.append_jsonl("exchanges.jsonl", exchange)
    events = tuple(
        Event(kind="message", source="agent", text=f"step {turn} " * 40) for turn in range(8)
    )
    check.write_json("transcript.json", [
        Transcript(scenario="converse", events=events, exchanges=tuple(exchanges))
    ])  # fmt: skip
    if fails:
        check.write_text("traceback.txt", "E   assert the model did it\n" * 300)
        for result in ("same", "works"):
            probe = Probe(change=f"without field {number}", status=400, result=result)
            working = _exchange(200, temperature=None) if result == "works" else _exchange(400)
            check.append_jsonl("probes.jsonl", {"probe": probe, "exchange": working})
    check.finish(
        CheckResult(
            id=f"suite.test_{stage.lower()}::test_{number:02}_works",
            node="n",
            profile=profile,
            stage=stage,
            outcome=Outcome.FAILED if fails else Outcome.PASSED,
            seconds=1.5,
            usage=Usage(llm_calls=3, prompt_tokens=9000, completion_tokens=200, cost=0.01),
            tool_mode=ToolMode.NATIVE,
            diagnosis=_diagnosis(number) if fails else None,
        )
    )


def _diagnosis(number: int) -> Diagnosis:
    name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"[number]
    return Diagnosis(
        kind=Kind.SDK_GAP,
        blame=Blame.SDK,
        summary=f"the endpoint rejects field {name}, which the SDK adds by itself",
        next_step="teach the SDK this model",
        evidence=tuple(f"evidence {n}" * 8 for n in range(8)),
        confidence=Confidence.EXPERIMENT,
        fields=("temperature",),
        probes=(Probe(change="without temperature", status=200, result="works"),),
    )


def _exchange(status: int, temperature: float | None = 0.5) -> Exchange:
    request: dict[str, Any] = {
        "model": "model",
        "messages": [{"role": "system", "content": PROMPT}]
        + [{"role": "user", "content": f"turn {turn} " * 50} for turn in range(6)],
        "tools": TOOLS,
    }
    if temperature is not None:
        request["temperature"] = temperature
    return Exchange(
        method="POST",
        url="https://vendor.invalid/v1/chat/completions",
        request=request,
        status=status,
        response={"choices": [{"message": {"role": "assistant", "content": "done " * 200}}]},
        started=1.0,
        seconds=1.2,
        first_byte=0.3,
    )


def seconds_to_open(page: Path) -> float | None:
    """From the navigation to the load event and a painted frame; ``None`` without Chromium."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("there is no Chromium with playwright, so nobody has opened it")
        return None
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        tab = browser.new_context(offline=True).new_page()
        tab.goto("about:blank")
        started = time.perf_counter()
        tab.goto(page.as_uri())
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")
        seconds = time.perf_counter() - started
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
