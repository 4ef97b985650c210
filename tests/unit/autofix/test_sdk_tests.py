"""Which of the SDK's own tests are run for a change, and what their results are worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ohllm.autofix import sdk_tests
from pytest_ohllm.autofix.sandbox import Finished
from pytest_ohllm.autofix.sdk_tests import MOST_FILES, Ran, choose

FEATURES = "openhands-sdk/openhands/sdk/llm/utils/model_features.py"


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """A worktree with a few modules and tests."""
    for path, text in {
        FEATURES: "",
        "openhands-sdk/openhands/sdk/llm/__init__.py": "",
        "openhands-sdk/openhands/sdk/llm/llm.py": "",
        "openhands-tools/openhands/tools/terminal/definition.py": "",
        "tests/sdk/llm/test_model_features.py": "",
        "tests/sdk/llm/test_model_features_of_proxies.py": "",
        "tests/sdk/llm/test_import.py": "from openhands.sdk.llm.utils.model_features import x\n",
        "tests/sdk/llm/test_package.py": "from openhands.sdk.llm.utils import model_features\n",
        "tests/sdk/llm/test_whole.py": "import openhands.sdk.llm\n",
        "tests/sdk/agent/test_agent.py": "from openhands.sdk import Agent\n",
        "tests/sdk/llm/conftest.py": "openhands.sdk.llm.utils.model_features\n",
        "tests/sdk/llm/model_features.py": "",
        "tests/tools/test_terminal.py": "from openhands.tools.terminal.definition import T\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


class TestChoice:
    def test_the_nearest_first(self, sdk: Path) -> None:
        assert choose(sdk, [FEATURES]) == [
            "tests/sdk/llm/test_model_features.py",
            "tests/sdk/llm/test_model_features_of_proxies.py",
            "tests/sdk/llm/test_import.py",
            "tests/sdk/llm/test_package.py",
        ]

    def test_a_package_is_known_by_its_name(self, sdk: Path) -> None:
        found = choose(sdk, ["openhands-sdk/openhands/sdk/llm/__init__.py"])

        assert "tests/sdk/llm/test_whole.py" in found
        assert "tests/sdk/agent/test_agent.py" not in found

    def test_a_module_of_the_tools(self, sdk: Path) -> None:
        changed = ["openhands-tools/openhands/tools/terminal/definition.py"]

        assert choose(sdk, changed) == ["tests/tools/test_terminal.py"]

    def test_what_the_change_has_added_comes_first(self, sdk: Path) -> None:
        (sdk / "tests/sdk/llm/test_z_new.py").write_text("")

        found = choose(sdk, [FEATURES, "tests/sdk/llm/test_z_new.py"])

        assert found[:2] == ["tests/sdk/llm/test_z_new.py", "tests/sdk/llm/test_model_features.py"]

    def test_it_is_a_few_however_many_there_are(self, sdk: Path) -> None:
        for number in range(2 * MOST_FILES):
            (sdk / f"tests/sdk/{number}").mkdir()
            (sdk / f"tests/sdk/{number}/test_model_features.py").write_text("")
        (sdk / "tests/sdk/llm/test_z_new.py").write_text("")

        found = choose(sdk, [FEATURES, "tests/sdk/llm/test_z_new.py"])

        assert len(found) == MOST_FILES
        assert found[0] == "tests/sdk/llm/test_z_new.py"

    @pytest.mark.parametrize(
        "changed",
        [
            [],
            ["docs/llms/new.md"],
            ["examples/run.py"],
            ["openhands-sdk/openhands/sdk/llm/prices.json"],
            ["tests/sdk/llm/data.json"],
            ["tests/sdk/llm/conftest.py"],
            ["openhands-sdk/openhands/sdk/nobody_imports_this.py"],
        ],
    )
    def test_there_may_be_none(self, sdk: Path, changed: list[str]) -> None:
        assert choose(sdk, changed) == []

    def test_a_module_that_is_gone_still_has_tests(self, sdk: Path) -> None:
        (sdk / FEATURES).unlink()

        assert "tests/sdk/llm/test_import.py" in choose(sdk, [FEATURES])

    def test_a_test_that_is_no_text(self, sdk: Path) -> None:
        (sdk / "tests/sdk/llm/test_other.py").write_bytes(b"\xff\xfe\x00")

        assert choose(sdk, [FEATURES])

    def test_no_tests_at_all(self, tmp_path: Path) -> None:
        assert choose(tmp_path, [FEATURES]) == []

    def test_a_folder_that_is_called_like_a_test(self, sdk: Path) -> None:
        (sdk / "tests/test_model_features.py").mkdir()

        assert "tests/test_model_features.py" not in choose(sdk, [FEATURES])


class TestResults:
    def finished(self, code: int) -> Finished:
        return Finished(code=code, output="said", timed_out=False, seconds=2.0)

    def test_a_report_tells_what_failed(self, tmp_path: Path) -> None:
        report = tmp_path / "report.xml"
        report.write_text(
            '<testsuites><testsuite><testcase classname="a" name="one"><failure/></testcase>'
            '<testcase classname="a" name="two"/></testsuite></testsuites>'
        )

        ran = sdk_tests._read(report, self.finished(1))

        assert (ran.tests, ran.failed, ran.ended) == (2, frozenset({"a::one"}), True)

    @pytest.mark.parametrize("code", [-9, 2, 3, 4, 5, 97])
    def test_pytest_that_did_not_come_to_its_end_proves_nothing(
        self, tmp_path: Path, code: int
    ) -> None:
        report = tmp_path / "report.xml"
        report.write_text('<testsuites><testsuite><testcase name="one"/></testsuite></testsuites>')

        assert not sdk_tests._read(report, self.finished(code)).ended

    @pytest.mark.parametrize("code", [0, 1, 2])
    def test_without_a_report_nothing_has_passed(self, tmp_path: Path, code: int) -> None:
        ran = sdk_tests._read(tmp_path / "report.xml", self.finished(code))

        assert not ran.ended
        assert ran.output == "said"

    def test_no_tests_are_no_failure(self) -> None:
        assert Ran(0, frozenset(), 0, 0.0).ended
