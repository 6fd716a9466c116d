"""Plants a mutant: compiles its function anew with the bug in the text, and lets the function that there is run that.

Only the function's code is exchanged, so whoever holds the function, a table of handlers too, has the mutant.
In the same way the sound code is *watched*: it says which statements are reached that mutants would change.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from .mutant_table import Mutant

REACHED = "_reached_by_mutant"


class DoesNotApply(Exception):
    """The code has changed, and the mutant has to be written anew."""


def function_of(where: str) -> FunctionType:
    """Return the function that is called so below ``fedfutures``; of a property, what reads it."""
    names = where.split(".")
    found: Any = importlib.import_module("fedfutures." + ".".join(names[:2]))
    for name in names[2:]:
        found = inspect.getattr_static(found, name)
    function = found.fget if isinstance(found, property) else found
    assert isinstance(function, FunctionType)
    return function


def mutated(mutant: Mutant) -> CodeType:
    """Return the code of a mutant's function with the bug in it."""
    try:
        function = function_of(mutant.where)
    except (AttributeError, ImportError) as error:
        raise DoesNotApply(f"{mutant.name}: {error}") from None
    text = textwrap.dedent(inspect.getsource(function))
    if text.count(mutant.old) != 1:
        raise DoesNotApply(f"{mutant.name}: {mutant.where} has {mutant.old!r} {text.count(mutant.old)} times, not once")
    return compiled(function, ast.parse(text.replace(mutant.old, mutant.new)), mutant.name)


def compiled(function: FunctionType, tree: ast.Module, name: str) -> CodeType:
    """Return the code of this definition, in the place of a function's."""
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list.clear()
    names: dict[str, Any] = {}
    flags = __future__.annotations.compiler_flag
    exec(compile(tree, f"<mutant {name}>", "exec", flags, True), function.__globals__, names)
    code: CodeType = names[function.__name__].__code__
    return code


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Let a mutant live for a while."""
    code = mutated(mutant)
    function = function_of(mutant.where)
    sound, function.__code__ = function.__code__, code
    try:
        yield
    finally:
        function.__code__ = sound


# -- which statements are reached --------------------------------------------------------------------------------------


def innermost(block: list[ast.stmt], line: int) -> tuple[list[ast.stmt], int]:
    """Return the block, and the place in it, of the smallest statement that has this line."""
    for index, statement in enumerate(block):
        if statement.lineno <= line <= (statement.end_lineno or 0):
            for field in ("body", "orelse", "finalbody"):
                inner = getattr(statement, field, None)
                if isinstance(inner, list) and inner and inner[0].lineno <= line <= (inner[-1].end_lineno or 0):
                    return innermost(inner, line)
            return block, index
    raise DoesNotApply(f"no statement has line {line}")


def watching(function: FunctionType, mutants: Sequence[Mutant]) -> CodeType:
    """Return the function's code, with a call before each statement that one of these mutants changes."""
    text = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(text)
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    for mutant in mutants:
        block, index = innermost(definition.body, text[: text.index(mutant.old)].count("\n") + 1)
        call = ast.parse(f"{REACHED}({mutant.name!r})").body[0]
        for node in ast.walk(call):
            ast.copy_location(node, block[index])
        block.insert(index, call)
    return compiled(function, tree, function.__name__)


@contextmanager
def watched(mutants: Iterable[Mutant]) -> Iterator[set[str]]:
    """Watch the sound code; the set has the names of the mutants whose statement was reached."""
    reached: set[str] = set()
    by_function: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_function.setdefault(mutant.where, []).append(mutant)
    sound = []
    for where, changed in by_function.items():
        function = function_of(where)
        sound.append((function, function.__code__))
        function.__code__ = watching(function, changed)
        function.__globals__[REACHED] = reached.add
    try:
        yield reached
    finally:
        for function, code in sound:
            function.__code__ = code
            function.__globals__.pop(REACHED, None)
