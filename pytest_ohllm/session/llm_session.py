"""One session of testing profiles: its connections, its run folder, and the parts that hook in."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.evidence import verdict
from pytest_ohllm.evidence.reader import read_allowances, read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder, RunFolderError
from pytest_ohllm.model import Profile, Revision, Run, Stage
from pytest_ohllm.profiles import builtin
from pytest_ohllm.profiles.connection import Connection, resolve
from pytest_ohllm.profiles.creation import adhoc
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.store import load
from pytest_ohllm.sdk import environment, revision
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.session import wanted
from pytest_ohllm.session.censor import Censor
from pytest_ohllm.session.clinic import Clinic
from pytest_ohllm.session.executor import Executor
from pytest_ohllm.session.gates import Gates
from pytest_ohllm.session.junit import describe_suite
from pytest_ohllm.session.progress import Progress
from pytest_ohllm.session.recorder import Recorder
from pytest_ohllm.session.recovery import Recovery
from pytest_ohllm.session.selection import Selection
from pytest_ohllm.session.terminal import Terminal
from pytest_ohllm.session.timeouts import GRACE_SECONDS, Timeouts
from pytest_ohllm.session.views import write_views
from pytest_ohllm.wire.reachability import probe

_QUESTIONS = ("collectonly", "showfixtures", "show_fixtures_per_test", "setupplan")


class LlmSession:
    """Registered when a profile is selected; everything else is reached through it."""

    def __init__(self, config: pytest.Config, names: Sequence[str]) -> None:
        self.config = config
        self.names = list(names)
        self.worker = hasattr(config, "workerinput")
        self.run: Run | None = None
        self.folder: RunFolder | None = None
        self.page: Path | None = None
        self.problems: list[str] = []
        self.leaks: list[tuple[str, str]] = []
        self._connections: dict[str, Connection] = {}
        self._drivers: dict[str, Driver] = {}
        self._simulators: list[Any] = []
        self._recorder: Recorder | None = None
        self._recovery: Recovery | None = None
        self._redactor = Redactor()
        self._started = time.monotonic()
        self._foreign_failures = 0

    @classmethod
    def register(cls, config: pytest.Config, names: Sequence[str]) -> LlmSession:
        """The session of this process, hooked into pytest."""
        session = cls(config, names)
        config.pluginmanager.register(session, "ohllm-session")
        return session

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Refuse what cannot be tested before anything runs, then set up the parts.

        Not in pytest_configure: an error there would break ``--help``.
        """
        try:
            profiles = [self._profile(name) for name in self.names]
            self._connections = {p.name: resolve(p) for p in profiles}
        except ProfileError as error:
            raise pytest.UsageError(str(error)) from None
        sdk = revision.identify()
        if problem := revision.too_old(sdk) or self._unsuitable():
            raise pytest.UsageError(problem)
        stages = wanted.stages(self.config.option.llm_stages)
        gates = wanted.gates(self.config.option.llm_gates).selected
        allowed = None if self.worker else wanted.allowances(self.config)
        self._start_simulators()
        self._redactor = Redactor(self._secrets())
        if self._only_asks():
            # A folder that nothing is written to, for tests that are listed and not run.
            folder = RunFolder(Path(os.devnull), self._redactor)
        else:
            self.folder = folder = self._open_folder(profiles, stages, sdk)
            if allowed is not None:
                folder.allow(allowed)
        self._register_parts(folder, stages, gates)

    def connection(self, name: str) -> Connection:
        """The connection of a selected profile."""
        return self._connections[name]

    def driver(self, name: str) -> Driver:
        """The driver of a selected profile, made on first use: that is when its host is probed."""
        if name not in self._drivers:
            connection = self._connections[name]
            base_url = connection.profile.base_url
            self._drivers[name] = driver = Driver(
                connection,
                timeout=self.config.option.llm_timeout,
                redact=self._redactor.value,
                listener=self._recorder,
                unreachable=probe(base_url) if base_url else None,
            )
            if self._recovery is not None:
                driver.recover = self._recovery.pause
                self._recovery.check(driver)
        return self._drivers[name]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count failures of tests that are not ours: they decide the exit status as well."""
        if report.failed and not any(k == "ohllm.profile" for k, _ in report.user_properties):
            self._foreign_failures += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count what cannot be collected: with --continue-on-collection-errors the rest runs."""
        self._foreign_failures += report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Derive the run from what was left in its folder, and the exit status from the run."""
        if self.worker or self.folder is None:
            return
        self.folder.end(time.monotonic() - self._started)
        self.run = read_run(self.folder.path)
        self.folder.write_run(self.run)
        self.page, self.problems = write_views(self.run, self.folder.path, self._redactor)
        self.leaks = self._redactor.scan_folder(self.folder.path)
        self.config.hook.pytest_ohllm_run_finished(run=self.run, folder=self.folder.path)
        ours = any(profile.checks for profile in self.run.profiles)
        if int(exitstatus) in (0, 1) and ours and not self._foreign_failures:
            session.exitstatus = verdict.exit_code(self.run)

    def pytest_unconfigure(self) -> None:
        for simulator in self._simulators:
            simulator.stop()
        environment.remove_home()

    def _profile(self, name: str) -> Profile:
        option = self.config.option
        if name == builtin.ADHOC and option.llm_model:
            return adhoc(option.llm_model, option.llm_base_url, option.llm_api_key_env)
        return load(name)

    def _unsuitable(self) -> str | None:
        """What is wrong with the way in which the tests would be distributed."""
        if self.worker or getattr(self.config.option, "dist", "no") != "each":
            return None
        return (
            "--dist=each would run each check, and pay for it, once on every worker: leave it out, "
            "with -n each profile gets a worker"
        )

    def _start_simulators(self) -> None:
        """Start the embedded provider for profiles that ask for it, where their tests run."""
        if self._only_asks() or self._is_controller_of_workers():
            return
        for name, connection in self._connections.items():
            if connection.profile.source != builtin.SOURCE:
                continue
            from pytest_ohllm.simulator.server import Simulator

            personality = name.partition(":")[2] or "default"
            simulator = Simulator(personality).start()
            self._simulators.append(simulator)
            settings = connection.profile.settings | {"base_url": simulator.base_url}
            self._connections[name] = Connection(
                connection.profile.model_copy(update={"settings": settings}),
                {"api_key": SecretStr(simulator.api_key)},
            )

    def _only_asks(self) -> bool:
        """Whether the user asks about tests and none will run."""
        return any(getattr(self.config.option, name, False) for name in _QUESTIONS)

    def _is_controller_of_workers(self) -> bool:
        return not self.worker and bool(getattr(self.config.option, "tx", None))

    def _secrets(self) -> dict[str, str]:
        """What must not appear anywhere, by a name that may."""
        found: dict[str, str] = {}
        for name, connection in self._connections.items():
            for index, value in enumerate(connection.confidential()):
                found[f"{name}#{index}" if index else name] = value
        more = self.config.hook.pytest_ohllm_secrets(config=self.config)
        values = [value for values in more for value in values]
        return found | {f"secret {index}": value for index, value in enumerate(values)}

    def _open_folder(
        self, profiles: Sequence[Profile], stages: Sequence[Stage], sdk: Revision
    ) -> RunFolder:
        if self.worker:
            given = self.config.workerinput["ohllm_run_dir"]  # type: ignore[attr-defined]
            return RunFolder(Path(given), self._redactor)
        chosen = self.config.option.llm_run_dir
        explicit = self.config.invocation_params.dir / chosen if chosen else None
        now = datetime.now(UTC)
        try:
            folder = RunFolder.create(self.config.rootpath, explicit, now, self._redactor)
            record = folder.begin(now, profiles, stages=stages, host=_host())
        except RunFolderError as error:
            raise pytest.UsageError(str(error)) from None
        folder.record_sdk(sdk, revision.package_versions())
        describe_suite(self.config, folder, record.run_id, sdk)
        return folder

    def _register_parts(
        self, folder: RunFolder, stages: Sequence[Stage], wanted_gates: frozenset[str]
    ) -> None:
        config, plugins = self.config, self.config.pluginmanager
        limit = config.option.llm_timeout + GRACE_SECONDS
        gates, censor = Gates(config, folder), Censor(config, self._redactor)
        censor.watch_logs()
        selection = Selection(config, self.names, stages, wanted_gates, folder, limit)
        parts: list[object] = [censor, selection]
        if self.folder is not None:
            parts += self._running_parts(folder, gates)
        for part in parts:
            plugins.register(part, f"ohllm-{type(part).__name__.lower()}")

    def _running_parts(self, folder: RunFolder, gates: Gates) -> list[object]:
        plugins = self.config.pluginmanager
        # Imported only where pytest-html is: it may be switched off.
        html: Any = (
            import_module("pytest_ohllm.session.html") if plugins.has_plugin("html") else None
        )
        budget = self.config.option.llm_probes
        clinic = Clinic(self._drivers, budget)
        attach = html.Capsules(self._redactor) if html else None
        self._recorder = Recorder(folder, gates, clinic, read_allowances(folder.path), attach)
        self._recovery = Recovery(folder)
        executor = Executor(folder, self._recorder, self._drivers, self._recovery, budget)
        parts: list[object] = [gates, Timeouts(), self._recorder, executor]
        if not self.worker:
            parts += [Terminal(self, self._redactor), Progress(folder, self._redactor)]
            if html is not None:
                parts.append(html.HtmlReport(self, self._redactor))
            if plugins.has_plugin("xdist"):
                from pytest_ohllm.session.xdist import Workers

                parts.append(Workers(self, gates))
        return parts


def _host() -> dict[str, str]:
    """What explains differences between two machines; not its name, which is nobody's business."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
