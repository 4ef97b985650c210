"""Failures, runs and JUnit files as a run of pytest leaves them, without running one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from pytest_ohllm.autofix.job import Failure, Source
from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    Kind,
    Outcome,
    Profile,
    Revision,
    Stage,
)

NOW = datetime(2026, 11, 21, 7, 49, 5, tzinfo=UTC)
SDK = Revision(version="1.58.0", path="/sdk/openhands/sdk", git_sha="a" * 40, dirty=True)


def diagnosis(kind: Kind = Kind.SDK_GAP, **fields: Any) -> Diagnosis:
    """An SDK gap that experiments have shown, with whatever else is given."""
    offered = "offered" if kind is Kind.SDK_GAP else f"refused: {kind} is not a fault of the SDK"
    given: dict[str, Any] = {
        "kind": kind,
        "summary": "the SDK sends stop, which this model does not take: HTTP 400",
        "blame": Blame.SDK,
        "next_step": "change the SDK",
        "rule": "field",
        "fields": ("stop",),
        "autofix": offered,
    }
    return Diagnosis(**(given | fields))


def profile(name: str = "gpt", model: str = "openai/gpt-5") -> Profile:
    """A saved profile."""
    return Profile(name=name, settings={"model": model}, secrets={"api_key": "env:KEY"})


def failure(name: str = "test_it", *, of: Profile | None = None, **fields: Any) -> Failure:
    """A failed check."""
    about = of or profile()
    given: dict[str, Any] = {
        "profile": about,
        "check": f"compat_suite.test_b::{name}",
        "stage": Stage.B,
        "node": f"compat_suite/test_b.py::{name}[{about.name}]",
        "rerun": f"pytest --llm-profile={about.name} --pyargs compat_suite.test_b::{name}",
        "folder": Path("/nowhere"),
        "diagnosis": diagnosis(),
    }
    return Failure(**(given | fields))


def source(run_id: str = "20261121T074905Z-abcdef") -> Source:
    """The run that the failures are of."""
    return Source(run_id=run_id, run_dir=Path("/nowhere"), sdk=SDK)


@dataclass
class FakeRun:
    """A run folder below ``root``, and the JUnit file beside which it was written."""

    root: Path
    explicit: Path | None = None
    profiles: tuple[Profile, ...] = (profile(),)
    results: list[tuple[CheckResult, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = RunFolder.create(self.root, self.explicit, NOW, Redactor({}))
        self.session = self.folder.begin(NOW, self.profiles)
        self.folder.record_sdk(SDK, {"litellm": "1.2.3"})

    @property
    def path(self) -> Path:
        return self.folder.path

    def leaves(self, name: str, found: Diagnosis | None, *, of: str = "gpt", **fields: Any) -> Path:
        """A check that ran, and what was found out; its folder."""
        given: dict[str, Any] = {
            "id": f"compat_suite.test_b::{name}",
            "node": f"compat_suite/test_b.py::{name}[{of}]",
            "profile": of,
            "stage": Stage.B,
            "outcome": Outcome.FAILED if found else Outcome.PASSED,
            "diagnosis": found,
        }
        result = CheckResult(**(given | fields))
        check = self.folder.check_folder(of, result.stage, result.id)
        check.start({"node": result.node, "rerun": f"pytest --llm-profile={of} {result.id}"})
        check.finish(result)
        self.results.append((result, self.folder.relative(check)))
        return check.path

    def interrupted(self, name: str) -> Path:
        """A check that was started, and nothing more."""
        node = f"compat_suite/test_b.py::{name}[gpt]"
        check = self.folder.check_folder("gpt", Stage.B, f"compat_suite.test_b::{name}")
        check.start({"node": node})
        return check.path

    def junit(self, path: Path | None = None) -> Path:
        """What ``--junitxml`` writes."""
        suite = junit.suite_properties(self.session.run_id, str(self.path), SDK)
        cases = []
        for result, folder in self.results:
            about = junit.properties(result, folder=folder)
            failed = '<failure message="no">text</failure>'
            cases.append(
                f'<testcase classname="compat_suite.test_b" name={quoteattr(result.node)}>'
                f"{_properties(about)}{failed if result.outcome is Outcome.FAILED else ''}"
                "</testcase>"
            )
        file = path or self.root / "junit.xml"
        file.write_text(
            f'<testsuites><testsuite name="pytest">{_properties(suite)}{"".join(cases)}'
            "</testsuite></testsuites>"
        )
        return file


def _properties(pairs: junit.Properties) -> str:
    inner = "".join(f"<property name={quoteattr(n)} value={quoteattr(v)}/>" for n, v in pairs)
    return f"<properties>{inner}</properties>"
