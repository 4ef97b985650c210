"""The JUnit vocabulary: what is written is exact, what is read is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.junit import JUnitError, read_junit
from pytest_ohllm.model import (
    Blame,
    CheckResult,
    Diagnosis,
    Kind,
    Outcome,
    Revision,
    Stage,
    ToolMode,
)

type Result = Callable[..., CheckResult]

pytest_plugins = ["pytester"]


@pytest.fixture
def failed(result: Result) -> CheckResult:
    return result(
        "C",
        outcome=Outcome.FAILED,
        tool_mode=ToolMode.PROMPT,
        diagnosis=Diagnosis(
            kind=Kind.SDK_GAP,
            summary="temperature is sent",
            blame=Blame.SDK,
            next_step="autofix",
        ),
    )


class TestWriting:
    def test_every_value_is_an_exact_str(self, failed: CheckResult) -> None:
        found = junit.properties(failed, folder="f", rerun="pytest x", blocked_by=Stage.A)
        found += junit.suite_properties("r", "d", Revision(version="1", path=None, git_sha="a"))
        assert {type(part) for pair in found for part in pair} == {str}

    def test_the_vocabulary_is_complete(self, failed: CheckResult) -> None:
        found = dict(junit.properties(failed, folder="f", rerun="pytest x", blocked_by=Stage.A))
        assert found == {
            "ohllm.profile": "gpt",
            "ohllm.stage": "C",
            "ohllm.check": "suite.test_c::test_hello",
            "ohllm.outcome": "failed",
            "ohllm.kind": "sdk_gap",
            "ohllm.blame": "sdk",
            "ohllm.summary": "temperature is sent",
            "ohllm.next_step": "autofix",
            "ohllm.blocked_by": "A",
            "ohllm.folder": "f",
            "ohllm.rerun": "pytest x",
            "ohllm.tool_mode": "prompt",
            "ohllm.confidence": "text",
        }

    def test_what_is_unknown_is_left_out(self, result: Result) -> None:
        found = dict(junit.properties(result(), folder="f"))
        assert set(found) == {
            "ohllm.profile", "ohllm.stage", "ohllm.check", "ohllm.outcome", "ohllm.folder",
        }  # fmt: skip
        suite = dict(junit.suite_properties("r", "d", Revision(version=None, path=None)))
        assert suite == {"ohllm.schema": "1", "ohllm.run_id": "r", "ohllm.run_dir": "d"}

    @given(st.text(st.characters(codec=None)), st.integers(0, 3000))
    def test_any_text_can_travel_between_processes(self, text: str, times: int) -> None:
        ((_, value),) = junit._exact(("name", text * times)) or [("name", "")]
        assert len(value) <= junit.LONGEST_VALUE
        assert value.encode("utf-8").decode() == value


class TestReading:
    def test_what_pytest_writes_is_read_back(
        self, pytester: pytest.Pytester, failed: CheckResult
    ) -> None:
        pytester.makeconftest(
            f"""
            import pytest
            from _pytest.junitxml import xml_key
            PROPERTIES = {junit.properties(failed, folder="profiles/gpt")!r}
            def pytest_runtest_setup(item):
                item.user_properties.extend(PROPERTIES + [("other", "x")])
            @pytest.hookimpl(trylast=True)
            def pytest_sessionstart(session):
                session.config.stash[xml_key].add_global_property("ohllm.run_id", "r1")
            """
        )
        pytester.makepyfile(
            """
            import pytest
            @pytest.fixture
            def broken():
                raise RuntimeError("setup")
            def test_good(): pass
            def test_bad(): raise AssertionError("it said \\x1b[31m <no> & ]]>")
            def test_error(broken): pass
            def test_parts(subtests):
                for n in range(3):
                    with subtests.test(n=n):
                        assert n == 1
            """
        )
        pytester.runpytest("--junitxml=junit.xml", ".", "-p", "no:cacheprovider")
        report = read_junit(pytester.path / "junit.xml")
        assert report.suite == {"ohllm.run_id": "r1"}
        assert report.tests == 4
        names = [(failure.test.rpartition("::")[2], failure.element) for failure in report.failures]
        assert names.count(("test_bad", "failure")) == 1
        assert names.count(("test_error", "error")) == 1
        assert names.count(("test_parts", "failure")) >= 2
        bad = next(failure for failure in report.failures if failure.test.endswith("test_bad"))
        assert "<no> & ]]>" in bad.text
        assert bad.properties == dict(junit.properties(failed, folder="profiles/gpt"))
        assert bad.suite == {"ohllm.run_id": "r1"}

    def test_suites_of_several_runs_keep_their_own_run(self, tmp_path: Path) -> None:
        one = (
            '<testsuite><properties><property name="ohllm.run_id" value="{n}"/></properties>'
            '<testcase classname="c" name="t{n}"><failure message="m">text</failure></testcase>'
            "</testsuite>"
        )
        path = tmp_path / "junit.xml"
        path.write_text(f"<testsuites>{one.format(n=1)}{one.format(n=2)}</testsuites>")
        found = [
            (failure.test, failure.suite["ohllm.run_id"]) for failure in read_junit(path).failures
        ]
        assert found == [("c::t1", "1"), ("c::t2", "2")]

    def test_a_file_without_failures_has_none(self, tmp_path: Path) -> None:
        path = tmp_path / "junit.xml"
        path.write_text('<testsuite><testcase name="t"><skipped/></testcase></testsuite>')
        assert read_junit(path) == junit.JUnitReport(tests=1, failures=(), suite={})


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


class TestHostileFiles:
    @pytest.mark.parametrize(
        "content",
        [
            f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><testsuite name="&l9;"/>',
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite>&f;</testsuite>',
            '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><testsuite/>',
            "<!DOCTYPE testsuite><testsuite/>",
        ],
        ids=["laughs", "file", "external", "bare"],
    )
    def test_document_types_are_refused(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "junit.xml"
        path.write_text(content)
        with pytest.raises(JUnitError, match="declares a document type"):
            read_junit(path)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "is not XML"),
            (b"\x00\xff\xfe garbage", "is not XML"),
            (b"<testsuite>", "is not XML"),
            (b'<?xml version="1.0" encoding="klingon"?><testsuite/>', "is not XML"),
            (b'<?xml version="1.0" encoding="big5"?><testsuite/>', "is not XML"),
            (b"<testsuite>&unknown;</testsuite>", "is not XML"),
            (b"<html><body/></html>", "root element is <html>"),
            (b'{"json": true}', "is not XML"),
        ],
    )
    def test_garbage_gets_one_clear_line(self, tmp_path: Path, content: bytes, says: str) -> None:
        path = tmp_path / "junit.xml"
        path.write_bytes(content)
        with pytest.raises(JUnitError, match=says) as caught:
            read_junit(path)
        assert "\n" not in str(caught.value)

    def test_a_missing_file_and_a_folder_are_said_to_be_unreadable(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none.xml", tmp_path):
            with pytest.raises(JUnitError, match="cannot be read"):
                read_junit(path)

    def test_a_file_of_absurd_size_is_not_parsed(self, tmp_path: Path) -> None:
        path = tmp_path / "junit.xml"
        with path.open("wb") as file:
            file.truncate(junit.LARGEST_FILE + 1)
        with pytest.raises(JUnitError, match="larger than 256 MiB"):
            read_junit(path)

    def test_endless_nesting_does_not_exhaust_the_stack(self, tmp_path: Path) -> None:
        path = tmp_path / "junit.xml"
        path.write_text("<testsuite>" * 100_000 + "</testsuite>" * 100_000)
        assert read_junit(path).failures == ()

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, content: bytes
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "any.xml"
        path.write_bytes(content)
        with pytest.raises(JUnitError):
            read_junit(path)

    @given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"))))
    def test_any_value_is_read_as_it_was_written(
        self, tmp_path_factory: pytest.TempPathFactory, value: str
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "value.xml"
        written = f'<property name="ohllm.summary" value={quoteattr(value)}/>'
        path.write_text(
            f"<testsuite><testcase name='t'><properties>{written}</properties><failure/>"
            "</testcase></testsuite>",
            encoding="utf-8",
        )
        (failure,) = read_junit(path).failures
        assert failure.properties == {"ohllm.summary": value}
