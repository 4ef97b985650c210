"""Imports point down only, as docs/DESIGN.md draws them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_ohllm

ROOT = Path(pytest_ohllm.__file__).parent

FOUNDATION = {"model", "error_chain", "gates"}
MAY_IMPORT = {
    "gates": set(),
    "plan": {"gates"},
    "model": set(),
    "error_chain": {"model"},
    "judgement": {"model"},
    "hookspecs": {"model", "diagnosis"},
    "wire": FOUNDATION,
    "simulator": {"model"},
    "profiles": FOUNDATION | {"simulator"},
    "diagnosis": FOUNDATION | {"wire"},
    "evidence": FOUNDATION | {"wire"},
    "report": FOUNDATION | {"wire", "evidence"},
    "sdk": FOUNDATION | {"wire", "profiles"},
    "session": FOUNDATION
    | {"judgement", "wire", "simulator", "profiles", "diagnosis", "evidence", "report", "sdk"},
    "plugin": {"model", "hookspecs", "session", "sdk"},
    "app": FOUNDATION
    | {"plan", "wire", "simulator", "profiles", "diagnosis", "evidence", "report", "sdk"},
    "autofix": FOUNDATION | {"wire", "profiles", "diagnosis", "evidence", "report"},
}
"""For each room, the rooms that its modules may import, itself aside."""

EXCEPTIONS = {
    # Saving a profile goes through the SDK's own store, which the SDK's room imports safely.
    "profiles.sdk_store": {"sdk"},
}

MAY_KNOW = {
    "pytest": {"plugin", "hookspecs", "judgement", "session"},
    # The script is read as a text, and run where the SDK is.
    "openhands": {"sdk", "profiles.sdk_store", "evidence.repro_script", "autofix.worker"},
    "litellm": set(),
    "xdist": {"session.xdist"},
    "pytest_html": {"session.html"},
    "pytest_metadata": {"session.html"},
    "_pytest": {"session.junit", "session.executor"},
    "compat_suite": set(),
    "typer": {"app", "autofix"},
}
"""For each third party that matters, the only rooms or modules that may import it."""


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            yield name, path


def _imports(path: Path) -> Iterator[str]:
    """Every module that is imported anywhere in the file, type-checking blocks aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("name", "path"), list(_modules()))
def test_a_module_imports_only_what_is_below_it(name: str, path: Path) -> None:
    room = name.partition(".")[0]
    allowed = MAY_IMPORT[room] | EXCEPTIONS.get(name, set()) | {room}
    for imported in _imports(path):
        package, _, rest = imported.partition(".")
        if package == "pytest_ohllm":
            assert rest.partition(".")[0] in allowed, f"{name} imports {imported}"
        elif package in MAY_KNOW:
            known = MAY_KNOW[package]
            assert room in known or name in known, f"{name} imports {imported}"
