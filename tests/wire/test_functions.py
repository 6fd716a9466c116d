"""Functions: known by content, defined once as long as nothing they depend on has changed."""

from __future__ import annotations

import functools
import json
import os
import pickle
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedfutures.wire import functions
from fedfutures.wire.functions import Definition, FunctionCache, Unloaded, Wrapper, fingerprint, load, name_of
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

MODULE = """
    import math
    FACTOR = 2
    TABLE = {"b": [1, 2.5], "a": (None, True, ...), "c": {3, 1, 2}}
    MUTABLE = [1]

    def helper(x):
        return x + FACTOR

    def function(x, y=1, *, z="z"):
        \"\"\"With a lambda, a comprehension, constants of all kinds.\"\"\"
        inner = lambda v: v + FACTOR
        return [inner(helper(v)) for v in (x, y)], x in {1, 2, 3}, math.pi, TABLE, b"bytes", 1j, z

    def recursive(n):
        return n and recursive(n - 1)

    def plain(x):
        return 2 * x

    def reads_factor(x):
        return FACTOR * x

    def reads_mutable(x):
        return MUTABLE[0] * x

    def reads_missing(x):
        return later(x)

    def endless():
        return helper(1) and endless()

    class Thing:
        def method(self): return 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module beside the program, as ``import`` makes it."""
    return make(MODULE, monkeypatch)


def make(text: str, monkeypatch: pytest.MonkeyPatch, name: str = "beside") -> types.ModuleType:
    made = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(textwrap.dedent(text), name, "exec", dont_inherit=True), made.__dict__)
    return made


@pytest.fixture
def cache() -> FunctionCache:
    return FunctionCache(Payloads())


def redefine(module: types.ModuleType, text: str) -> None:
    exec(textwrap.dedent(text), module.__dict__)


# -- fingerprints ----------------------------------------------------------------------------------------------------

NAMES = ["function", "helper", "recursive", "plain", "reads_factor", "endless"]


@pytest.mark.host
def test_fingerprints_are_equal_in_another_process(module: types.ModuleType, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("# moved down by a line\n" + textwrap.dedent(MODULE))
    program = (
        "import beside, json\nfrom fedfutures.wire.functions import fingerprint\n"
        f"print(json.dumps([fingerprint(getattr(beside, name)).hex() for name in {NAMES}]))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        found = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, timeout=30, check=True
        )
        assert json.loads(found.stdout) == [fingerprint(getattr(module, name)).hex() for name in NAMES]


VALUE_CHANGES = ["FACTOR = 3", "TABLE['b'].append(4)"]
CODE_CHANGES = [
    "def function(x, y=1, *, z='z'): return x",
    "def helper(x): return x - FACTOR",
    "function.__defaults__ = (2,)",
    "function.__kwdefaults__ = {'z': 'other'}",
]


@pytest.mark.parametrize("change", CODE_CHANGES)
def test_a_change_gives_another_fingerprint(module: types.ModuleType, change: str) -> None:
    before = fingerprint(module.function)
    redefine(module, change)
    assert fingerprint(module.function) != before


@pytest.mark.parametrize("change", VALUE_CHANGES)
def test_values_count_for_functions_of_the_program(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    main, beside = make(MODULE, monkeypatch, "__main__"), make(MODULE, monkeypatch)
    before = fingerprint(main.function), fingerprint(beside.function)
    redefine(main, change)
    redefine(beside, change)
    assert fingerprint(main.function) != before[0]
    assert fingerprint(beside.function) == before[1]


def test_a_worker_compares_values_as_they_were_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """An initializer may have set them since."""
    main, other = make(MODULE, monkeypatch, "__main__"), make(MODULE, monkeypatch, "__main__")
    wanted = fingerprint(main.reads_factor)
    assert fingerprint(other.reads_factor) == wanted
    other.__dict__[functions.AT_IMPORT] = {"FACTOR": functions.plain(other.FACTOR)}
    other.FACTOR = 3
    assert fingerprint(other.reads_factor) == wanted


@pytest.mark.parametrize("change", ["def unrelated(x): return x", "MUTABLE[0] = 5", "function.note = 1"])
def test_what_it_does_not_read_changes_nothing(module: types.ModuleType, change: str) -> None:
    before = fingerprint(module.function)
    redefine(module, change)
    assert fingerprint(module.function) == before


def test_closures_are_fingerprinted() -> None:
    def outer(value: Any) -> Any:
        return lambda: value

    assert fingerprint(outer(1)) == fingerprint(outer(1)) != fingerprint(outer(2))


def test_a_cell_that_is_not_filled_yet() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later

        found = fingerprint(inner), FunctionCache(Payloads()).define(inner)
        later = 1
        return found

    assert outer()


def test_large_and_other_values_have_no_text() -> None:
    assert functions.plain(list(range(1001))) is None
    assert functions.plain([object()]) is None
    assert functions.plain([[1] * 600, [2] * 600]) is None
    assert functions.plain({"a": [1], "b": (2,)}) == functions.plain({"a": [1], "b": (2,)})
    assert functions.plain({3, 1, 2}) == functions.plain({2, 3, 1})


# -- definitions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", CODE_CHANGES + VALUE_CHANGES)
def test_a_change_gives_another_definition(module: types.ModuleType, cache: FunctionCache, change: str) -> None:
    before = cache.define(module.function)
    assert cache.define(module.function) == before
    redefine(module, change)
    assert cache.define(module.function).digest != before.digest


def test_a_global_that_comes_to_be(module: types.ModuleType, cache: FunctionCache) -> None:
    before = cache.define(module.reads_missing)
    redefine(module, "def later(x): return x")
    assert cache.define(module.reads_missing).digest != before.digest


def test_a_mutable_global_is_looked_at_each_time(module: types.ModuleType, cache: FunctionCache) -> None:
    before = cache.define(module.reads_mutable)
    module.MUTABLE[0] = 7
    assert cache.define(module.reads_mutable).digest != before.digest


def test_a_closure_is_defined_anew_when_a_cell_has_changed(cache: FunctionCache) -> None:
    value: Any = 1

    def closure() -> Any:
        return value

    before = cache.define(closure)
    assert cache.define(closure) is before
    value = 2
    after = cache.define(closure)
    assert after.digest != before.digest
    assert [load(found.body, Payloads())() for found in (before, after)] == [1, 2]
    value = [1]
    before = cache.define(closure)
    value.append(2)
    assert load(cache.define(closure).body, Payloads())() == [1, 2]
    assert load(before.body, Payloads())() == [1]


def test_a_cell_that_was_emptied(cache: FunctionCache) -> None:
    value: Any = 1

    def closure() -> Any:
        return value  # noqa: F821

    cache.define(closure)
    del value
    assert isinstance(cache.define(closure), Definition)


def test_helpers_in_a_closure_are_watched(cache: FunctionCache) -> None:
    def helper() -> int:
        return 1

    def closure() -> int:
        return helper()

    before = cache.define(closure)
    helper.__code__ = (lambda: 2).__code__
    assert load(cache.define(closure).body, Payloads())() == 2
    assert load(before.body, Payloads())() == 1


def test_a_mutable_default_is_looked_at_each_time(cache: FunctionCache) -> None:
    default = [1]
    function = eval("lambda x=default: x", {"default": default})
    before = cache.define(function)
    default.append(2)
    assert cache.define(function).digest != before.digest


def test_a_function_of_another_module_may_change_as_it_likes(
    module: types.ModuleType, cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make("from beside import plain\ndef uses(x): return plain(x)", monkeypatch, "other")
    assert cache.define(other.uses) is cache.define(other.uses)


def test_builtins_and_classes_are_defined_once(cache: FunctionCache) -> None:
    for function in (len, int, dict):
        found = cache.define(function)
        assert cache.define(function) is found
        assert load(found.body, Payloads()) is function


def test_what_is_no_plain_function(cache: FunctionCache) -> None:
    for function in (functools.partial(pow, 2), "x".join, [].append):
        assert callable(load(cache.define(function).body, Payloads()))


def test_a_method_of_an_object_that_changes(cache: FunctionCache) -> None:
    table = {"a": 1}
    cache.define(table.get)
    table["a"] = 2
    assert load(cache.define(table.get).body, Payloads())("a") == 2


class Unhashable:
    """A callable that cannot be a key."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> int:
        return 5


def test_a_callable_that_is_not_hashable(cache: FunctionCache) -> None:
    assert load(cache.define(Unhashable()).body, Payloads())() == 5


def test_the_cache_is_bounded(cache: FunctionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_CACHED_FUNCTIONS", 3)
    for number in range(10):
        cache.define(eval(f"lambda: {number}"))
        assert len(cache._known) <= 3


def test_names() -> None:
    assert name_of(functools.partial(pow, 2)) == "pow"
    assert name_of(Unhashable()) == "Unhashable"
    assert len(name_of(type("x" * 500, (), {"__call__": None})())) == 200


# -- on the Worker ---------------------------------------------------------------------------------------------------


def test_the_same_function_is_the_workers_own(module: types.ModuleType, cache: FunctionCache) -> None:
    assert load(cache.define(module.function).body, Payloads()) is module.function


def test_a_function_that_was_redefined_runs_as_it_was_submitted(module: types.ModuleType, cache: FunctionCache) -> None:
    body = cache.define(module.plain).body
    redefine(module, "def plain(x): return 3 * x")
    assert load(body, Payloads())(2) == 4


def test_a_module_that_is_missing(
    module: types.ModuleType, cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = cache.define(module.plain).body
    monkeypatch.delitem(sys.modules, "beside")
    assert load(body, Payloads())(2) == 4


def test_a_function_of_an_installed_package_goes_by_reference_only(
    cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = cache.define(textwrap.dedent).body
    assert pickle.loads(body)[1] is None
    assert load(body, Payloads()) is textwrap.dedent
    monkeypatch.delattr(textwrap, "dedent")
    with pytest.raises(AttributeError, match="module 'textwrap' has no function 'dedent' on this Worker"):
        load(body, Payloads())
    monkeypatch.setitem(sys.modules, "textwrap", None)
    with pytest.raises(ModuleNotFoundError):
        load(body, Payloads())


def test_a_package_outside_the_standard_library_is_installed(cache: FunctionCache) -> None:
    assert pickle.loads(cache.define(pytest.importorskip).body)[1] is None


def test_a_function_that_cannot_go_by_value(module: types.ModuleType, cache: FunctionCache) -> None:
    redefine(module, "import threading\nLOCK = threading.Lock()\ndef locked(): return LOCK")
    body = cache.define(module.locked).body
    assert pickle.loads(body)[1] is None
    assert load(body, Payloads()) is module.locked


def test_a_function_that_is_too_large_by_value(
    module: types.ModuleType, cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "_BY_VALUE_LIMIT_BYTES", 10)
    assert pickle.loads(cache.define(module.plain).body)[1] is None


def test_methods_and_nested_names(module: types.ModuleType, cache: FunctionCache) -> None:
    assert load(cache.define(module.Thing.method).body, Payloads()) is module.Thing.method


@pytest.mark.parametrize("importable", [False, True])
def test_functions_of_the_program(importable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    main = make("BASE = [1]\ndef double(x): return 2 * x + BASE[0]", monkeypatch, "__main__")
    payloads = Payloads(main_importable=importable)
    cache = FunctionCache(payloads)
    body = cache.define(main.double).body
    assert (pickle.loads(body)[0] is not None) == importable
    assert (load(body, payloads) is main.double) == importable
    main.BASE[0] = 5
    assert load(cache.define(main.double).body, payloads)(1) == 7


def test_loading_waits_for_the_first_use(cache: FunctionCache) -> None:
    unloaded = Unloaded(cache.define(lambda: 5).body)
    function = unloaded.load(Payloads())
    assert function() == 5
    assert unloaded.load(Payloads()) is function
    with pytest.raises(pickle.UnpicklingError):
        Unloaded(b"\x80\x05nonsense").load(Payloads())


# -- wrappers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def wrapper(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Wrapper]:
    """Return a subclass that is gone after the test."""
    monkeypatch.setattr(functions, "WRAPPERS", {})

    class Twice(Wrapper):
        def __call__(self, value: Any) -> Any:
            return self.inner[0](self.inner[0](value))

    return Twice


def test_a_wrapper_keeps_the_definitions_of_what_it_wraps(
    wrapper: Callable[..., Wrapper], module: types.ModuleType, cache: FunctionCache
) -> None:
    payloads = Payloads()
    found = cache.define(wrapper(wrapper(module.plain)))
    assert found.name == "plain"
    assert cache.define(wrapper(wrapper(module.plain))) == found
    loaded = load(found.body, payloads)
    assert loaded(1) == 16
    assert loaded.inner[0].inner[0] is module.plain
    assert loaded.payloads is loaded.inner[0].payloads is payloads
    assert len({cache.define(f).digest for f in (module.plain, wrapper(module.plain), wrapper(wrapper(len)))}) == 3
    assert isinstance(wrapper(wrapper(len)).bind(payloads), Wrapper)


def test_a_definition_is_in_one_piece(tmp_path: Path) -> None:
    """Brokers see to it that segments travel, but they do not look into definitions."""
    data = b"x" * SHARED_FROM_BYTES
    payloads = Payloads(Segments(str(tmp_path), "h.1"))
    definition = FunctionCache(payloads).define(lambda: len(data))
    assert list(tmp_path.iterdir()) == []
    assert load(definition.body, Payloads())() == len(data)


def test_a_definition_that_is_too_large_is_refused(cache: FunctionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_DEFINITION_AT_MOST_BYTES", 10_000)
    data = b"x" * 10_000
    with pytest.raises(pickle.PicklingError, match=r"more than 10,000; large values travel as arguments or by shared"):
        cache.define(lambda: data)
