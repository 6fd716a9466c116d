"""Functions: known by content, defined once as long as they have not changed, and loaded as they were submitted."""

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
from program.programs import look_anew, make, run_in

from fedfutures.errors import SealBroken
from fedfutures.program.pickling import dump_by_value
from fedfutures.program.tokens import Named
from fedfutures.wire import functions
from fedfutures.wire.functions import (
    Definition,
    FunctionCache,
    SnapshotCallable,
    Unloaded,
    Wrapper,
    is_of_package,
    is_plain_builtin,
    key_of,
    load,
    name_of,
    own_token,
)
from fedfutures.wire.payload import Payloads
from fedfutures.wire.seal import digest_of
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

MODULE = """
    import functools, math
    FACTOR = 2
    TABLE = {"b": [1, 2.5], "a": (None, True, ...), "c": {3, 1, 2}}
    MUTABLE = [1]

    def helper(x):
        return x + FACTOR

    def function(x, y=1, *, z="z"):
        \"\"\"With a lambda, a comprehension, constants of all kinds.\"\"\"
        inner = lambda v: v + FACTOR
        return [inner(helper(v)) for v in (x, y)], x in {"red", "green", "blue"}, math.pi, TABLE, b"bytes", 1j, z

    def recursive(n):
        return n and recursive(n - 1)

    def plain(x):
        return 2 * x

    def reads_factor(x):
        return FACTOR * x

    @functools.lru_cache
    def cached(x):
        return x * FACTOR

    class Thing:
        def method(self): return 1
        @staticmethod
        def static(): return 2
        @classmethod
        def of_class(cls): return cls, 3
        def __call__(self): return 4
    THING = Thing()
    PARTIAL = functools.partial(plain, 5)
    LAMBDA = lambda x: x + FACTOR
"""


@pytest.fixture(autouse=True)
def found_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test finds the program's modules by itself."""
    look_anew(monkeypatch, __name__)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module beside the program, as ``import`` makes it."""
    return make(MODULE, monkeypatch)


@pytest.fixture
def cache() -> FunctionCache:
    return FunctionCache(Payloads())


# -- definitions -----------------------------------------------------------------------------------------------------

NAMES = ["function", "helper", "recursive", "plain", "reads_factor", "LAMBDA"]


@pytest.mark.host
def test_tokens_are_equal_in_another_process(module: types.ModuleType, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text(textwrap.dedent(MODULE))
    program = (
        "import beside, json\nfrom fedfutures.wire.functions import own_token\n"
        f"print(json.dumps([own_token(getattr(beside, name), ('beside', name)).hex() for name in {NAMES}]))"
    )
    found = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, timeout=30, check=True
        )
        found.append(dict(zip(NAMES, json.loads(done.stdout))))
    here = {name: own_token(getattr(module, name), ("beside", name)).hex() for name in NAMES}
    assert found[0] == found[1] == here


CODE_CHANGES = [
    "def function(x, y=1, *, z='z'): return x",
    "function.__defaults__ = (2,)",
    "function.__kwdefaults__ = {'z': 'other'}",
    "function.__kwdefaults__['z'] = 'other'",
    "function.__code__ = helper.__code__",
    "function.note = 1",
]


@pytest.mark.parametrize("change", CODE_CHANGES)
def test_a_change_gives_another_definition(module: types.ModuleType, cache: FunctionCache, change: str) -> None:
    before = cache.define(module.function)
    assert cache.define(module.function) is before
    run_in(module, change)
    assert cache.define(module.function).digest != before.digest


@pytest.mark.parametrize(
    "change", ["FACTOR = 3", "TABLE['b'].append(4)", "def helper(x): return x - FACTOR", "def unrelated(x): return x"]
)
@pytest.mark.parametrize("name", ["function", "cached", "THING", "PARTIAL"])
def test_what_it_reads_does_not_count(module: types.ModuleType, cache: FunctionCache, name: str, change: str) -> None:
    """That comes with the snapshot; so durations are learnt whatever it is."""
    before = cache.define(getattr(module, name))
    run_in(module, change)
    assert cache.define(getattr(module, name)).digest == before.digest


def test_the_state_of_a_callable_object_does_not_count(module: types.ModuleType, cache: FunctionCache) -> None:
    before = cache.define(module.THING, ("beside", "THING"))
    module.THING.size = 5
    assert cache.define(module.THING, ("beside", "THING")) == before
    module.Thing.__call__ = lambda self: 5
    assert cache.define(module.THING, ("beside", "THING")).digest != before.digest


def test_equal_closures_have_one_definition_and_others_another(cache: FunctionCache) -> None:
    def outer(value: Any) -> Any:
        return lambda: value

    assert cache.define(outer(1)).digest == cache.define(outer(1)).digest != cache.define(outer(2)).digest


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


def test_a_cell_that_is_not_filled_yet() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later

        found = FunctionCache(Payloads()).define(inner)
        later = 1
        return found

    assert isinstance(outer(), Definition)


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
        assert 1 <= len(cache) <= 3


def test_names() -> None:
    assert name_of(functools.partial(pow, 2)) == "pow"
    assert name_of(Unhashable()) == "Unhashable"
    assert len(name_of(type("x" * 500, (), {"__call__": None})())) == 200


def test_keys(module: types.ModuleType) -> None:
    for name in ("function", "cached", "THING", "PARTIAL", "LAMBDA"):
        assert key_of(getattr(module, name), Named()) == ("beside", name)
    assert key_of(module.cached) == ("beside", "cached")
    assert key_of(module.THING) is None  # without names only what bears its own is known
    assert key_of(module.Thing.method) == ("beside", "Thing.method")
    assert key_of(module.Thing) is None  # a class goes by its own name
    assert key_of(len) is key_of(textwrap.dedent) is key_of(lambda: 1) is None
    assert key_of(module.THING, Named()) == ("beside", "THING")


def test_what_is_of_a_package(module: types.ModuleType) -> None:
    assert is_of_package(textwrap.dedent)
    assert is_of_package(pytest.importorskip)
    assert not any(map(is_of_package, (module.plain, len, str, functools.partial(len), lambda: 1)))


def test_plain_builtins() -> None:
    assert is_plain_builtin(len)
    assert is_plain_builtin(functools.reduce)
    assert not any(map(is_plain_builtin, ([].append, "".join, str.upper, textwrap.dedent, int)))


# -- on the Worker ---------------------------------------------------------------------------------------------------


def test_the_same_function_is_the_workers_own(module: types.ModuleType, cache: FunctionCache) -> None:
    assert load(cache.define(module.function).body, Payloads()) is module.function


@pytest.mark.parametrize("change", ["FACTOR = 3", "def helper(x): return 0"])
def test_the_workers_own_is_taken_whatever_it_reads(
    module: types.ModuleType, cache: FunctionCache, change: str
) -> None:
    body = cache.define(module.function).body
    run_in(module, change)
    assert load(body, Payloads()) is module.function


def test_a_function_that_was_redefined_runs_as_it_was_submitted(module: types.ModuleType, cache: FunctionCache) -> None:
    body = cache.define(module.reads_factor).body
    run_in(module, "def reads_factor(x): return 'new'\nFACTOR = 5")
    found = load(body, Payloads())
    assert found(2) == 10
    assert found.__globals__ is module.__dict__


def test_a_module_that_is_missing(
    module: types.ModuleType, cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = cache.define(module.plain).body
    monkeypatch.delitem(sys.modules, "beside")
    assert load(body, Payloads())(2) == 4


def test_a_module_whose_import_exits(
    module: types.ModuleType, cache: FunctionCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    body = cache.define(module.plain).body
    monkeypatch.delitem(sys.modules, "beside")
    monkeypatch.setitem(sys.modules, "other", module)  # as many modules as before
    with pytest.raises(SystemExit):
        __import__("beside")
    assert load(cache.define(textwrap.dedent).body, Payloads()) is textwrap.dedent
    assert pickle.loads(body)[1] is not None


@pytest.mark.parametrize("name", ["cached", "THING", "PARTIAL"])
def test_what_is_no_function_is_what_the_snapshot_has_under_its_name(
    module: types.ModuleType, cache: FunctionCache, name: str
) -> None:
    body = cache.define(getattr(module, name), ("beside", name)).body
    assert load(body, Payloads()) is getattr(module, name)
    setattr(module, name, "the snapshot's")
    assert load(body, Payloads()) == "the snapshot's"
    delattr(module, name)
    with pytest.raises(AttributeError, match=f"the program has no '{name}' in 'beside' here"):
        load(body, Payloads())


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


def test_a_function_that_reads_what_cannot_travel(module: types.ModuleType, cache: FunctionCache) -> None:
    run_in(module, "import threading\nLOCK = threading.Lock()\ndef locked(): return LOCK")
    body = cache.define(module.locked).body
    assert load(body, Payloads()) is module.locked
    run_in(module, "def locked(): return 'new'")
    assert load(body, Payloads())() is module.LOCK


def test_a_function_with_large_defaults_goes_by_value(module: types.ModuleType, cache: FunctionCache) -> None:
    run_in(module, "def large(x=['x' * 100_000]): return len(x[0])")
    assert own_token(module.large, ("beside", "large")) == functions.TOO_LARGE
    before = cache.define(module.large)
    module.large.__defaults__[0][0] = "short"
    assert load(before.body, Payloads())() == 100_000
    assert load(cache.define(module.large).body, Payloads())() == 5


def test_methods_and_nested_names(module: types.ModuleType, cache: FunctionCache) -> None:
    for function in (module.Thing.method, module.Thing.static):
        assert load(cache.define(function).body, Payloads()) is function
    bound = load(cache.define(module.Thing.of_class).body, Payloads())
    assert bound() == (module.Thing, 3)


def test_functions_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    main = make("BASE = [1]\ndef double(x): return 2 * x + BASE[0]", monkeypatch, "__main__")
    body = FunctionCache(Payloads()).define(main.double).body
    assert pickle.loads(body)[0][:2] == ("__main__", "double")
    assert load(body, Payloads()) is main.double
    run_in(main, "def double(x): return 'new'\nBASE[0] = 5")
    assert load(body, Payloads())(1) == 7


# -- loaded at first use ---------------------------------------------------------------------------------------------


def test_loading_waits_for_the_first_use(cache: FunctionCache) -> None:
    unloaded = Unloaded(cache.define(lambda: 5).body)
    function = unloaded.load(Payloads())
    assert function() == 5
    assert unloaded.load(Payloads()) is function
    with pytest.raises(pickle.UnpicklingError):
        Unloaded(b"\x80\x05nonsense").load(Payloads())


def test_a_definition_that_was_altered_is_not_loaded(cache: FunctionCache) -> None:
    body = cache.define(lambda: 5).body
    assert Unloaded(body, digest_of(body)).load(Payloads())() == 5
    with pytest.raises(SealBroken):
        Unloaded(body, digest_of(b"other")).load(Payloads())


def test_under_another_snapshot_it_is_loaded_anew_unless_it_is_there_still(
    module: types.ModuleType, cache: FunctionCache
) -> None:
    unloaded = Unloaded(cache.define(module.plain).body)
    first = unloaded.load(Payloads(), b"one")
    assert unloaded.load(Payloads(), b"two") is first is module.plain
    run_in(module, "def plain(x): return 'new'")  # as another snapshot has it
    assert unloaded.load(Payloads(), b"two")(2) == 4
    old = module.plain = first
    assert unloaded.load(Payloads(), b"three") is old


def test_a_callable_object_is_the_one_of_its_snapshot(module: types.ModuleType, cache: FunctionCache) -> None:
    unloaded = Unloaded(cache.define(module.THING, ("beside", "THING")).body)
    assert unloaded.load(Payloads(), b"one") is module.THING
    module.THING = module.Thing()
    assert unloaded.load(Payloads(), b"two") is module.THING


# -- what comes with the snapshot -------------------------------------------------------------------------------------


def test_what_the_snapshot_brings(
    module: types.ModuleType, cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = [lambda: "first", lambda: "second"]
    monkeypatch.setattr(SnapshotCallable, "source", lambda: brought, raising=False)
    one, two = cache.bring(brought[0], 0), cache.bring(brought[1], 1)
    assert one.digest != two.digest
    loaded = [load(found.body, Payloads()) for found in (one, two)]
    assert [found.found()() for found in loaded] == ["first", "second"]
    brought[0] = lambda: "other"
    assert loaded[0].found()() == "other"


def test_what_is_brought_is_known_by_its_code(cache: FunctionCache) -> None:
    def outer(value: Any) -> Any:
        return lambda x: x + value

    assert cache.bring(outer(1), 0).digest == cache.bring(outer(2), 0).digest
    assert (
        cache.bring(functools.partial(outer(1), 1), 0).digest == cache.bring(functools.partial(outer(2), 3), 0).digest
    )
    assert cache.bring(outer(1), 0).digest != cache.bring(lambda x: x - 1, 0).digest


# -- wrappers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def wrapper(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Wrapper]:
    """Return a subclass that is gone after the test."""
    monkeypatch.setattr(functions, "WRAPPERS", {})

    class Twice(Wrapper):
        def __call__(self, value: Any) -> Any:
            return self.function()(self.function()(value))

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


def test_a_wrapper_around_what_the_snapshot_brings(
    wrapper: Callable[..., Wrapper], cache: FunctionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = [lambda x: x + 1]
    monkeypatch.setattr(SnapshotCallable, "source", lambda: brought, raising=False)
    found = load(cache.wrap(wrapper(brought[0]), [cache.bring(brought[0], 0).body]).body, Payloads())
    assert found(1) == 3
    brought[0] = lambda x: x * 10
    assert found(1) == 100


def test_a_wrapper_itself_has_no_call() -> None:
    with pytest.raises(NotImplementedError):
        Wrapper(len)()


# -- sizes -----------------------------------------------------------------------------------------------------------


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


def test_what_a_lambda_reaches_is_not_in_its_definition(module: types.ModuleType) -> None:
    run_in(module, "LARGE = b'x' * 1_000_000\ndef making(): return lambda: LARGE")
    body, reached = dump_by_value(module.making())
    assert len(body) < 2000
    assert (reached.reads, reached.parts) == ({("beside", "LARGE")}, set())
