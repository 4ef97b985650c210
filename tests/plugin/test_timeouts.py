"""A check that hangs is stopped, leaves its stacks behind, and the next one goes on."""

from __future__ import annotations

import stat

import pytest

from pytest_ohllm.model import Outcome
from tests.conftest import Compat

HANGING = """
    import time
    import pytest

    stage_a = pytest.mark.llm_stage("A")
    soon = pytest.mark.timeout(0.3)

    @pytest.fixture
    def endless_setup(llm_profile):
        time.sleep(60)

    @pytest.fixture
    def endless_teardown(llm_profile):
        yield
        time.sleep(60)

    @stage_a
    @soon
    def test_hangs(llm_profile):
        try:
            time.sleep(60)
        except Exception:
            time.sleep(60)

    @stage_a
    @soon
    def test_hangs_before(endless_setup):
        pass

    @stage_a
    @pytest.mark.timeout(0.3, func_only=False)
    def test_goes_on(llm_profile):
        pass

    def test_is_later(llm_profile):
        pass
"""


def test_a_check_that_hangs_is_stopped_and_the_next_one_runs(compat: Compat) -> None:
    compat.pytester.makepyfile(test_own=HANGING)

    result = compat(".", "--llm-profile=sim", "--llm-timeout=1", "--junitxml=junit.xml")

    assert result.ret == 10, result.output
    assert {c.id.partition("::")[2]: c.outcome for c in result.run.profiles[0].checks} == {
        "test_hangs": Outcome.INCONCLUSIVE,
        "test_hangs_before": Outcome.INCONCLUSIVE,
        "test_goes_on": Outcome.PASSED,
        "test_is_later": Outcome.NOT_RUN,
    }
    for name, where in (("test_hangs", "in test_hangs"), ("test_hangs_before", "in endless_setup")):
        check = result.check(name)
        assert check.seconds < 5
        assert check.diagnosis is not None
        assert (check.diagnosis.rule, check.diagnosis.kind) == ("hung", "environment")
        assert "did not end within 0.3 s" in check.diagnosis.summary
        assert result.folder is not None
        stacks = result.folder / check.folder / "stacks.txt"
        assert where in stacks.read_text()
        assert "LlmTimeout" in stacks.with_name("traceback.txt").read_text()
        assert stat.S_IMODE(stacks.stat().st_mode) == 0o600
    assert "Stack of" not in result.output, "the stacks are in the folder, not on the terminal"


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_the_method_of_the_ini_file_does_not_kill_the_run(compat: Compat, method: str) -> None:
    compat.pytester.makeini(f"[pytest]\ntimeout_method = {method}\ntimeout = 0.3")
    compat.pytester.makepyfile(
        """
        import time

        def test_hangs(llm_profile):
            time.sleep(0.6)  # longer than the ini file allows, which is not about LLM tests

        def test_of_somebody_else(request):
            assert request.node.get_closest_marker("timeout") is None
        """
    )

    result = compat(".", "--llm-profile=sim", "--llm-timeout=1")

    assert result.ret == 0, result.output
    assert "2 passed" in result.output


def test_a_check_has_the_users_time_and_some_for_what_is_no_request(compat: Compat) -> None:
    compat.pytester.makepyfile(
        """
        import pytest

        def test_default(llm_profile, request, llm_driver):
            (seconds,) = request.node.get_closest_marker("timeout").args
            assert 61 < seconds < 180
            assert llm_driver.timeout == 61

        @pytest.mark.timeout(7)
        def test_own(llm_profile, request):
            assert request.node.get_closest_marker("timeout").args == (7,)
        """
    )

    result = compat(".", "--llm-profile=sim", "--llm-timeout=61")

    assert result.ret == 0, result.output


def test_other_tests_keep_the_timeouts_of_pytest_timeout(compat: Compat) -> None:
    compat.pytester.makepyfile(
        """
        import time
        import pytest

        @pytest.mark.timeout(0.3)
        def test_of_somebody_else():
            time.sleep(60)

        def test_mine(llm_profile):
            pass
        """
    )

    result = compat(".", "--llm-profile=sim")

    assert result.ret == 1
    assert "from pytest-timeout" in result.output
    assert "LlmTimeout" not in result.output
    assert result.check("test_mine").outcome is Outcome.PASSED


def test_nobody_is_stopped_while_debugging(compat: Compat) -> None:
    compat.pytester.makepyfile(
        """
        import bdb, sys, time
        import pytest

        @pytest.mark.timeout(0.3)
        def test_is_debugged(llm_profile):
            def debugger(frame, event, argument):
                pass

            before, debugger.__module__ = sys.gettrace(), bdb.__name__
            sys.settrace(debugger)
            try:
                time.sleep(0.6)
            finally:
                sys.settrace(before)
        """
    )

    result = compat(".", "--llm-profile=sim")

    assert result.ret == 0, result.output


def test_the_gate_runs_without_pytest_timeout(compat: Compat) -> None:
    result = compat(
        "--llm-profile=sim", "--llm-stages=A,B,C", "-p", "no:timeout", "--strict-markers"
    )

    assert result.ret == 0, result.output
    assert result.run.profiles[0].verdict == "WORKS"


def test_a_conversation_that_hangs_is_stopped_by_its_own_clock(compat: Compat) -> None:
    compat.pytester.makepyfile(
        """
        import time

        def test_mine(llm_driver):
            before = time.monotonic()
            transcript = llm_driver.complete("Say hello in one word.")
            assert time.monotonic() - before < 5
            assert transcript.error is not None
            assert len(transcript.exchanges) == 1
            assert transcript.exchanges[0].status is None
        """
    )

    result = compat(".", "--llm-profile=sim:hang", "--llm-timeout=0.5")

    assert result.ret == 0, result.output
    assert not result.files("**/stacks.txt")
