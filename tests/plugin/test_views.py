"""One run, seen from everywhere: terminal, JUnit, both HTML reports, Markdown, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_ohllm.evidence.junit import CHECK, KIND, OUTCOME, PROFILE
from pytest_ohllm.model import CheckSummary, Outcome, Run
from pytest_ohllm.report.matrix import Cell, Matrix
from pytest_ohllm.report.naming import check_name
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat, Result
from tests.plugin.conftest import MakeProject, Project, html_rows, leaks, testcases

PROFILES = ("sim:rejects-temperature", "sim:content-list", "sim:bad-key", "sim")
NAMES = [f"--llm-profile={name}" for name in PROFILES]
SIGNS = re.compile(r"[✓✗≈○?]\s*")


@dataclass(frozen=True)
class Seen:
    """A run and every view of it."""

    project: Project
    result: Result

    @property
    def run(self) -> Run:
        return self.result.run

    @property
    def page(self) -> str:
        return self.result.files("report.html")[0].read_text()

    def read(self, name: str) -> str:
        return (self.project.path / name).read_text()


@pytest.fixture(
    scope="module", params=["alone", pytest.param("with two workers", marks=pytest.mark.slow)]
)
def seen(request: pytest.FixtureRequest, make_project: MakeProject) -> Seen:
    project = make_project("views")
    files = ("--junitxml=junit.xml", "--html=html/report.html", "--self-contained-html")
    workers = ("-n2",) if "two" in request.param else ()
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.path / "step.md")}
    result = project.run(*NAMES, *files, *workers, env={**github, "COLUMNS": "220"}, timeout=200)
    return Seen(project, result)


class Tables(HTMLParser):
    """Each table as rows of texts."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._within = False
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self._within = True
        elif self._within and tag == "small":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._within = False

    def handle_data(self, data: str) -> None:
        if self._within:
            self.tables[-1][-1][-1] += data

    def rows(self, heading: str) -> Iterator[list[str]]:
        """The rows of the first table whose first row begins with ``heading``."""
        table = next(one for one in self.tables if one and one[0][0].strip() == heading)
        yield from ([" ".join(cell.split()) for cell in row] for row in table[1:])


def expected(run: Run) -> dict[str, list[str]]:
    """What each view must say of a profile, in the order of the columns."""
    return {
        row.profile: [
            row.verdict.value,
            *map(_stage, row.cells),
            row.tool_mode,
            str(row.calls),
            row.tokens,
            row.cost,
            f"{row.seconds:.1f} s",
        ]
        for row in Matrix.of(run).rows
    }


def _stage(cell: Cell) -> str:
    """Counted once more, from the outcomes alone."""
    return cell.text


def by_name(rows: Iterator[list[str]], drop: int | None = None) -> dict[str, list[str]]:
    """Rows by their first cell, without signs, and without the column at ``drop``."""
    found = {}
    for name, *cells in rows:
        kept = [cell for index, cell in enumerate(cells, 1) if index != drop]
        found[name.split()[0]] = [SIGNS.sub("", cell).strip(" *") for cell in kept]
    return found


def checks(run: Run) -> dict[tuple[str, str], CheckSummary]:
    return {(one.name, check.id): check for one in run.profiles for check in one.checks}


def test_the_matrix_counts_what_the_checks_say(seen: Seen) -> None:
    for profile, row in zip(seen.run.profiles, Matrix.of(seen.run).rows, strict=True):
        for cell in row.cells:
            outcomes = [check.outcome for check in profile.checks if check.stage is cell.stage]
            assert (cell.total, cell.passed) == (len(outcomes), outcomes.count(Outcome.PASSED))
    assert [profile.verdict for profile in seen.run.profiles] == [
        "WORKS WITH SETTINGS",
        "DOES NOT WORK",
        "INCONCLUSIVE",
        "WORKS",
    ]


def test_the_terminal_agrees(seen: Seen) -> None:
    for name, cells in expected(seen.run).items():
        line = next(
            line for line in seen.result.output.splitlines() if line.startswith(f"  {name}  ")
        )
        found = re.split(r"\s{2,}", line.strip())[1:]
        assert [SIGNS.sub("", cell) for cell in found] == cells


def test_junit_agrees(seen: Seen) -> None:
    wanted = checks(seen.run)
    found = {}
    for _, about, tags in testcases(seen.project.path / "junit.xml"):
        key = about[PROFILE], about[CHECK]
        found[key] = about[OUTCOME]
        failed = wanted[key].outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE)
        assert ("failure" in tags) == failed, (key, tags)
        diagnosis = wanted[key].diagnosis
        assert about.get(KIND) == (diagnosis.kind.value if diagnosis else None)
    assert found == {key: check.outcome.value for key, check in wanted.items()}


def test_pytest_html_agrees(seen: Seen) -> None:
    tables = Tables(seen.read("html/report.html"))
    assert by_name(tables.rows("Profile")) == expected(seen.run)
    words = {Outcome.PASSED: "Passed", Outcome.NOT_RUN: "Skipped"}
    rows = html_rows(seen.project.path / "html/report.html")
    shown = [row for found in rows.values() for row in found]
    for (profile, check), summary in checks(seen.run).items():
        name = f"::{check.partition('::')[2]}[{profile}]"
        (row,) = [row for row in shown if name in row["testId"]]
        assert row["result"] == words.get(summary.outcome, "Failed")
        if row["result"] == "Failed":
            assert summary.diagnosis is not None
            kind = summary.diagnosis.kind.value.replace("_", " ")
            assert f'<td class="col-diagnosis">{kind}: ' in str(row)
            assert "conversation</summary>" in str(row), "the capsule is there, with evidence"


def test_pytest_html_leads_to_the_page(seen: Seen) -> None:
    (link,) = re.findall(r'href="([^"]*report\.html)"', seen.read("html/report.html"))

    assert (seen.project.path / "html" / link).resolve() == seen.result.files("report.html")[0]


def test_the_page_agrees(seen: Seen) -> None:
    tables = Tables(seen.page)
    rows = by_name(tables.rows("Profile"), drop=2)
    for name, cells in expected(seen.run).items():
        found = rows[name]
        for wanted, cell in zip(cells, found, strict=True):
            told = "-not selected" if "not selected" in cell else wanted
            assert cell == told or cell.startswith(f"{wanted} "), (name, wanted, cell)
    listed = {row[0]: row[1:] for row in tables.rows("Check") if len(row) > 1}
    for (profile, check), summary in checks(seen.run).items():
        cell = SIGNS.sub("", listed[check_name(check)][PROFILES.index(profile)])
        assert cell.startswith(summary.outcome.value.replace("_", " ")) or (
            summary.outcome is Outcome.NOT_RUN and cell.endswith("not run")
        )


def test_the_summary_for_github_agrees(seen: Seen) -> None:
    lines = seen.read("step.md").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]

    assert by_name(iter(rows[2:])) == expected(seen.run)


def test_annotations_name_what_the_terminal_names(seen: Seen) -> None:
    found = re.findall(r"^::(\w+) title=([^,:]*)", seen.result.output, re.MULTILINE)

    levels = [(level, title.replace("%3A", ":").split(": ")[0]) for level, title in found]
    assert levels == [("error", "sim:content-list"), ("warning", "sim:bad-key")]


def test_every_view_names_the_same_causes(seen: Seen) -> None:
    output, step = " ".join(seen.result.output.split()), seen.read("step.md")
    for finding in Matrix.of(seen.run).findings:
        words = re.findall(r"[\w ]{12,}", finding.summary)[0].strip()
        assert finding.cause in output and finding.cause in step
        for view in (output, step, seen.page, seen.read("html/report.html")):
            assert words in view, (words, view[:100])


def test_the_last_line_of_the_terminals_report_is_the_page(compat: Compat) -> None:
    result = compat("--llm-profile=sim:empty", "--llm-stages=A")

    assert result.folder is not None
    lines = [line.strip() for line in result.output.splitlines()]
    where = next(n for n, line in enumerate(lines) if ", evidence in .ohllm/runs/" in line)
    assert lines[where + 1] == f"open .ohllm/runs/{result.folder.name}/report.html"


def test_a_page_that_cannot_be_written_does_not_break_the_run(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise OSError("the disk is full")

    monkeypatch.setattr("pytest_ohllm.report.page.write_page", fail)
    result = compat("--llm-profile=sim", "--llm-stages=A")

    assert result.run.profiles[0].checks
    assert result.ret == 0
    assert "ohllm: the page was not written: OSError: the disk is full" in result.output
    assert "  open " not in result.output


def test_a_full_step_summary_is_left_as_it_is(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = compat.path / "step.md"
    step.write_text("x" * 1_100_000)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))

    result = compat("--llm-profile=sim", "--llm-stages=A")

    assert step.stat().st_size == 1_100_000
    assert "the step summary was not written" in result.output


def test_an_own_test_is_annotated_in_its_file(
    compat: Compat, monkeypatch: pytest.MonkeyPatch
) -> None:
    compat.pytester.makepyfile(test_own="def test_fails(llm_profile): assert 1 == 2, 'a, b: c%'")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)

    result = compat("--llm-profile=sim", ".")

    assert "::error file=test_own.py,title=sim%3A D advanced gates" in result.output
    assert "c%25" in result.output


def test_without_github_there_is_neither_summary_nor_command(compat: Compat) -> None:
    result = compat("--llm-profile=sim:empty", "--llm-stages=A")

    assert "::error" not in result.output


def test_the_key_is_in_no_view(compat: Compat, monkeypatch: pytest.MonkeyPatch) -> None:
    key = 'zebra"quokka<77>walrus&otter%31/narwhal'
    monkeypatch.setenv("OWN_KEY", key)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(compat.path / "step.md"))
    with Simulator("bad-key") as simulator:
        result = compat(
            f"--llm-model=openai/{simulator.model}",
            f"--llm-base-url={simulator.base_url}",
            "--llm-api-key-env=OWN_KEY",
            "--junitxml=junit.xml",
            "--html=report.html",
        )

    assert result.ret == 10, result.output
    assert "[REDACTED" in (compat.path / "step.md").read_text()
    assert "[REDACTED" in result.files("report.html")[0].read_text()
    assert leaks(key, result.output, compat.path) == []
