"""Whether a module of tests still claims what it claimed before it was changed.

What stood in it must stand in it still: tests and what they use by their names, everything else in
its order. More may come, as long as it keeps nothing from being run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from pytest_ohllm.autofix.syntax import (
    FUNCTION,
    Definition,
    arguments,
    bound,
    definitions,
    imports,
    leaves,
    line,
    names,
    others,
    same,
    without_docstrings,
)

_SILENCERS = {
    *("skip", "skipif", "xfail", "importorskip", "exit", "_exit", "quit", "SystemExit"),
    *("skipIf", "skipUnless", "skipTest", "SkipTest", "expectedFailure"),
    *("collect_ignore", "collect_ignore_glob", "pytest_collection_modifyitems"),
    *("pytest_plugins", "__test__"),
}
_MARKS = {"parametrize", "asyncio", "anyio", "timeout", "usefixtures", "filterwarnings"}
"""Marks of pytest that leave a test as strict as it was."""

_BLOCK = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith)


def weakness(old: str, new: str) -> str | None:
    """What tests of ``old`` have lost in ``new``, in words; ``None`` if they are as strict.

    Statements and parameters may be added to a test. What it held must be there still, in its
    order, and be reached.
    """
    try:
        return _scope(ast.parse(old).body, ast.parse(new).body, "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "it cannot be read as Python"


def _scope(old: Sequence[ast.stmt], new: Sequence[ast.stmt], where: str) -> str | None:
    """What a module or a class has lost; its names begin with ``where``."""
    before, after = definitions(old), definitions(new)
    for name, held in before.items():
        called = f"the test {where}{name}" if name.startswith("test") else f"`{where}{name}`"
        if name not in after:
            return f"{called} is gone"
        if lost := _definition(held, after[name], f"{where}{name}."):
            return lost if isinstance(held, ast.ClassDef) else f"{called} {lost}"
    if gone := imports(old) - imports(new):
        return f"the import of {min(gone)[2]} is gone"
    brought = imports(new) - imports(old)
    if silent := {name for _, name, _ in brought} & _SILENCERS:
        return f"tests in it are skipped by `{min(silent)}`"
    missing, added = _compared(others(old), others(new), _same_or_grown)
    if missing is not None:
        return f"`{line(missing)}` is gone"
    more = [after[name] for name in after if name not in before]
    for statement in (*added, *more):
        if _silences(statement) or leaves(statement):
            return f"tests in it are skipped by `{line(statement)}`"
    # A fixture can also take the place of one that comes from somewhere else.
    own = bound(old) | {one.arg for one in _every(ast.arg, old)}
    changed = bound((*added, *more)) | {name for _, _, name in brought}
    return f"`{min(changed & own)}` gets another meaning" if changed & own else None


def _definition(old: Definition, new: Definition, where: str) -> str | None:
    """What a function or a class has lost; of a function, as the end of a sentence about it."""
    lost = _decorators(old.decorator_list, new.decorator_list)
    if isinstance(old, ast.ClassDef):
        called = f"`{where[:-1]}`"
        if not isinstance(new, ast.ClassDef) or not same(
            (*old.bases, *old.keywords), (*new.bases, *new.keywords)
        ):
            return f"{called} is no longer what it was"
        return f"{called} {lost}" if lost else _scope(old.body, new.body, where)
    if lost or type(old) is not type(new) or not isinstance(new, FUNCTION):
        return lost or "is no longer what it was"
    if missing := arguments(old) - arguments(new):
        return f"no longer holds `{min(missing)}`"
    return _steps(old.body, new.body)


def _decorators(old: Sequence[ast.expr], new: Sequence[ast.expr]) -> str | None:
    """Parameters may come, and what silences a test may go."""
    rest = list(new)
    for decorator in old:
        kept = next((one for one in rest if _same_or_grown(decorator, one)), None)
        if kept is not None:
            rest.remove(kept)
        elif not _silences(_called(decorator)):
            return f"no longer holds `{line(_lost_item(decorator, rest) or decorator)}`"
    strange = next((one for one in rest if not _harmless(one)), None)
    return f"is not run as before: `@{line(strange)}`" if strange else None


def _lost_item(old: ast.expr, new: Sequence[ast.expr]) -> ast.expr | None:
    """The first parameter that is nowhere any more."""
    there = {ast.dump(node) for one in new for node in ast.walk(one)}
    items = [item for one in _every(ast.List, [old]) for item in one.elts]
    return next((item for item in items if ast.dump(item) not in there), None)


def _harmless(decorator: ast.expr) -> bool:
    """Whether a test that gets this decorator is run as often as before, or more often."""
    mark = _called(decorator)
    if not isinstance(mark, ast.Attribute) or ast.unparse(mark.value) != "pytest.mark":
        return False
    # A test without any parameters is skipped.
    empty = any(not one.elts for one in _every(ast.List, [decorator]))
    return mark.attr in _MARKS and not empty and not _silences(decorator)


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _steps(old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> str | None:
    """What the body of a function, or a block in it, has lost, or what it no longer comes to."""
    missing, added = _compared(without_docstrings(old), without_docstrings(new), _same_step)
    if missing is not None:
        return f"no longer holds `{line(missing)}`"
    stop = next((one for one in added if _silences(one) or leaves(one)), None)
    return f"no longer holds what stands after `{line(stop)}`" if stop else None


def _same_step(old: ast.stmt, new: ast.stmt) -> bool:
    """Whether a statement is there still; a block may have more in it."""
    if same([old], [new]):
        return True
    if not isinstance(old, _BLOCK) or not isinstance(new, _BLOCK) or type(old) is not type(new):
        return False
    heads = [[ast.dump(part) for part in _head(one)] for one in (old, new)]
    # What is expected to be raised must not come from anything else.
    raises = any(names(part) & {"raises", "warns"} for part in _head(old))
    bodies = zip(_bodies(old), _bodies(new), strict=True)
    return heads[0] == heads[1] and not raises and not any(_steps(*pair) for pair in bodies)


def _head(block: ast.stmt) -> list[ast.AST]:
    return [part for part in ast.iter_child_nodes(block) if not isinstance(part, ast.stmt)]


def _bodies(block: ast.stmt) -> list[list[ast.stmt]]:
    return [getattr(block, name, []) for name in ("body", "orelse")]


def _same_or_grown(old: ast.AST, new: ast.AST) -> bool:
    """Whether a declaration, or a value in it, is there still; a list may have become longer."""
    if same([old], [new]):
        return True
    match old, new:
        case ast.Assign(), ast.Assign():
            return same(old.targets, new.targets) and _same_or_grown(old.value, new.value)
        case ast.AnnAssign(value=ast.expr() as one), ast.AnnAssign(value=ast.expr() as other):
            return same([old.target], [new.target]) and _same_or_grown(one, other)
        case ast.Call(), ast.Call():
            inputs = [*old.args, *old.keywords], [*new.args, *new.keywords]
            return (
                same([old.func], [new.func])
                and len(inputs[0]) == len(inputs[1])
                and all(map(_same_or_grown, *inputs))
            )
        case ast.keyword(), ast.keyword():
            return old.arg == new.arg and _same_or_grown(old.value, new.value)
        case (
            (ast.List(elts=held), ast.List(elts=now))
            | (ast.Tuple(elts=held), ast.Tuple(elts=now))
            | (ast.Set(elts=held), ast.Set(elts=now))
        ):
            missing, added = _compared(held, now, lambda one, other: same([one], [other]))
            return missing is None and not any(map(_silences, added))
        case ast.Dict(), ast.Dict():
            before, after = _items(old), _items(new)
            # Of two values with one key, the last one counts.
            return set(before) <= set(after) and len(dict(after)) == len(after)
        case ast.If(), ast.If():
            bodies = zip(_bodies(old), _bodies(new), strict=True)
            return same([old.test], [new.test]) and not any(_scope(*pair, "") for pair in bodies)
    return False


def _compared[T: ast.AST](
    old: Sequence[T], new: Sequence[T], holds: Callable[[T, T], bool]
) -> tuple[T | None, list[T]]:
    """The first of ``old`` that is not in ``new`` in its order, and what ``new`` has besides."""
    rest = iter(new)
    added = []
    for part in old:
        for other in rest:
            if holds(part, other):
                break
            added.append(other)
        else:
            return part, added
    return None, [*added, *rest]


def _items(value: ast.Dict) -> list[tuple[str, str]]:
    pairs = zip(value.keys, value.values, strict=True)
    return [(ast.dump(key) if key else "**", ast.dump(item)) for key, item in pairs]


def _silences(node: ast.AST) -> bool:
    """Whether there is a way in it not to run a test."""
    return bool(names(node) & _SILENCERS)


def _every[T: ast.AST](kind: type[T], nodes: Sequence[ast.AST]) -> list[T]:
    return [one for node in nodes for one in ast.walk(node) if isinstance(one, kind)]
