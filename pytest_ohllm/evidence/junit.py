"""The JUnit vocabulary ``ohllm.*``: the names, who writes what, and how a file is read back.

JUnit files come from CI artifacts, hence from anyone: reading one trusts nothing in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Never
from xml.etree import ElementTree

from pytest_ohllm.model import SCHEMA_VERSION, CheckResult, Revision, Stage, ToolMode

PREFIX = "ohllm."

# Of the test suite.
SCHEMA = "ohllm.schema"
RUN_ID = "ohllm.run_id"
RUN_DIR = "ohllm.run_dir"
SDK_VERSION = "ohllm.sdk_version"
SDK_SHA = "ohllm.sdk_sha"

# Of each test.
PROFILE = "ohllm.profile"
STAGE = "ohllm.stage"
CHECK = "ohllm.check"
OUTCOME = "ohllm.outcome"
KIND = "ohllm.kind"
BLAME = "ohllm.blame"
SUMMARY = "ohllm.summary"
NEXT_STEP = "ohllm.next_step"
BLOCKED_BY = "ohllm.blocked_by"
FOLDER = "ohllm.folder"
RERUN = "ohllm.rerun"
TOOL_MODE = "ohllm.tool_mode"
REMEDY = "ohllm.remedy"
CONFIDENCE = "ohllm.confidence"
AUTOFIX = "ohllm.autofix"
KNOWN = "ohllm.known"

LONGEST_VALUE = 2000
"""Characters of a property; the whole text is in the run folder."""

LARGEST_FILE = 256 * 1024 * 1024
_CHUNK = 1024 * 1024

type Properties = list[tuple[str, str]]


class JUnitError(Exception):
    """The file is not a JUnit report that may be read; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class JUnitFailure:
    """One ``<failure>`` or ``<error>``; a test with failed subtests has several of them."""

    test: str
    element: str
    message: str
    text: str
    properties: dict[str, str]
    suite: dict[str, str]


@dataclass(frozen=True, slots=True)
class JUnitReport:
    """A JUnit file; ``suite`` holds the ``ohllm.*`` properties of its first suite that has any."""

    tests: int
    failures: tuple[JUnitFailure, ...]
    suite: dict[str, str]


def suite_properties(run_id: str, run_dir: str, sdk: Revision) -> Properties:
    """What describes the whole run. Values are exact ``str``."""
    return _exact(
        (SCHEMA, SCHEMA_VERSION),
        (RUN_ID, run_id),
        (RUN_DIR, run_dir),
        (SDK_VERSION, sdk.version),
        (SDK_SHA, sdk.git_sha),
    )


def properties(
    result: CheckResult,
    *,
    folder: str,
    rerun: str | None = None,
    blocked_by: Stage | None = None,
    known: str = "",
) -> Properties:
    """What describes one test: ``folder`` relative to the run folder, ``rerun`` a command.

    ``known`` is why a failure does not count.

    Values are exact ``str``, because execnet refuses subclasses such as ``StrEnum``; what is
    unknown is left out.
    """
    diagnosis = result.diagnosis
    remedy = diagnosis.remedy if diagnosis else None
    return _exact(
        (PROFILE, result.profile),
        (STAGE, result.stage),
        (CHECK, result.id),
        (OUTCOME, result.outcome),
        (KIND, diagnosis and diagnosis.kind),
        (BLAME, diagnosis and diagnosis.blame),
        (SUMMARY, diagnosis.summary if diagnosis else result.reason),
        (NEXT_STEP, diagnosis and diagnosis.next_step),
        (BLOCKED_BY, blocked_by),
        (FOLDER, folder),
        (RERUN, rerun),
        (TOOL_MODE, result.tool_mode),
        (REMEDY, json.dumps(remedy.settings) if remedy else None),
        (CONFIDENCE, diagnosis and diagnosis.confidence),
        (AUTOFIX, diagnosis and diagnosis.autofix),
        (KNOWN, known),
    )


def rerun_in(command: str, stage: Stage, mode: ToolMode | None) -> str:
    """The command that runs a check again: alone, stage D cannot learn how tools are called."""
    program, _, rest = command.partition(" ")
    if stage is not Stage.D or mode is not ToolMode.PROMPT or "--llm-tools=" in rest:
        return command
    return f"{program} --llm-tools={mode.value} {rest}"


def read_junit(path: Path) -> JUnitReport:
    """The failures in a JUnit file. Raises ``JUnitError`` if it is unreadable or not JUnit."""
    root = _parse(path)
    if root.tag not in ("testsuites", "testsuite"):
        raise JUnitError(f"{path} is not a JUnit report: its root element is <{root.tag[:40]}>")
    suites = list(root.iter("testsuite"))
    described = [(suite, _properties(suite)) for suite in suites]
    return JUnitReport(
        tests=sum(1 for suite in suites for _ in suite.findall("testcase")),
        failures=tuple(
            failure
            for suite, about in described
            for case in suite.findall("testcase")
            for failure in _failures(case, about)
        ),
        suite=next((about for _, about in described if about), {}),
    )


def _exact(*pairs: tuple[str, object]) -> Properties:
    return [(name, _value(value)) for name, value in pairs if value is not None and value != ""]


def _value(value: object) -> str:
    # Surrogates would stop execnet, which sends UTF-8 between the processes of pytest-xdist.
    text = str(value)[:LONGEST_VALUE].encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE]


def _failures(case: ElementTree.Element, suite: dict[str, str]) -> Iterable[JUnitFailure]:
    about = _properties(case)
    name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
    for element in case:
        if element.tag in ("failure", "error"):
            yield JUnitFailure(
                test=name,
                element=element.tag,
                message=element.get("message", ""),
                text=element.text or "",
                properties=about,
                suite=suite,
            )


def _properties(element: ElementTree.Element) -> dict[str, str]:
    found = element.iterfind("properties/property")
    pairs = ((entry.get("name", ""), entry.get("value", "")) for entry in found)
    return {name: value for name, value in pairs if name.startswith(PREFIX)}


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree and stops at a document type, before any entity in it is defined."""

    def doctype(self, *_: object) -> Never:
        raise JUnitError("it declares a document type, which JUnit reports do not have")


def _parse(path: Path) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise JUnitError(f"it is larger than {LARGEST_FILE // 1024**2} MiB")
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                parser.feed(chunk)
        root: ElementTree.Element = parser.close()
    except JUnitError as error:
        raise JUnitError(f"{path} is refused: {error}") from None
    except OSError as error:
        raise JUnitError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise JUnitError(f"{path} is not XML: {error}") from error
    return root
