"""A project that tests no LLM pays nothing: no imports, no hooks, no plugin objects."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pytest_ohllm import plugin
from tests.conftest import Compat

ENTRY_HOOKS = {
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_configure",
    "pytest_load_initial_conftests",
    "pytest_sessionstart",
    "pytest_xdist_auto_num_workers",
}
"""The hooks of the entry module: what happens once for each session, and never for each test."""

_IMPORT = """
import json, sys
import pytest
before = set(sys.modules)
import pytest_ohllm.plugin
print(json.dumps(sorted(set(sys.modules) - before)))
"""

_HEAVY = {"rich", "pydantic", "httpx", "litellm", "openhands", "jinja2", "starlette", "typer"}


def test_the_entry_module_brings_itself_and_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True, timeout=60
    )

    added = json.loads(done.stdout)
    assert added == ["pytest_ohllm", "pytest_ohllm.plugin"]


def test_an_idle_session_imports_hookspecs_and_nothing_else_of_ours(compat: Compat) -> None:
    compat.pytester.makepyfile(
        test_modules=f"""
        import sys

        def test_modules():
            ours = {{name for name in sys.modules if name.startswith("pytest_ohllm")}}
            assert ours <= {{"pytest_ohllm", "pytest_ohllm.plugin", "pytest_ohllm.hookspecs"}}
            # pytest-html, which is installed beside us, imports jinja2.
            assert not {_HEAVY - {"jinja2"}} & set(sys.modules)
        """
    )

    result = compat.subprocess(".")

    assert result.ret == 0, result.output
    assert result.folder is None


def test_the_entry_module_has_no_hook_that_runs_for_tests() -> None:
    names = {name for name in vars(plugin) if name.startswith("pytest_")}

    assert names == ENTRY_HOOKS


def test_an_idle_session_registers_nothing(compat: Compat) -> None:
    compat.pytester.makepyfile("def test_others(): pass")

    registered = _hooked(compat, ".")

    assert registered == {"ohllm": sorted(ENTRY_HOOKS)}


def test_a_busy_session_registers_what_the_idle_one_lacks(compat: Compat) -> None:
    compat.pytester.makepyfile("def test_mine(llm_profile): pass")

    registered = _hooked(compat, ".", "--llm-profile=sim")

    assert {"ohllm", "ohllm-session", "ohllm-recorder", "ohllm-censor"} <= registered.keys()
    assert "pytest_runtest_protocol" in registered["ohllm-executor"]


def _hooked(compat: Compat, *arguments: str) -> dict[str, list[str]]:
    """Names of the plugins of ours that a run registers, each with the hooks it implements."""
    found: dict[str, list[str]] = {}

    class Spy:
        def pytest_sessionfinish(self, session: pytest.Session) -> None:
            manager = session.config.pluginmanager
            for name, one in manager.list_name_plugin():
                if one is None or not name.startswith("ohllm"):
                    continue
                callers = manager.get_hookcallers(one) or []
                found[name] = sorted(caller.name for caller in callers)

    compat.pytester.inline_run(*arguments, plugins=[Spy()])
    return found
