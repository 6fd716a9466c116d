"""Plants a mutant: compiles its function anew with the bug in the text, and lets the function that there is run that.

Only the function's code is exchanged, so whoever holds the function, a table of handlers too, has the mutant.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from .mutant_table import Mutant


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
    tree = ast.parse(text.replace(mutant.old, mutant.new))
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list.clear()
    names: dict[str, Any] = {}
    flags = __future__.annotations.compiler_flag
    exec(compile(tree, f"<mutant {mutant.name}>", "exec", flags, True), function.__globals__, names)
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
