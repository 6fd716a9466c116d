"""What cannot travel, in one sentence for people: which part of it, what that is, and what to do instead."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import io
import os
import types
from typing import Any

from ..program.code_objects import content_of
from ..program.postponing import is_by_signal, pickles_for_program
from ..program.probes import vars_of
from .calls import short_name
from .functions import DefinitionTooLarge, Wrapper, name_of
from .payload import Payloads

pickles_for_program(__name__)

STEPS_AT_MOST = 16
PARTS_AT_MOST = 1000
_ITERATORS = (types.GeneratorType, map, zip, filter)
_PLAIN_REASON = "cannot pickle"
_INSTEAD = (
    (concurrent.futures.Future, "Instead pass future.result(), or submit inside a Future",
     "Return its result: future.result()"),
    (_ITERATORS, "Pass list(...) of it", "Return list(...) of it"),
    (io.IOBase, "Pass its name, and open it inside the function", "Return what was read, or its name"),
    (types.CoroutineType, "Pass what it awaits to, or asyncio.run it inside the function",
     "Return asyncio.run(...) of it"),
    (types.ModuleType, "Import it inside the function", "Return its data"),
    (object, "Make it inside the function, or pass its data", "Return its data"),
)  # fmt: skip
"""Types that cannot travel, with what to do instead of passing and instead of returning one."""
_WHOLE = (type, types.ModuleType, concurrent.futures.Future)
"""Types whose parts are not searched."""


def culprit(value: Any, name: str) -> tuple[str, Any]:
    """Return the path, such as ``args[0].lock``, to the first part of `value` that cannot be pickled, and that part.

    >>> import threading
    >>> culprit(([1, {"lock": threading.Lock()}],), "args")[0]
    "args[0][1]['lock']"
    """
    for _ in range(STEPS_AT_MOST):
        for path, part in parts_of(value):
            if not _can_travel(part):
                name = name + path if path[0] in ".[" else path
                value = part
                break
        else:
            break
    return name, value


def _can_travel(value: Any) -> bool:
    try:
        Payloads().dump(value)
    except Exception as error:
        if is_by_signal(error):
            raise
        return False
    return True


def parts_of(value: Any) -> list[tuple[str, Any]]:
    """Return the parts of a value, each with the path to it; the path to what a function uses is its name."""
    if isinstance(value, (list, tuple, collections.deque)):
        return [(f"[{index}]", part) for index, part in zip(range(PARTS_AT_MOST), value)]
    if isinstance(value, (dict, types.MappingProxyType)):
        return [(f"[{key!r}]", part) for key, part in list(value.items())[:PARTS_AT_MOST]]
    if isinstance(value, types.FunctionType):
        return _parts_of_function(value)
    if isinstance(value, types.MethodType):
        return [("self", value.__self__)]
    if isinstance(value, functools.partial):
        return [(".func", value.func), *((f".args{path}", part) for path, part in parts_of(value.args)),
                *((f".keywords{path}", part) for path, part in parts_of(value.keywords))]  # fmt: skip
    if isinstance(value, _WHOLE) or type(value).__module__.startswith(("fedfutures.", "multiprocessing.")):
        return []
    return [(f".{name}", part) for name, part in vars_of(value).items()]


def _parts_of_function(function: types.FunctionType) -> list[tuple[str, Any]]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    parts = [(name, content_of(cell, None)) for name, cell in cells]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    parts += zip(names[len(names) - len(defaults) :], defaults)
    parts += (function.__kwdefaults__ or {}).items()
    return [*parts, *((f".{key}", part) for key, part in vars(function).items())]


# -- sentences ---------------------------------------------------------------------------------------------------------


def of_function(function: Any, error: Exception, hint: str = "") -> str:
    """Say what in a function cannot travel; `hint` is what to do instead, if the caller knows better."""
    while isinstance(function, Wrapper):
        function = next((inner for inner in function.inner if not _can_travel(inner)), function.inner[0])
    label = _label(function)
    if isinstance(error, DefinitionTooLarge):
        name = largest(function)
        return f"{label} cannot travel: {error}{name and f'. Most of it is {name!r}'}."
    path, part = culprit(function, "")
    if not path:
        return f"{label} cannot travel{_reason(error, always=True)}."
    instead = hint or _advice(part)[0]
    used = f"{path.lstrip('.')!r} ({type_text(part)})"
    return f"{label} uses {used}, which cannot travel{_reason(error)}. {instead}."


def of_arguments(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception, hint: str = "") -> str:
    """Say what among the arguments of a call cannot travel; `hint` as in :func:`of_function`."""
    name = short_name(name_of(function))
    while isinstance(function, Wrapper):
        inner, keywords = function.arguments(args)
        if inner is None:
            break
        args, kwargs, function = inner, keywords, function.inner[0]
    path, part = culprit(kwargs, "kwargs") if _can_travel(args) and kwargs else culprit(args, "args")
    instead = hint or _advice(part)[0]
    return f"{name}() is given {path} ({type_text(part)}), which cannot travel{_reason(error)}. {instead}."


def of_result(name: str, value: Any, error: Exception) -> str:
    """Say what in a result cannot travel."""
    name = short_name(name)
    path, part = culprit(value, "result")
    instead = _advice(part)[1]
    where = "" if part is value else f" with {path} ({type_text(part)})"
    return f"{name}() returned {type_text(value)}{where}, which cannot travel{_reason(error)}. {instead}."


def largest(function: Any) -> str:
    """Return the name of the largest part of what a function uses; "" if that is unknown."""
    while isinstance(function, Wrapper):
        function = function.inner[0]
    if isinstance(function, types.MethodType):
        function = function.__self__
    sizes = []
    for path, part in parts_of(function):
        try:
            sizes.append((len(Payloads().dump(part, inline=True)), path.lstrip(".")))
        except Exception as error:
            if is_by_signal(error):
                raise
    return max(sizes)[1] if sizes else ""


def type_text(value: Any) -> str:
    """Return the type of a value with an article.

    >>> type_text(1), type_text(zip()), type_text(io.StringIO())
    ('an int', 'a zip', 'an io.StringIO')
    """
    kind = type(value)
    module = kind.__module__.removeprefix("_") if kind.__module__ == "_io" else kind.__module__
    if module.startswith("fedfutures."):  # a Future, or what stands for a lock in a Worker
        module = "builtins"
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _label(function: Any) -> str:
    inner = getattr(function, "__func__", getattr(function, "func", function))
    code = getattr(inner, "__code__", None)
    name = name_of(function)
    what = "the lambda" if name.endswith("<lambda>") else name.replace("<locals>.", "")
    if not isinstance(code, types.CodeType):
        return what if hasattr(inner, "__qualname__") else type_text(function)
    return f"{what} at {os.path.basename(code.co_filename)}:{code.co_firstlineno}"


def _advice(part: Any) -> tuple[str, str]:
    return next((passing, returning) for kinds, passing, returning in _INSTEAD if isinstance(part, kinds))


def _reason(error: Exception, *, always: bool = False) -> str:
    """Return what pickle has said, if that is more than the type of the culprit."""
    text = str(error)
    if isinstance(error, MemoryError) and not text:
        text = "MemoryError, there is not enough memory for its pickle (ulimit -v, and the limit of the control group)"
    if not text or (text.startswith(_PLAIN_REASON) and not always):
        return ""
    return f": {text.rstrip('.')}"
