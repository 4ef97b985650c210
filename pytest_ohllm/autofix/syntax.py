"""What a module of Python is made of, as far as one can tell without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

type Function = ast.FunctionDef | ast.AsyncFunctionDef
type Definition = Function | ast.ClassDef
type Import = tuple[str, str, str]
"""The module, what is imported from it, and the name that it gets."""

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITION = (*FUNCTION, ast.ClassDef)
_IMPORT = (ast.Import, ast.ImportFrom)
_LOOP = (ast.For, ast.AsyncFor, ast.While)
_LEAVING = (ast.Return, ast.Raise, ast.Yield, ast.YieldFrom)


def line(node: ast.AST) -> str:
    """The first line of it, as it would be written."""
    return ast.unparse(node).splitlines()[0][:120]


def same(old: Iterable[ast.AST], new: Iterable[ast.AST]) -> bool:
    """Whether both are the same code, comments and spaces aside."""
    return [*map(ast.dump, old)] == [*map(ast.dump, new)]


def definitions(body: Sequence[ast.stmt]) -> dict[str, Definition]:
    """Functions and classes by name; of those with one name, the last one counts."""
    return {one.name: one for one in body if isinstance(one, DEFINITION)}


def imports(body: Sequence[ast.stmt]) -> set[Import]:
    """What is imported."""
    found = set()
    for one in body:
        if isinstance(one, _IMPORT):
            module = "." * one.level + (one.module or "") if isinstance(one, ast.ImportFrom) else ""
            found |= {(module, name.name, name.asname or name.name) for name in one.names}
    return found


def others(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Statements that are none of both, and no docstring."""
    return [one for one in without_docstrings(body) if not isinstance(one, DEFINITION + _IMPORT)]


def without_docstrings(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Statements that do something."""
    return [one for one in body if not isinstance(one, ast.Pass) and not _is_constant(one)]


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def bound(body: Iterable[ast.stmt]) -> set[str]:
    """Names that get a value there, or lose it."""
    return {name for one in body for name in _bound(one)}


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, DEFINITION):
        yield node.name
        return
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    if isinstance(node, _IMPORT):
        yield from (one.asname or one.name for one in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def arguments(function: Function) -> set[str]:
    """The arguments of a function, each with its default."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    pairs = [
        *zip(plain, [*defaults, *given.defaults], strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    more = [one.arg for one in (given.vararg, given.kwarg) if one]
    return {one.arg + (f"={ast.unparse(default)}" if default else "") for one, default in pairs} | {
        f"*{name}" for name in more
    }


def names(node: ast.AST) -> set[str]:
    """Every name in it: of variables, attributes, functions, and what is imported."""
    found = set()
    for one in ast.walk(node):
        match one:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
    return found


def leaves(node: ast.AST, *, in_loop: bool = False) -> bool:
    """Whether a statement can end the function or the loop that it stands in."""
    if isinstance(node, _LEAVING) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
        return True
    if isinstance(node, (*DEFINITION, ast.Lambda)):
        return False
    inside = in_loop or isinstance(node, _LOOP)
    return any(leaves(child, in_loop=inside) for child in ast.iter_child_nodes(node))
