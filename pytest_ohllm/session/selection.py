"""Which items run: each LLM test once for every profile, profile by profile and stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import Stage
from pytest_ohllm.profiles import builtin
from pytest_ohllm.session.case import (
    ATTEMPT,
    CASE,
    Case,
    attempt_id,
    check_id,
    rerun_command,
    stage_of,
)

REPEATED = frozenset({Stage.B, Stage.C})
"""Where the model may do otherwise each time; A and D look at what went over the wire."""


class Selection:
    """Turns tests that ask for a profile into items with a Case."""

    def __init__(
        self,
        config: pytest.Config,
        profiles: Sequence[str],
        stages: Sequence[Stage],
        gates: frozenset[str],
        folder: RunFolder,
        timeout: float,
    ) -> None:
        self._config = config
        self._profiles = list(profiles)
        self._stages, self._gates = set(stages), gates
        self._folder = folder
        self._timeout = timeout

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "llm_profile" not in metafunc.fixturenames:
            return
        # First of all, so that the profile comes first in the id: [NAME-other].
        metafunc.parametrize(
            "llm_profile", self._profiles, ids=self._profiles, indirect=True, scope="session"
        )
        times = self._config.option.llm_repeat
        if times > 1 and stage_of(metafunc.definition) in REPEATED:
            metafunc.fixturenames.append(ATTEMPT)
            numbers = range(1, times + 1)
            metafunc.parametrize(ATTEMPT, numbers, ids=map(attempt_id, numbers), indirect=True)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self._note(item)
        dropped = [item for item in items if not self._is_wanted(item)]
        if dropped:
            self._config.hook.pytest_deselected(items=dropped)
            items[:] = [item for item in items if item not in set(dropped)]
        items.sort(key=self._order)

    def _is_wanted(self, item: pytest.Item) -> bool:
        case = item.stash.get(CASE, None)
        if case is None:
            return True
        gate = item.get_closest_marker("llm_gate")
        return case.stage in self._stages and (gate is None or gate.args[0] in self._gates)

    def _note(self, item: pytest.Item) -> None:
        callspec = getattr(item, "callspec", None)
        profile = callspec.params.get("llm_profile") if callspec else None
        if profile is None:
            return
        stage, check = stage_of(item), check_id(item)
        attempt = callspec.params.get(ATTEMPT, 1) if callspec else 1
        folder = self._folder.check_folder(profile, stage, check, attempt)
        rerun = rerun_command(item, self._options(item, profile))
        item.stash[CASE] = Case(profile, stage, check, folder, rerun, attempt)
        timed = item.get_closest_marker("timeout") is not None
        if not timed and self._config.pluginmanager.has_plugin("timeout"):
            item.add_marker(pytest.mark.timeout(self._timeout))

    def _options(self, item: pytest.Item, profile: str) -> list[str]:
        """The options that select ``profile``, and the others that ``item`` depends on."""
        option = self._config.option
        chosen: dict[str, str | None] = {"--llm-profile": profile}
        if profile == builtin.ADHOC and option.llm_model:
            chosen = {
                "--llm-model": option.llm_model,
                "--llm-base-url": option.llm_base_url,
                "--llm-api-key-env": option.llm_api_key_env,
            }
        chosen["--llm-tools"] = None if option.llm_tools == "auto" else option.llm_tools
        if ATTEMPT in getattr(item, "fixturenames", ()):
            chosen["--llm-repeat"] = str(option.llm_repeat)
        if "llm_gates" in getattr(item, "fixturenames", ()):
            chosen["--llm-gates"] = None if option.llm_gates == "auto" else option.llm_gates
        return [f"{name}={value}" for name, value in chosen.items() if value]

    def _order(self, item: pytest.Item) -> tuple[int, str, int]:
        """Other tests first, as they came; then profiles as selected, stages in order, rounds."""
        case = item.stash.get(CASE, None)
        if case is None:
            return -1, "", 0
        return self._profiles.index(case.profile), case.stage, case.attempt
