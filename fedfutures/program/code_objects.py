"""What functions consist of: their code, with the name of its file, and their cells.

cloudpickle (3.1.3 and later) replaces the file's name by ``<dynamic-code>`` in all code that goes by value. Tracebacks
then show neither the file nor the line's text. Here each code object keeps the name that it has at the sender.

A Worker on a host that does not share the Origin's files must not read a line from a file that only happens to have the
same name there: see :data:`reads_no_files`. The Origin adds the lines (:func:`..wire.tracebacks.with_lines`).
"""

from __future__ import annotations

import linecache
import types
from typing import Any

DYNAMIC = "<dynamic-code>"

reads_no_files = False
"""Whether the files that code by value names are on another host; a Worker on such a host sets it."""


def reduce_code(code: types.CodeType, reduced: Any) -> Any:
    """Return what pickle makes of a code object, given what cloudpickle would: the same with the file's name.

    >>> code = compile("1", "cell 3", "eval")
    >>> reduce_code(code, (types.CodeType, (7, "<dynamic-code>"))) == (make_code, (7, "cell 3"))
    True
    """
    name = "".join(code.co_filename)  # a string of its own: a pickle is not to depend on who else has it
    return make_code, tuple(name if part == DYNAMIC and type(part) is str else part for part in reduced[1])


def make_code(*parts: Any) -> types.CodeType:
    """Return the code object."""
    code = types.CodeType(*parts)
    if reads_no_files:
        linecache.cache.setdefault(code.co_filename, (0, None, [], code.co_filename))
    return code


def content_of(cell: types.CellType, empty: Any) -> Any:
    """Return what a cell of a closure holds, or `empty`."""
    try:
        return cell.cell_contents
    except ValueError:
        return empty


def copy_of(function: types.FunctionType, closure: tuple[types.CellType, ...] | None) -> types.FunctionType:
    """Return another function that does what this one does now, with these cells; without its attributes."""
    made = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, closure
    )
    made.__qualname__, made.__module__, made.__doc__ = function.__qualname__, function.__module__, function.__doc__
    made.__kwdefaults__ = function.__kwdefaults__
    return made
