"""Pickling by value: functions, classes and objects that the receiver may not have under their name.

cloudpickle does the work, with three differences. A function runs in *the* module of its name on the Worker, not in a
copy of the globals that it reads. An object that the program's modules have under a name is pickled as that name, since
variables travel by themselves (:mod:`.variables`). In a variable an object that cannot be pickled is made anew where
that is sound (:mod:`.fresh`). The pickler collects the :class:`.reach.Reach` of the pickle.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from . import fresh, tensors
from .code_objects import content_of, reduce_code
from .modules import (
    MAIN,
    MAIN_NAMES,
    MISSING,
    Key,
    attribute_of,
    canonical,
    home_of,
    is_program,
    lookup,
    made_module,
    namespace,
    unwrapped,
)
from .postponing import is_by_signal, pickles_for_program
from .reach import Reach, reach_of
from .tokens import ATOMS, LRU_CACHE, Named, is_found_in, is_single_dispatch, key_of_definition, key_of_local_class

pickles_for_program(__name__)

PROTOCOL = 5
LATER: Key = ("", "later")
"""Stands in the pickle of a class for a member with a name, which is set when the class is there."""
Buffers = Callable[[pickle.PickleBuffer], Any]


def dump_by_value(value: Any, keep_buffer: Buffers | None = None, root: Key | None = None) -> tuple[bytes, Reach]:
    """Pickle with cloudpickle; raise what pickling raises. `root`: the key of a `value` that goes by value, too."""
    target = io.BytesIO()
    pickler = value_pickler()(target, PROTOCOL, keep_buffer)
    pickler.key = root
    pickler.dump(value)
    return target.getvalue(), pickler.reached


@functools.cache
def value_pickler() -> Any:
    """Return the pickler's class; this imports cloudpickle, which takes as long as all the rest."""
    import cloudpickle

    class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
        key: Key | None = None
        names_local_classes = True
        circle: frozenset[Key] = frozenset()

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.reached = Reach()
            self.tensors = tensors.reducers()

        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is types.CodeType:
                return reduce_code(obj, self.dispatch_table[types.CodeType](obj))
            if isinstance(obj, type) or type(obj) in (types.FunctionType, LRU_CACHE):
                key = key_of_definition(obj)
                if key is not None and not self.is_root(key):
                    self.reached.parts.add(key)
                    return _by_name(key, obj)
            if isinstance(obj, type):
                key = key_of_local_class(obj) if self.names_local_classes else None
                if key is None or self.is_root(key):
                    return _reduce_class(obj, super().reducer_override(obj))
                self.reached.parts.add(key)
                return _by_name_if_there(key, obj)
            if isinstance(obj, property) and type(obj) is not property:
                return type(obj), (obj.fget, obj.fset, obj.fdel)
            reduce = _REDUCED.get(type(obj))
            if reduce is not None:
                return reduce(self.reached, obj) or super().reducer_override(obj)
            if type(obj) in self.tensors:
                return self.tensors[type(obj)](obj)
            return super().reducer_override(obj)

        def is_root(self, key: Key) -> bool:
            """Whether a key is that of the pickled value, or of a part of its definition."""
            root = self.key
            if root is None:
                return False
            return key == root or key in self.circle or (key[0] == root[0] and key[1].startswith(f"{root[1]}."))

    return ValuePickler


@functools.cache
def _variable_pickler() -> Any:
    class VariablePickler(value_pickler()):  # type: ignore[misc]
        named: Named
        of_class = False

        def persistent_id(self, obj: Any) -> Key | None:
            if type(obj) in ATOMS:
                return None
            key = self.named.key_of(obj)
            if key is None or self.is_root(key):
                return None
            if self.of_class and not isinstance(obj, (type, types.FunctionType)) and type(obj).__module__ != "typing":
                return LATER
            self.reached.parts.add(key)
            return key

        def reducer_override(self, obj: Any) -> Any:
            made = fresh.reduce(obj)
            if made is not None:
                return made
            made = super().reducer_override(obj)
            if made is NotImplemented and not (
                isinstance(obj, (type, types.FunctionType)) or type(obj) in self.dispatch_table
            ):
                try:
                    made = obj.__reduce_ex__(PROTOCOL)
                except Exception as error:
                    if is_by_signal(error):
                        raise
                    return fresh.unavailable(self.key, obj, error)
                if isinstance(made, str):  # a name
                    return NotImplemented
            return made

    return VariablePickler


def dump_variable(value: Any, key: Key, named: Named, keep_buffer: Buffers | None = None) -> tuple[bytes, Reach]:
    """Pickle the value of a variable; a part that cannot travel raises when a Worker uses it.

    Raises what pickling raises for the rest.
    """
    if type(value) in ATOMS:
        return pickle.dumps(value, PROTOCOL), Reach()
    if isinstance(value, type) and key[0] != value.__module__ and is_found_in(value.__module__, value):
        return _dump_class_of_package(value), Reach()
    target = io.BytesIO()
    pickler = _variable_pickler()(target, PROTOCOL, keep_buffer)
    pickler.named, pickler.key, pickler.of_class = named, key, isinstance(value, type)
    if type(value) is Circle:
        pickler.circle = frozenset(value.keys)
    with _by_value(value):
        pickler.dump(value)
    return target.getvalue(), pickler.reached


def _dump_class_of_package(cls: type) -> bytes:
    """Pickle a class by name, and by value in case that the program has put it into the package."""
    body = b""
    if cls.__module__.partition(".")[0] not in sys.stdlib_module_names:
        try:
            with _by_value(cls):
                body, _ = dump_by_value(cls)
        except Exception as error:  # one of C has no value
            if is_by_signal(error):
                raise
    return pickle.dumps(_OfPackage((cls.__module__, cls.__qualname__, body)), PROTOCOL)


class _OfPackage(tuple[str, str, bytes]):
    """Is pickled as the class of a package: its module, its qualified name, and itself by value."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return find_class_of_package, tuple(self)


def find_class_of_package(module: str, qualname: str, body: bytes) -> Any:
    """Return the class that a package has under this name, else one like the sender's."""
    try:
        importlib.import_module(module)
    except ImportError:
        if not body:
            raise
    found = attribute_of(module, qualname)
    if not isinstance(found, type) and not body:
        raise AttributeError(f"module {module!r} has no attribute {qualname!r}")
    return found if isinstance(found, type) else pickle.loads(body)


@contextlib.contextmanager
def _by_value(value: Any) -> Iterator[None]:
    """Have cloudpickle pickle a class by value although its module can be imported."""
    import cloudpickle

    module = sys.modules.get(value.__module__) if isinstance(value, type) else None
    if module is None or module.__name__ in cloudpickle.list_registry_pickle_by_value():
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


class Circle:
    """The values of variables that contain each other, which travel as one."""

    def __init__(self, keys: list[Key], values: list[Any]) -> None:
        self.keys, self.values = keys, values


class VariableUnpickler(pickle.Unpickler):
    """Loads pickles of :func:`dump_variable`; `find` returns the object of a key."""

    def __init__(self, stream: Any, buffers: Any, find: Callable[[Key], Any]) -> None:
        super().__init__(stream, buffers=buffers)
        self._find = find
        self.makes_classes = False  # by which hooks of the program may run
        self.parts: set[Key] = set()  # the variables whose objects are in the value

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("cloudpickle") and name.startswith("_make_skeleton"):
            self.makes_classes = True
        return super().find_class(module, name)

    def persistent_load(self, key: Key) -> Any:
        if key == LATER:
            return None
        self.parts.add(key)
        return self._find(key)


class ProgramUnpickler(pickle.Unpickler):
    """Finds the program's definitions also where ``sys.modules`` has a profiler as ``__main__``."""

    def find_class(self, module: str, name: str) -> Any:
        found = lookup((MAIN, name)) if module in MAIN_NAMES else MISSING
        return super().find_class(module, name) if found is MISSING else found


def _by_name(key: Key, obj: Any) -> Any:
    """Have the plain pickle find an object by ``sys.modules``; where the program runs elsewhere, :func:`find`."""
    module, name = sys.modules.get(obj.__module__), str(obj.__qualname__)
    if module is not None and vars(module) is namespace(key[0]) and not isinstance(lookup(key), classmethod):
        return name if type(obj) is LRU_CACHE else NotImplemented
    return find, (key,)


def find(key: Key) -> Any:
    """Return the object of a key, of a method the function itself; raise AttributeError."""
    found = lookup(key)
    if found is MISSING:
        raise AttributeError(f"the program has no {key[1]!r} in {key[0]!r} here")
    return unwrapped(found)


# -- classes -----------------------------------------------------------------------------------------------------------

_made_here: weakref.WeakSet[type] = weakref.WeakSet()
_came: weakref.WeakSet[type] = weakref.WeakSet()
_fills = 0


def fills() -> int:
    """Return how often :func:`fill_class` has filled a class."""
    return _fills


def _reduce_class(cls: type, reduced: Any) -> Any:
    """Have :func:`fill_class` complete a class that goes by value."""
    if type(reduced) is not tuple or len(reduced) != 6:
        return reduced
    if cls not in _came:
        _made_here.add(cls)
    return *reduced[:2], (reduced[5], reduced[2]), None, None, fill_class


def fill_class(cls: type, state: tuple[Callable[[type, Any], object], Any]) -> None:
    """Give a class that came by value the members that it had at the sender.

    A class that this process has made, and that has come back, stays as it is: the program may have changed it.
    """
    global _fills
    if cls not in _made_here:
        _came.add(cls)
        _fills += 1
        fill, content = state
        fill(cls, content)


def _by_name_if_there(key: Key, cls: type) -> Any:
    pickler = value_pickler()(target := io.BytesIO(), PROTOCOL)
    pickler.key, pickler.names_local_classes = key, False
    pickler.dump(cls)
    return find_class, (key, cls.__qualname__, target.getvalue())


def find_class(key: Key, qualname: str, body: bytes) -> Any:
    """Return the class that the program has under this name, else one like the sender's."""
    found = lookup(key)
    return found if isinstance(found, type) and found.__qualname__ == qualname else pickle.loads(body)


# -- functions ---------------------------------------------------------------------------------------------------------


def _reduce_function(reached: Reach, function: types.FunctionType) -> Any:
    if is_single_dispatch(function):
        registry = dict(function.registry)  # type: ignore[attr-defined]
        return _make_dispatch, (registry.pop(object), list(registry.items()))
    home = home_of(function.__globals__)
    if home is None or is_found_in(home, function):
        return None
    reached.add(reach_of(function))
    state = {
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "cells": [content_of(cell, _Empty) for cell in function.__closure__ or ()],
        "dict": {name: value for name, value in vars(function).items() if name != "__wrapped__"},
        "wrapped": vars(function).get("__wrapped__", _Empty),
        "doc": function.__doc__,
        "module": function.__module__,
        "annotations": _plain_annotations(function),
    }
    made = (function.__code__, home, function.__name__, function.__qualname__, len(function.__closure__ or ()))
    return make_function, made, state, None, None, fill_function


class _Empty:
    """The content of a cell that is not filled."""


def _plain_annotations(function: types.FunctionType) -> Any:
    try:
        return function.__annotations__ or None
    except Exception:  # evaluated late (PEP 649), and names what is not there
        return None


def make_function(code: types.CodeType, home: str, name: str, qualname: str, cells: int) -> types.FunctionType:
    """Return a function in a module, which is imported or made; :func:`fill_function` completes it."""
    function = types.FunctionType(
        code, names_of_module(home), name, None, tuple(types.CellType() for _ in range(cells))
    )
    function.__qualname__ = qualname
    return function


def names_of_module(name: str) -> dict[str, Any]:
    """Return the globals of a module, which is imported, else made empty."""
    names = namespace(name)
    if names is None:
        try:
            __import__(name)
        except ImportError:
            if name not in sys.modules:
                sys.modules[name] = made_module(name)
        names = vars(sys.modules[name])
    return names


def fill_function(function: types.FunctionType, state: dict[str, Any]) -> None:
    """Give a function the attributes that it had at the sender."""
    function.__defaults__, function.__kwdefaults__ = state["defaults"], state["kwdefaults"]
    function.__doc__, function.__module__ = state["doc"], state["module"]
    for cell, value in zip(function.__closure__ or (), state["cells"]):
        if value is not _Empty:
            cell.cell_contents = value
    vars(function).update(state["dict"])
    if state["wrapped"] is not _Empty:
        function.__wrapped__ = state["wrapped"]  # type: ignore[attr-defined]
    if state["annotations"]:
        function.__annotations__ = state["annotations"]


def _make_dispatch(default: Any, registered: list[tuple[Any, Any]]) -> Any:
    function = functools.singledispatch(default)
    for kind, implementation in registered:
        function.register(kind, implementation)
    return function


def _reduce_cache(reached: Reach, cache: Any) -> Any:
    parameters = cache.cache_parameters()
    return _make_cache, (cache.__wrapped__, parameters["maxsize"], parameters["typed"])


def _make_cache(function: Any, maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(function)


def _reduce_module(reached: Reach, module: types.ModuleType) -> Any:
    if sys.modules.get(module.__name__) is not module:
        return None
    reached.add_module(module)
    return (_module, (canonical(module.__name__),)) if is_program(module.__name__) else None


def _module(name: str) -> types.ModuleType:
    names_of_module(name)
    return sys.modules[name]


_REDUCED: dict[type, Callable[[Reach, Any], Any]] = {
    types.FunctionType: _reduce_function,
    types.ModuleType: _reduce_module,
    LRU_CACHE: _reduce_cache,
}
