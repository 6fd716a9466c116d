"""By value: what the other end does not have under its name arrives as it was, in the modules that are there."""

from __future__ import annotations

import functools
import io
import pickle
import sys
import threading
import types
from typing import Any

import pytest

from fedfutures.errors import VariableNotCarried
from fedfutures.program import modules
from fedfutures.program.modules import Key, lookup
from fedfutures.program.pickling import (
    ProgramUnpickler,
    VariableUnpickler,
    dump_by_value,
    dump_variable,
    find,
    make_function,
    names_of_module,
)
from fedfutures.program.tokens import Named

from .programs import BESIDE, execute, know_no_classes, make, run_in

PROGRAM = """
    import functools, settings
    FACTOR = 2
    TABLE = {"a": 1}

    def helper(x):
        return x + FACTOR

    @functools.lru_cache(maxsize=5, typed=True)
    def cached(x):
        return x * FACTOR

    @functools.singledispatch
    def dispatched(x):
        return "any"

    class Thing:
        level = 1
        def __init__(self, x): self.x = x
        def method(self): return self.x + FACTOR
        @classmethod
        def of_class(cls): return cls.level
        @staticmethod
        def static(): return FACTOR
        class Inner: pass

    def making(n):
        def local(x, *, y=n): return x, y, n, FACTOR
        return local
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module, with a second one."""
    make("LEVEL = 1", monkeypatch, "settings")
    return make(PROGRAM, monkeypatch)


def keys(*names: str) -> set[Key]:
    return {(BESIDE, name) for name in names}


def travel(value: Any) -> Any:
    """Return what arrives of a value that goes by value."""
    return pickle.loads(dump_by_value(value)[0])


def variable(name: str, found: Any = find) -> Any:
    """Return what arrives of a variable."""
    key = (BESIDE, name)
    return VariableUnpickler(io.BytesIO(dump_variable(lookup(key), key, Named())[0]), (), found).load()


# -- by value --------------------------------------------------------------------------------------------------------


def test_functions_run_in_the_module_of_their_name(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    body, reached = dump_by_value(program.making([1]))
    assert (reached.reads, reached.parts) == (keys("FACTOR"), set())
    there = execute("FACTOR = 'of the Worker'")
    monkeypatch.setitem(sys.modules, BESIDE, there)
    found = pickle.loads(body)
    assert found.__globals__ is there.__dict__
    assert found(0) == (0, [1], [1], "of the Worker")
    assert found.__kwdefaults__["y"] is found(0)[2]


def test_a_function_has_all_that_it_had(program: types.ModuleType) -> None:
    made = program.making(1)
    made.note, made.__doc__, made.__annotations__ = [5], "text", {"x": int}
    made.__defaults__ = (7,)
    found = travel(made)
    for name in (
        "note", "__doc__", "__annotations__", "__defaults__", "__kwdefaults__", "__name__", "__qualname__",
        "__module__",
    ):  # fmt: skip
        assert getattr(found, name) == getattr(made, name), name


def test_what_was_decorated_has_what_it_wraps(program: types.ModuleType) -> None:
    run_in(
        program, "def over(f):\n    @functools.wraps(f)\n    def wrapper(x): return f(x), 'over'\n    return wrapper"
    )
    found = travel(program.over(program.making(1)))
    assert found(2) == ((2, 1, 1, 2), "over")
    assert found.__wrapped__(2) == (2, 1, 1, 2)


def test_functions_that_call_each_other(program: types.ModuleType) -> None:
    run_in(
        program,
        "def pair():\n    def even(n): return n == 0 or odd(n - 1)\n    def odd(n): return n != 0 and even(n - 1)\n"
        "    return even, odd",
    )
    even, odd = travel(program.pair())
    assert (even(10), odd(10)) == (True, False)
    assert even.__closure__[0].cell_contents is odd


def test_what_has_a_name_goes_by_it(program: types.ModuleType) -> None:
    value = [program.helper, program.Thing, program.Thing.Inner, program.cached, program.Thing(1), lambda: 1]
    body, reached = dump_by_value(value)
    assert reached.parts == keys("helper", "Thing", "Thing.Inner", "cached")
    found = pickle.loads(body)
    assert found[:4] == value[:4]
    assert type(found[4]) is program.Thing


def test_a_class_method_goes_by_name(program: types.ModuleType) -> None:
    assert travel([program.Thing.of_class, lambda: 1])[0]() == 1
    assert travel([program.Thing.__dict__["of_class"].__func__, lambda: 1])[0] is program.Thing.of_class.__func__


def test_what_another_one_has_replaced_goes_by_value(program: types.ModuleType) -> None:
    old, old_class = program.helper, program.Thing
    run_in(program, "def helper(x): return 'new'\nclass Thing: pass")
    assert travel(old)(1) == 3
    assert travel(old_class)(1).method() == 3


def test_caches_dispatchers_and_modules(program: types.ModuleType) -> None:
    run_in(program, "@dispatched.register\ndef _(x: int): return 'int'\nold = cached\ndel cached")
    program.old(3)
    found = travel(program.old)
    assert (found(3), found.cache_info().hits, found.cache_info().maxsize) == (6, 0, 5)
    assert found.cache_parameters()["typed"] is True
    dispatched = travel(program.dispatched)
    assert (dispatched(1), dispatched("")) == ("int", "any")
    body, reached = dump_by_value([sys, program.settings, program])
    assert pickle.loads(body) == [sys, program.settings, program]
    assert reached.modules == {"settings", BESIDE}


def test_what_cannot_be_pickled_raises() -> None:
    with pytest.raises(TypeError, match="lock"):
        dump_by_value(threading.Lock())


def test_a_function_of_no_module_of_the_program() -> None:
    found = travel(eval("lambda x: x + BASE", {"BASE": 5}))
    assert found(1) == 6


# -- variables -------------------------------------------------------------------------------------------------------


def test_a_function_and_a_class_go_by_value_as_variables(
    program: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = {}
    for name in ("helper", "Thing", "cached", "Thing.method"):
        key = (BESIDE, name)
        bodies[name], _ = dump_variable(lookup(key), key, Named())
    there = execute("FACTOR = 100")
    monkeypatch.setitem(sys.modules, BESIDE, there)
    know_no_classes(monkeypatch)
    found = {name: VariableUnpickler(io.BytesIO(body), (), find).load() for name, body in bodies.items()}
    assert (found["helper"](1), found["cached"](2)) == (101, 200)
    assert (found["Thing"](1).method(), found["Thing"].of_class(), found["Thing"].static()) == (101, 1, 100)
    assert found["Thing.method"](types.SimpleNamespace(x=1)) == 101


def test_parts_that_have_a_name_go_by_it(program: types.ModuleType) -> None:
    run_in(program, "HOLDER = [TABLE, helper, {'thing': Thing(1)}]")
    key = (BESIDE, "HOLDER")
    body, reached = dump_variable(program.HOLDER, key, Named())
    assert reached.parts == keys("TABLE", "helper", "Thing")
    asked = []

    def found(key: Key) -> Any:
        asked.append(key)
        return find(key)

    loaded = VariableUnpickler(io.BytesIO(body), (), found).load()
    assert loaded[0] is program.TABLE
    assert loaded[1] is program.helper
    assert type(loaded[2]["thing"]) is program.Thing
    assert set(asked) == keys("TABLE", "helper", "Thing")


def test_a_value_that_holds_itself(program: types.ModuleType) -> None:
    run_in(program, "SELF = [1]; SELF.append(SELF)")
    found = variable("SELF")
    assert found is not program.SELF
    assert found[1] is found


def test_what_a_process_cannot_hand_on_is_fresh(program: types.ModuleType) -> None:
    run_in(program, "import threading\nLOCKS = {'lock': threading.Lock(), 'n': 1}\nLOCKS['lock'].acquire()")
    found = variable("LOCKS")
    assert found["n"] == 1
    assert found["lock"].acquire(blocking=False)


def test_what_cannot_travel_raises_when_it_is_used(program: types.ModuleType) -> None:
    run_in(program, "import socket\nPAIR = socket.socketpair()\nCONNECTION = {'socket': PAIR[0], 'n': 1}")
    try:
        found = variable("CONNECTION")
        assert found["n"] == 1
        with pytest.raises(VariableNotCarried, match=r"beside\.CONNECTION .*socket\.socket") as raised:
            found["socket"].send(b"x")
        assert raised.value.variable == "beside.CONNECTION"
    finally:
        for side in program.PAIR:
            side.close()


def test_parts_that_fail_when_they_are_asked_do_not_take_the_rest_with_them(program: types.ModuleType) -> None:
    """A database that was closed raises for everything, also for what tells how to open it again."""
    run_in(program, "import sqlite3\nAPP = {'database': sqlite3.connect(':memory:'), 'n': 1}\nAPP['database'].close()")
    found = variable("APP")
    assert found["n"] == 1
    with pytest.raises(VariableNotCarried):
        found["database"].execute("SELECT 1")


def test_plain_values(program: types.ModuleType) -> None:
    for value in (5, "text", None, 1.5, b"x"):
        program.PLAIN = value
        assert variable("PLAIN") == value


def test_large_buffers_are_kept_aside(program: types.ModuleType) -> None:
    numpy = pytest.importorskip("numpy")
    buffers: list[pickle.PickleBuffer] = []
    key = (BESIDE, "OTHER")
    program.OTHER = {"a": numpy.arange(100_000)}
    body, _ = dump_variable(program.OTHER, key, Named(), lambda b: bool(buffers.append(b)))
    assert (len(body) < 1000, len(buffers)) == (True, 1)
    loaded = VariableUnpickler(io.BytesIO(body), [b.raw() for b in buffers], find).load()
    assert loaded["a"][77] == 77


# -- finding ---------------------------------------------------------------------------------------------------------


def test_finding(program: types.ModuleType) -> None:
    assert find((BESIDE, "helper")) is program.helper
    assert find((BESIDE, "Thing.static")) is program.Thing.static
    assert find((BESIDE, "Thing.of_class")) is program.Thing.of_class.__func__
    with pytest.raises(AttributeError, match="the program has no 'no' in 'beside' here"):
        find((BESIDE, "no"))


def test_names_of_modules(program: types.ModuleType, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names_of_module(BESIDE) is program.__dict__
    (tmp_path / "found_late.py").write_text("X = 5")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("found_late", "made_late"):
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    assert names_of_module("found_late")["X"] == 5
    assert names_of_module("made_late") is sys.modules["made_late"].__dict__


def test_functions_that_are_made(program: types.ModuleType) -> None:
    made = make_function(program.helper.__code__, BESIDE, "name", "qual.name", 0)
    assert (made.__name__, made.__qualname__, made(1)) == ("name", "qual.name", 3)
    assert functools.reduce(lambda x, f: f(x), [made, made], 1) == 5


def test_the_program_is_found_although_a_profiler_is_main(monkeypatch: pytest.MonkeyPatch) -> None:
    make("", monkeypatch, "__main__")
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("class Thing: pass", names)
    monkeypatch.setattr(modules, "_main", names)
    body = b"\x80\x04\x8c\x08__main__\x94\x8c\x05Thing\x94\x93\x94."
    assert ProgramUnpickler(io.BytesIO(body)).load() is names["Thing"]
    with pytest.raises(AttributeError):
        pickle.loads(body)
    assert ProgramUnpickler(io.BytesIO(pickle.dumps(functools.reduce))).load() is functools.reduce


# -- local classes that the program has under a name ------------------------------------------------------------------

LOCAL = """
    def making():
        class Local:
            level = 1
            def read(self): return self.level
        return Local
    Local = making()
    REGISTRY = {"local": making()}
"""


def test_a_local_class_with_a_name_goes_to_a_call_by_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    here = make(LOCAL, monkeypatch)
    body, reach = dump_by_value(here.Local())
    assert (BESIDE, "Local") in reach.parts
    there = make(LOCAL, monkeypatch)
    know_no_classes(monkeypatch)
    assert type(pickle.loads(body)) is there.Local


@pytest.mark.parametrize("of_program", ["Local", "REGISTRY['local']"])
def test_a_result_does_not_change_a_class_of_the_program(monkeypatch: pytest.MonkeyPatch, of_program: str) -> None:
    here = make(LOCAL, monkeypatch)
    cls = eval(of_program, vars(here))
    body, _ = dump_by_value(cls())
    cls.level = 2
    assert (type(pickle.loads(body)), cls.level) == (cls, 2)


def test_a_class_that_the_receiver_does_not_have_comes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    there = make(LOCAL, monkeypatch)
    there.Local.level = 7
    body, _ = dump_by_value(there.Local())
    make("", monkeypatch)
    know_no_classes(monkeypatch)
    assert pickle.loads(body).read() == 7


def test_a_class_that_came_by_value_is_as_it_was_sent_last(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = make(LOCAL, monkeypatch).REGISTRY["local"]
    bodies = []
    for cls.level in (1, 2):
        bodies.append(dump_by_value(cls)[0])
    know_no_classes(monkeypatch)
    first, second = map(pickle.loads, bodies)
    assert (first is second, second.level) == (True, 2)


# -- classes of packages that the program has imported -----------------------------------------------------------------


def imported(value: Any) -> Any:
    """Return what a Worker has of a variable whose value the program has imported."""
    body, _ = dump_variable(value, (BESIDE, "Imported"), Named())
    return VariableUnpickler(io.BytesIO(body), (), find).load()


def test_an_imported_class_is_that_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import concurrent.futures
    import fractions

    import cloudpickle
    import numpy
    import zmq

    make("", monkeypatch)
    classes = (
        concurrent.futures.ProcessPoolExecutor,
        fractions.Fraction,
        cloudpickle.Pickler,
        numpy.ndarray,
        zmq.Context,
    )
    for cls in classes:
        assert imported(cls) is cls


def test_one_that_the_program_has_put_into_a_package_comes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    make("", monkeypatch)
    made = type("MadeHere", (), {"__module__": "pytest", "level": 3})
    monkeypatch.setattr(pytest, "MadeHere", made, raising=False)
    body, _ = dump_variable(made, (BESIDE, "Imported"), Named())
    monkeypatch.delattr(pytest, "MadeHere")
    know_no_classes(monkeypatch)
    assert VariableUnpickler(io.BytesIO(body), (), find).load().level == 3
