"""What functions consist of: their code, with the name of its file, and their cells.

cloudpickle (3.1.3 and later) replaces that name by ``<dynamic-code>``, and tracebacks then show neither file nor line.
"""

from __future__ import annotations

import linecache
import types
from typing import Any

DYNAMIC = "<dynamic-code>"

reads_no_files = False
"""Set by a Worker on a host without the Origin's files: a file of the same name there may be another one.

The Origin adds the lines to tracebacks (:func:`..wire.tracebacks.with_lines`).
"""


def reduce_code(code: types.CodeType, reduced: Any) -> Any:
    """Return cloudpickle's reduction of a code object, `reduced`, with the name of its file.

    >>> code = compile("1", "cell 3", "eval")
    >>> reduce_code(code, (types.CodeType, (7, "<dynamic-code>"))) == (make_code, (7, "cell 3"))
    True
    """
    name = "".join(code.co_filename)  # a string of its own: else the pickle depends on what shares it
    return make_code, tuple(name if part == DYNAMIC and type(part) is str else part for part in reduced[1])


def make_code(*parts: Any) -> types.CodeType:
    """Make a code object; see :data:`reads_no_files`."""
    code = types.CodeType(*parts)
    if reads_no_files:
        linecache.cache.setdefault(code.co_filename, (0, None, [], code.co_filename))
    return code


def content_of(cell: types.CellType, empty: Any) -> Any:
    """Return the content of a cell of a closure, or `empty`."""
    try:
        return cell.cell_contents
    except ValueError:
        return empty


def copy_of(function: types.FunctionType, closure: tuple[types.CellType, ...] | None) -> types.FunctionType:
    """Return another function with the code, defaults and names of this one, and with these cells."""
    made = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, closure
    )
    made.__qualname__, made.__module__, made.__doc__ = function.__qualname__, function.__module__, function.__doc__
    made.__kwdefaults__ = function.__kwdefaults__
    return made
