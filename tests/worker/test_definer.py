"""The Origin's definer: the same definition while nothing that a call reaches has changed, another one after."""

from __future__ import annotations

import functools
import gc
import io
import os
import pickle
import sys
import types
from typing import Any

import pytest
from program.programs import look_anew, make, run_in

from fedfutures.program import snapshots
from fedfutures.program.pickling import VariableUnpickler, find
from fedfutures.program.process import ProcessChanges
from fedfutures.program.reach import Reach
from fedfutures.program.snapshots import NO_NAME, address_of, unpack
from fedfutures.wire import captured, functions
from fedfutures.wire.functions import Definition, FunctionCache, SnapshotCallable, Wrapper, load
from fedfutures.wire.payload import Payloads
from fedfutures.worker import definer, initializing
from fedfutures.worker.definer import Definer
from fedfutures.worker.slices import ReduceSlice, Slice, Star

PROGRAM = """
    import functools
    FACTOR = 2
    TABLE = {"a": [1, 2]}

    def uses(x):
        return helper(x) * FACTOR
    def helper(x):
        return x + len(TABLE)
    def alone(x):
        return x
    def defaulted(x=TABLE):
        return x

    @functools.lru_cache
    def cached(x):
        return x * FACTOR

    class Model:
        level = 1
        def method(self): return self.level
        def __call__(self): return self.level, FACTOR
    MODEL = Model()
    PARTIAL = functools.partial(helper, 1)

    def closing(n):
        return lambda x: (x, n, FACTOR)
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module."""
    look_anew(monkeypatch, __name__)
    return make(PROGRAM, monkeypatch)


def new_definer() -> Definer:
    """Return a definer of this moment: pytest changes the environment between a fixture and its test."""
    payloads = Payloads()
    return Definer(payloads, FunctionCache(payloads), ProcessChanges())


def key(name: str) -> tuple[str, str]:
    return "beside", name


def seen(definition: Definition) -> dict[str, bytes]:
    """Return the tokens of what a call sees, by name."""
    if definition.snapshot is None:
        return {}
    return {name: token for (_, name), token in unpack(definition.snapshot.body).tokens.items()}


def value_of(definer_here: Definer, definition: Definition, name: str) -> Any:
    body = definer_here.body_of("value", address_of(key(name), seen(definition)[name]))
    assert body is not None
    return VariableUnpickler(io.BytesIO(body), (), find).load()


def arguments(keys: set[tuple[str, str]]) -> Reach:
    """Return the reach of arguments that contain these objects."""
    reach = Reach()
    reach.parts |= keys
    return reach


def brought(definer_here: Definer, token: bytes) -> Any:
    """Return a callable that came with a snapshot."""
    return pickle.loads(definer_here.body_of("value", address_of(NO_NAME, token)) or b"")


# -- what is seen ----------------------------------------------------------------------------------------------------


def test_what_calls_see(program: types.ModuleType) -> None:
    definer_here = new_definer()

    def names(function: Any) -> set[str]:
        return seen(definer_here.define(function)).keys() - {"Model.__slotnames__", "Model.<members>"}

    assert names(program.alone) == set()
    assert names(program.uses) == {"helper", "FACTOR", "TABLE"}
    assert names(program.PARTIAL) == {"PARTIAL", "helper", "TABLE"}
    assert names(program.cached) == {"cached", "FACTOR"}
    assert names(program.MODEL) == {"MODEL", "Model", "Model.level", "Model.method", "Model.__call__", "FACTOR"}
    assert names(program.closing(1)) == {"FACTOR"}
    assert names(program.MODEL.method) >= {"Model", "Model.level", "Model.method"}
    assert names(program.Model) >= {"Model", "Model.level"}
    assert names(program.defaulted) == {"defaulted", "TABLE"}
    assert names(len) == names(os.path.join) == names(int) == set()


def test_a_call_that_sees_nothing_has_no_snapshot(program: types.ModuleType) -> None:
    definer_here = new_definer()
    assert definer_here.define(program.alone).snapshot is None
    assert definer_here.define(len).snapshot is None


CHANGES = [
    ("uses", "FACTOR = 3", "FACTOR = 2"),
    ("uses", "TABLE['a'].append(3)", "TABLE['a'].pop()"),
    ("uses", "TABLE['b'] = 1", "del TABLE['b']"),
    ("uses", "del FACTOR", "FACTOR = 2"),
    ("uses", "def helper(x): return -x", "def helper(x):\n    return x + len(TABLE)"),
    ("PARTIAL", "TABLE['b'] = 1", "del TABLE['b']"),
    ("cached", "FACTOR = 3", "FACTOR = 2"),
    ("MODEL", "MODEL.level = 2", "del MODEL.level"),
    ("MODEL", "Model.level = 2", "Model.level = 1"),
    ("MODEL", "FACTOR = 3", "FACTOR = 2"),
    ("Model", "Model.level = 2", "Model.level = 1"),
    ("defaulted", "TABLE['b'] = 1", "del TABLE['b']"),
]


@pytest.mark.parametrize(("name", "forth", "back"), CHANGES)
def test_a_change_gives_another_snapshot_and_the_same_digest(
    program: types.ModuleType, name: str, forth: str, back: str
) -> None:
    """So durations are learnt by what the function does, not by what it sees."""
    definer_here = new_definer()

    def define() -> Definition:
        return definer_here.define(getattr(program, name))

    first = define()
    assert define() == first
    assert define().snapshot is first.snapshot
    run_in(program, forth)
    second = define()
    assert second.snapshot.digest != first.snapshot.digest
    assert second.digest == first.digest
    run_in(program, back)
    assert define().snapshot.digest == first.snapshot.digest


def test_a_definition_is_used_again(program: types.ModuleType) -> None:
    definer_here = new_definer()
    for function in (program.uses, program.PARTIAL, program.cached, program.MODEL, program.alone, len, program.Model):
        assert definer_here.define(function) is definer_here.define(function)


@pytest.mark.parametrize(
    "change",
    [
        "def uses(x): return x",
        "uses.__code__ = alone.__code__",
        "uses.__defaults__ = (1,)",
        "uses.__kwdefaults__ = {'x': 1}",
        "uses.note = 1",
    ],
)
def test_a_change_of_the_function_itself(program: types.ModuleType, change: str) -> None:
    definer_here = new_definer()
    first = definer_here.define(program.uses)
    run_in(program, change)
    assert definer_here.define(program.uses).digest != first.digest


def test_a_function_that_was_replaced_goes_as_it_is(program: types.ModuleType) -> None:
    definer_here = new_definer()
    old = program.alone
    definer_here.define(old)
    run_in(program, "def alone(x): return 'new'")
    definition = definer_here.define(old)
    [token] = unpack(definition.snapshot.body).callables
    body = definer_here.body_of("value", address_of(NO_NAME, token))
    assert body is not None
    assert pickle.loads(body)(5) == 5


def test_what_a_call_reaches_may_grow(program: types.ModuleType) -> None:
    definer_here = new_definer()
    definer_here.define(program.uses)
    run_in(program, "def helper(x): return MORE\nMORE = 1")
    first = definer_here.define(program.uses)
    assert "MORE" in seen(first)
    program.MORE = 2
    assert definer_here.define(program.uses).snapshot.digest != first.snapshot.digest


def test_values_are_had_as_they_stood(program: types.ModuleType) -> None:
    definer_here = new_definer()
    first = definer_here.define(program.uses)
    program.TABLE["b"] = 1
    second = definer_here.define(program.uses)
    assert value_of(definer_here, first, "TABLE") == {"a": [1, 2]}
    assert value_of(definer_here, second, "TABLE") == {"a": [1, 2], "b": 1}


# -- callables that are brought ---------------------------------------------------------------------------------------


def test_a_closure_comes_with_its_snapshot(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    definer_here = new_definer()
    made = [definer_here.define(program.closing(number)) for number in (1, 1, 2)]
    assert len({definition.digest for definition in made}) == 1
    assert made[0].snapshot.digest == made[1].snapshot.digest != made[2].snapshot.digest
    tokens = [unpack(definition.snapshot.body).callables for definition in made]
    found = [
        [pickle.loads(definer_here.body_of("value", address_of(NO_NAME, token)) or b"") for token in some]
        for some in tokens
    ]
    for [function], n in zip(found, (1, 1, 2)):
        assert function(0) == (0, n, 2)
    monkeypatch.setattr(SnapshotCallable, "source", lambda: found[2], raising=False)
    loaded = load(made[2].body, Payloads())
    assert type(loaded) is SnapshotCallable
    assert loaded.found()(0) == (0, 2, 2)


def test_a_bound_object_is_taken_down_each_time(program: types.ModuleType) -> None:
    definer_here = new_definer()
    items = [1]
    first = definer_here.define(items.count)
    items.append(2)
    assert definer_here.define(items.count).snapshot.digest != first.snapshot.digest


def test_wrappers_keep_what_they_wrap(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    definer_here = new_definer()
    monkeypatch.setattr(functions, "WRAPPERS", {})

    class Both(Wrapper):
        def __call__(self, value: Any) -> Any:
            return self.function(0)(value), self.function(1)(value)

    definition = definer_here.define(Both(program.closing(1), program.uses))
    assert definition.name == "closing.<locals>.<lambda>"
    assert seen(definition).keys() == {"FACTOR", "helper", "TABLE"}
    tokens = unpack(definition.snapshot.body).callables
    found = [brought(definer_here, token) for token in tokens]
    monkeypatch.setattr(SnapshotCallable, "source", lambda: found, raising=False)
    assert load(definition.body, Payloads())(3) == ((3, 1, 2), 8)
    program.FACTOR = 3
    assert definer_here.define(Both(program.closing(1), program.uses)).snapshot.digest != definition.snapshot.digest


def test_what_cannot_be_pickled_raises() -> None:
    definer_here = new_definer()
    generator = (x for x in ())
    with pytest.raises(TypeError, match="generator"):
        definer_here.define(lambda: generator)


class Unhashable:
    """A callable that cannot be a key."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> int:
        return 5


def test_a_callable_that_is_not_hashable_and_has_no_name() -> None:
    definer_here = new_definer()
    assert definer_here.define(Unhashable()).name == "Unhashable"


def test_a_callable_that_is_not_hashable_and_has_a_name(program: types.ModuleType) -> None:
    definer_here = new_definer()
    run_in(
        program,
        "class Plain:\n    def __eq__(self, other): return True\n    def __call__(self): return 5\nPLAIN = Plain()",
    )
    assert definer_here.define(program.PLAIN).name == "Plain"


# -- arguments -------------------------------------------------------------------------------------------------------


def test_what_arguments_reach_is_seen_too(program: types.ModuleType) -> None:
    definer_here = new_definer()
    base = definer_here.define(program.alone)
    more = definer_here.with_arguments(base, arguments({key("helper")}))
    assert seen(more).keys() == {"helper", "TABLE"}
    assert definer_here.with_arguments(base, arguments({key("helper")})).snapshot is more.snapshot
    program.TABLE["b"] = 1
    assert definer_here.with_arguments(base, arguments({key("helper")})).snapshot.digest != more.snapshot.digest


def test_what_is_seen_already_is_not_added(program: types.ModuleType) -> None:
    definer_here = new_definer()
    base = definer_here.define(program.uses)
    assert definer_here.with_arguments(base, arguments({key("helper"), key("TABLE")})) is base
    more = definer_here.with_arguments(base, arguments({key("Model"), key("TABLE")}))
    assert seen(more).keys() >= {"helper", "TABLE", "FACTOR", "Model", "Model.level"}


def test_extended_snapshots_are_bounded(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    definer_here = new_definer()
    monkeypatch.setattr(definer, "SNAPSHOTS_KEPT", 3)
    base = definer_here.define(program.alone)
    for number in range(10):
        program.FACTOR = number
        more = definer_here.with_arguments(base, arguments({key("FACTOR")}))
        assert value_of(definer_here, more, "FACTOR") == number
        assert definer_here.statistics()["extended"] <= 3


# -- the process -----------------------------------------------------------------------------------------------------


def test_a_change_of_the_process_is_seen_by_all_calls(
    program: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    definer_here = new_definer()
    first = definer_here.define(program.uses)
    assert definer_here.define(program.alone).snapshot is None
    monkeypatch.setenv("FEDFUTURES_TEST_OF_THE_DEFINER", "on")
    for function in (program.uses, program.alone, len):
        found = unpack(definer_here.define(function).snapshot.body)
        assert found.process == {"environment": {"FEDFUTURES_TEST_OF_THE_DEFINER": "on"}}
    monkeypatch.delenv("FEDFUTURES_TEST_OF_THE_DEFINER")
    assert definer_here.define(program.uses).snapshot.digest == first.snapshot.digest
    assert definer_here.define(program.alone).snapshot is None
    monkeypatch.setattr(sys, "path", ["/somewhere/new", *sys.path])
    assert unpack(definer_here.define(len).snapshot.body).process["path"][1][0] == "/somewhere/new"


# -- what Workers ask for --------------------------------------------------------------------------------------------


def test_what_workers_ask_for(program: types.ModuleType) -> None:
    definer_here = new_definer()
    definition = definer_here.define(program.uses)
    assert definer_here.body_of("state", definition.snapshot.digest) == definition.snapshot.body
    kind, what, _ = snapshots.asked_for(snapshots.key_of("class", "beside:Model"))
    found = definer_here.body_of(kind, what)
    assert found is not None
    assert VariableUnpickler(io.BytesIO(found), (), find).load().level == 1
    for kind in ("state", "value", "class"):
        assert definer_here.body_of(kind, b"unknown") is None


# -- callables without a name, and wrappers ---------------------------------------------------------------------------


class Recording:
    """Counts how often a callable is pickled by value."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        plain = captured.dump_by_value

        def counted(*arguments: Any) -> Any:
            self.count += 1
            return plain(*arguments)

        monkeypatch.setattr(captured, "dump_by_value", counted)


UNNAMED = {
    "lambda": "lambda x: x + FACTOR",
    "closure": "closing(3)",
    "partial": "functools.partial(helper, 1, key=(2, 3))",
    "method": "Model().method",
    "object": "Model()",
}


@pytest.mark.parametrize("how", UNNAMED)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_the_same_callable_is_not_pickled_again(
    program: types.ModuleType, monkeypatch: pytest.MonkeyPatch, how: str, is_mapped: bool
) -> None:
    definer_here, function = new_definer(), eval(UNNAMED[how], vars(program))
    recording = Recording(monkeypatch)

    def define() -> Definition:
        return definer_here.define(Slice(Star(function)) if is_mapped else function)

    first = define()
    assert all(define() is first for _ in range(3))
    assert recording.count == 1
    program.FACTOR = 3
    program.Model.level = 4
    program.helper.__code__ = (lambda x, *more, **options: x).__code__
    again = define()
    assert again is not first
    assert again.snapshot.digest != first.snapshot.digest
    assert define() is again


CHANGES = {
    "a list in a closure": ("closing([1])", "it.__closure__[0].cell_contents.append(2)"),
    "what a closure holds": ("closing(1)", "it.__closure__[0].cell_contents = 2"),
    "a default": ("lambda x=1: x", "it.__defaults__ = (2,)"),
    "a default in place": ("lambda x=[1]: x", "it.__defaults__[0].append(2)"),
    "a keyword's default": ("lambda *, x=[1]: x", "it.__kwdefaults__['x'] = 2"),
    "an attribute of a function": ("closing(1)", "it.note = 1"),
    "the code": ("closing(1)", "it.__code__ = closing(2).__code__.replace(co_name='other')"),
    "an argument of a partial": ("functools.partial(helper, [1])", "it.args[0].append(2)"),
    "a keyword of a partial": ("functools.partial(helper, key=[1])", "it.keywords['key'].append(2)"),
    "an attribute": ("Model()", "it.level = 5"),
    "an attribute in place": ("made([1])", "it.level.append(2)"),
    "the object of a method": ("made([1]).method", "it.__self__.level.append(2)"),
    "a method of the class": ("Model()", "Model.__call__ = lambda self: 7"),
    "deep inside": ("made({'a': [[1]]})", "it.level['a'][0].append(2)"),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_a_callable_that_has_changed_is_seen_changed(program: types.ModuleType, what: str, is_mapped: bool) -> None:
    definer_here = new_definer()
    run_in(program, "def made(level):\n    model = Model()\n    model.level = level\n    return model")
    text, change = CHANGES[what]
    names = vars(program)
    names["it"] = None  # a local of the test, not a variable that the call could reach
    function = eval(text, names)
    wrapped = Slice(function) if is_mapped else function
    first = definer_here.define(wrapped)
    assert definer_here.define(wrapped).snapshot.digest == first.snapshot.digest
    exec(change, names | {"it": function})
    assert definer_here.define(wrapped).snapshot.digest != first.snapshot.digest
    assert definer_here.define(Slice(function) if is_mapped else function).snapshot.digest != first.snapshot.digest


def test_another_object_in_the_place_of_one_is_another(program: types.ModuleType) -> None:
    """An id that is used again, and objects that are equal, are not taken for the one that was there."""
    run_in(program, "class Equal(Model):\n    __hash__ = lambda self: 1\n    __eq__ = lambda self, other: True")
    definer_here = new_definer()
    digests = set()
    for level in range(50):
        model = program.Equal()
        model.level = level
        digests.add(definer_here.define(Slice(model)).snapshot.digest)
        digests.add(definer_here.define(Slice(model.method)).snapshot.digest)
        del model
    assert len(digests) == 100


def test_a_wrapper_of_named_functions_is_not_examined_again(
    program: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    definer_here = new_definer()
    first = definer_here.define(ReduceSlice(program.uses, program.alone))
    monkeypatch.setattr(definer, "examine", None)
    assert definer_here.define(ReduceSlice(program.uses, program.alone)) is first
    with pytest.raises(TypeError):
        definer_here.define(ReduceSlice(program.alone, program.uses))
    monkeypatch.undo()
    assert definer_here.define(ReduceSlice(program.alone, program.uses)).digest != first.digest
    run_in(program, "def alone(x):\n    return x + 1")
    assert definer_here.define(ReduceSlice(program.uses, program.alone)).digest != first.digest


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_plans_are_bounded(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    definer_here = new_definer()
    monkeypatch.setattr(definer, "PLANS_KEPT", 3)
    for number in range(10):
        run_in(program, f"def made{number}(): return FACTOR")
        definer_here.define(getattr(program, f"made{number}"))
        assert 1 <= definer_here.statistics()["plans"] <= 3


def test_memory_stays_bounded_over_many_changes(program: types.ModuleType) -> None:
    definer_here = new_definer()
    for number in range(100):
        program.FACTOR = [number]
        definer_here.define(program.uses)
        definer_here.define(program.closing(number))
    gc.collect()
    counts = definer_here.statistics()
    assert counts["plans"] <= 2
    assert counts["joint plans"] <= definer.JOINT_PLANS_KEPT
    assert counts["snapshots"] <= 66 + definer.JOINT_PLANS_KEPT
    assert counts["versions"] <= 200


# -- the initializer -------------------------------------------------------------------------------------------------


def test_an_initializer_has_all_that_it_sees(program: types.ModuleType) -> None:
    program.TABLE["large"] = list(range(5000))
    packed = initializing.unpack(initializing.pack(program.uses, (5, "text")))
    assert pickle.loads(packed.payload) == ((5, "text"), {})
    assert load(packed.definition, Payloads()) is program.uses
    found = unpack(packed.snapshot)
    assert {name for _, name in found.tokens} == {"helper", "FACTOR", "TABLE"}
    for name in ("FACTOR", "TABLE", "helper"):
        assert address_of(key(name), found.tokens[key(name)]) in packed.values
    loaded = VariableUnpickler(
        io.BytesIO(packed.values[address_of(key("TABLE"), found.tokens[key("TABLE")])]), (), find
    ).load()
    assert loaded == program.TABLE


def test_an_initializer_that_sees_nothing(program: types.ModuleType) -> None:
    packed = initializing.unpack(initializing.pack(program.alone, (5,)))
    assert (packed.digest, packed.snapshot, packed.values) == (b"", b"", {})


def test_an_initializer_sees_what_its_arguments_reach(program: types.ModuleType) -> None:
    packed = initializing.unpack(initializing.pack(program.alone, (program.MODEL, program.helper)))
    assert {name for _, name in unpack(packed.snapshot).tokens} >= {"Model", "helper", "TABLE"}


def test_an_initializer_that_is_a_closure(program: types.ModuleType) -> None:
    packed = initializing.unpack(initializing.pack(program.closing(7), ()))
    [token] = unpack(packed.snapshot).callables
    assert pickle.loads(packed.values[address_of(NO_NAME, token)])(0) == (0, 7, 2)


def test_an_initializer_that_reaches_nothing_that_is_there(program: types.ModuleType) -> None:
    run_in(program, "def reads(): return not_there")
    packed = initializing.unpack(initializing.pack(program.reads, ()))
    assert (packed.values, packed.digest != b"") == ({}, True)


def test_an_initializer_that_is_too_large(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initializing, "BYTES_AT_MOST", 1 << 20)
    program.TABLE["large"] = b"x" * (2 << 20)
    with pytest.raises(pickle.PicklingError, match=r"reaches are more than 1 MiB: beside\.FACTOR, beside\.TABLE"):
        initializing.pack(program.uses, ())
    with pytest.raises(pickle.PicklingError, match="reaches are more than 1 MiB"):
        initializing.pack(functools.partial(program.alone, b"x" * (2 << 20)), ())


def test_an_initializer_with_large_arguments_and_nothing_seen(
    program: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initializing, "BYTES_AT_MOST", 1 << 20)
    with pytest.raises(pickle.PicklingError, match="arguments"):
        initializing.pack(program.alone, (b"x" * (2 << 20),))
