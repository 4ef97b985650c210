"""Running profiles side by side: the only place that knows pytest-xdist.

One profile is one unit of work, so that its stages run in order and its provider sees one client.
The schedulers that come with pytest-xdist run a test again that has crashed its worker, for as long
as workers may be replaced: that would be paid for. (Its ``loadgroup`` does not group at all with
pytest 9.2.)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from pytest_ohllm.evidence import junit
from pytest_ohllm.model import Blame, CheckResult, Diagnosis, Kind, Outcome, Stage
from pytest_ohllm.session.gates import Gates

if TYPE_CHECKING:
    from pytest_ohllm.session.llm_session import LlmSession

RUN_DIR_INPUT = "ohllm_run_dir"
"""What a worker is told: the folder, and nothing secret."""


class Workers:
    """Schedules by profile, and makes a crashed worker's check a recorded failure."""

    def __init__(self, session: LlmSession, gates: Gates) -> None:
        self._session = session
        self._gates = gates
        self._crashed: Any = None

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        return ProfileScheduling(config, log, self._session.names)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        folder = self._session.folder
        if folder is not None:
            node.workerinput[RUN_DIR_INPUT] = str(folder.path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """Complete the report that pytest-xdist makes up: it has no phase and no properties."""
        report.when = "call"
        report.location = (report.location[0], None, crashitem.partition("::")[2])
        found = self._result_of(crashitem)
        if found is not None:
            result, folder, rerun = found
            report.user_properties = junit.properties(result, folder=folder, rerun=rerun)
            self._gates.judge(result)
        self._crashed = report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Follow a crash with a teardown: JUnit and HTML complete a test only then."""
        if report is not self._crashed:
            return
        self._crashed = None
        end = pytest.TestReport(
            report.nodeid,
            report.location,
            {},
            "passed",
            None,
            "teardown",
            user_properties=report.user_properties,
        )
        end.node = report.node  # type: ignore[attr-defined]
        self._session.config.hook.pytest_runtest_logreport(report=end)

    def _result_of(self, crashitem: str) -> tuple[CheckResult, str, str | None] | None:
        """The result of the check that was running, written where the worker had begun it.

        With it come its folder and the command that runs it again.
        """
        folder = self._session.folder
        for started in folder.path.glob("profiles/*/*/*/started.json") if folder else ():
            about = json.loads(started.read_text(encoding="utf-8"))
            if about.get("node") != crashitem or (started.parent / "result.json").exists():
                continue
            assert folder is not None
            check = folder.check_folder(
                about["profile"], Stage(about["stage"]), about["id"], about.get("attempt", 1)
            )
            result = _crash(crashitem, about)
            check.finish(result)
            return result, folder.relative(check), about.get("rerun")
        return None


def _crash(node: str, about: dict[str, Any]) -> CheckResult:
    return CheckResult(
        id=about["id"],
        node=node,
        profile=about["profile"],
        stage=Stage(about["stage"]),
        outcome=Outcome.INCONCLUSIVE,
        diagnosis=Diagnosis(
            kind=Kind.ENVIRONMENT,
            blame=Blame.ENVIRONMENT,
            summary="the worker process died while this check ran",
            next_step="run it without -n to see what kills the process (memory, a native library)",
            rule="worker_crash",
        ),
    )


class ProfileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """One profile is one unit of work, run by one worker in collection order."""

    def __init__(self, config: pytest.Config, log: Any, profiles: list[str]) -> None:
        super().__init__(config, log)
        self._profiles = sorted(profiles, key=len, reverse=True)

    def _split_scope(self, nodeid: str) -> str:
        parameters = nodeid.partition("[")[2].removesuffix("]")
        for profile in self._profiles:
            if parameters == profile or parameters.startswith(f"{profile}-"):
                return profile
        return nodeid

    def remove_node(self, node: Any) -> str | None:
        """Give the dead worker's units to others, without the test that killed it."""
        units = self.assigned_work.pop(node)
        pending = (test for unit in units.values() for test, done in unit.items() if not done)
        crashed = next(pending, None)
        for scope, unit in units.items():
            if crashed in unit:
                unit[crashed] = True
            if not all(unit.values()):
                self.workqueue[scope] = unit
        for other in self.assigned_work:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: Any) -> None:
        """Keep two tests queued: a worker runs a test only once it knows the next one."""
        # One that has replaced a crashed worker may not have collected its tests yet.
        if node.shutting_down or node not in self.registered_collections:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()
