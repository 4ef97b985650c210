"""Whether a module of tests still claims what it claimed before it was changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_SILENCERS = {
    "skip",
    "skipif",
    "xfail",
    "importorskip",
    "collect_ignore",
    "pytest_collection_modifyitems",
    "__test__",
}

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def weakness(old: str, new: str) -> str | None:
    """What tests of ``old`` have lost in ``new``, in words; ``None`` if they are as strict.

    Statements and parameters may be added to a test. What it held must be there still, in its
    order, and be reached.
    """
    try:
        before, after = _tests(old), _tests(new)
        silenced = _silencers(new) > _silencers(old)
    except (SyntaxError, ValueError, RecursionError):
        return "it cannot be read as Python"
    for name, held in before.items():
        if name not in after:
            return f"the test {name} is gone"
        if missing := _missing(held, after[name]):
            return f"the test {name} no longer holds {missing}"
    return "tests in it are skipped" if silenced else None


def _tests(source: str) -> dict[str, list[str]]:
    """Each test of a module with what it is made of: its parameters and its statements."""
    return {
        name: [*_parameters(function), *map(ast.unparse, function.body)]
        for name, function in _functions(ast.parse(source), "")
        if name.rpartition(".")[2].startswith("test")
    }


def _functions(scope: ast.Module | ast.ClassDef, where: str) -> Iterator[tuple[str, Function]]:
    for node in scope.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{where}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{where}{node.name}.")


def _parameters(function: Function) -> list[str]:
    """What it is run with, one by one: another value makes a test stricter."""
    lists = [
        node
        for decorator in function.decorator_list
        for node in ast.walk(decorator)
        if isinstance(node, ast.List)
    ]
    return [ast.unparse(item) for one in lists for item in one.elts]


def _missing(held: list[str], now: list[str]) -> str | None:
    """The first part that a test has lost, or what keeps it from coming to the rest."""
    rest = iter(now)
    for part in held:
        if not any(part == other for other in rest):
            return f"`{part.splitlines()[0]}`"
    for part in (one for one in now if one not in held):
        if any(isinstance(node, ast.Return | ast.Raise) for node in ast.walk(ast.parse(part))):
            return f"what stands after `{part.splitlines()[0]}`"
    return None


def _silencers(source: str) -> int:
    """How many times a module names a way not to run a test."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    names += [node.id for node in nodes if isinstance(node, ast.Name)]
    names += [name for name, _ in _functions(ast.parse(source), "")]
    return sum(name in _SILENCERS for name in names)
