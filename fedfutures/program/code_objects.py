"""Code that goes by value keeps the name of its file.

cloudpickle (3.1.3 and later) writes ``<dynamic-code>`` instead, for all code. Tracebacks then show neither the file nor
the line's text. Here each code object bears the name that it has at the sender, a notebook's cell or a program.

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
