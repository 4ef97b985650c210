"""Which items run: each LLM test once for every profile, profile by profile and stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import Stage
from pytest_ohllm.session.case import CASE, Case, check_id, stage_of


class Selection:
    """Turns tests that ask for a profile into items with a Case."""

    def __init__(
        self,
        config: pytest.Config,
        profiles: Sequence[str],
        stages: Sequence[Stage],
        folder: RunFolder,
        timeout: float,
    ) -> None:
        self._config = config
        self._profiles = list(profiles)
        self._stages = set(stages)
        self._folder = folder
        self._timeout = timeout

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "llm_profile" in metafunc.fixturenames:
            # First of all, so that the profile comes first in the id: [NAME-other].
            metafunc.parametrize(
                "llm_profile", self._profiles, ids=self._profiles, indirect=True, scope="session"
            )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self._note(item)
        dropped = [i for i in items if CASE in i.stash and i.stash[CASE].stage not in self._stages]
        if dropped:
            self._config.hook.pytest_deselected(items=dropped)
            items[:] = [item for item in items if item not in set(dropped)]
        items.sort(key=self._order)

    def _note(self, item: pytest.Item) -> None:
        callspec = getattr(item, "callspec", None)
        profile = callspec.params.get("llm_profile") if callspec else None
        if profile is None:
            return
        stage, check = stage_of(item), check_id(item)
        folder = self._folder.check_folder(profile, stage, check)
        item.stash[CASE] = Case(profile, stage, check, folder)
        timed = item.get_closest_marker("timeout") is not None
        if not timed and self._config.pluginmanager.has_plugin("timeout"):
            item.add_marker(pytest.mark.timeout(self._timeout))

    def _order(self, item: pytest.Item) -> tuple[int, str]:
        """Other tests first, as they came; then profiles as selected, stages in order."""
        case = item.stash.get(CASE, None)
        return (-1, "") if case is None else (self._profiles.index(case.profile), case.stage)
