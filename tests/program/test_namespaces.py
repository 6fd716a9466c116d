"""Namespaces: a Worker's modules brought to the snapshot of each Future, forth and back, compared with a naive twin."""

from __future__ import annotations

import copy
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.errors import VariableNotCarried
from fedfutures.program import namespaces
from fedfutures.program.given import VERSIONS_KEPT
from fedfutures.program.modules import MISSING
from fedfutures.program.namespaces import Namespaces
from fedfutures.program.snapshots import Seen, address_of, pack

from .programs import BESIDE, Sides, look_anew, make

PROGRAM = """
    import functools
    FACTOR = 2
    TABLE = {"a": [1, 2]}
    HOLDER = [TABLE, 1]
    LARGE = list(range(100_000))

    def uses(x):
        return helper(x) * FACTOR
    def helper(x):
        return x + len(TABLE)
    def reads():
        return not_there

    @functools.lru_cache
    def cached(x):
        return x * FACTOR

    class Model:
        level = 1
        items = [1]
        def method(self): return self.level * FACTOR
        @property
        def twice(self): return 2 * self.level
        @staticmethod
        def static(): return FACTOR
        @classmethod
        def of_class(cls): return cls.level
        class Inner:
            depth = 1
    MODEL = Model()
"""


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Sides:
    """An Origin and a Worker of this program."""
    return Sides(monkeypatch, PROGRAM)


# -- what is the same stays -------------------------------------------------------------------------------------------


def test_what_is_the_same_is_neither_asked_for_nor_set(sides: Sides) -> None:
    before = {name: getattr(sides.there, name) for name in ("uses", "TABLE", "HOLDER", "Model", "MODEL", "cached")}
    there = sides.see("uses", "HOLDER", "MODEL", "cached")
    assert all(getattr(there, name) is value for name, value in before.items())
    assert sides.asked == ["state"]


def test_a_snapshot_is_asked_for_once(sides: Sides) -> None:
    first = sides.snapshot("FACTOR")
    sides.change("FACTOR = 3")
    second = sides.snapshot("FACTOR")
    for snapshot in (first, second, second, first, second):
        sides.switch(snapshot)
    assert sides.asked == ["state", "state"]
    assert sides.namespaces.current == second.digest


def test_what_a_future_has_written_stays_while_the_program_has_not_changed_it(sides: Sides) -> None:
    there = sides.see("TABLE", "FACTOR", "Model")
    there.TABLE["b"] = there.FACTOR = there.Model.level = 9
    sides.change("HOLDER[1] = 5")
    there = sides.see("TABLE", "FACTOR", "Model", "HOLDER")
    assert (there.TABLE["b"], there.FACTOR, there.Model.level, there.HOLDER[1]) == (9, 9, 9, 5)


def test_a_future_that_goes_on_finds_what_it_has_written(sides: Sides) -> None:
    first = sides.snapshot("TABLE", "FACTOR")
    there = sides.switch(first)
    there.TABLE["b"], there.FACTOR = 9, 7
    sides.namespaces.suspend(first.digest)
    sides.change("TABLE['c'] = 1; FACTOR = 3")
    second = sides.snapshot("TABLE", "FACTOR")
    sides.switch(second).TABLE["d"] = 8
    sides.within(lambda: sides.namespaces.resume(first.digest))
    assert (there.TABLE, there.FACTOR) == ({"a": [1, 2], "b": 9}, 7)


def test_a_future_that_begins_finds_a_version_as_the_program_had_it(sides: Sides) -> None:
    first = sides.snapshot("TABLE")
    sides.switch(first).TABLE["b"] = 9
    sides.change("TABLE['c'] = 1")
    second = sides.snapshot("TABLE")
    sides.switch(second).TABLE["d"] = 8
    assert sides.switch(first).TABLE == {"a": [1, 2]}
    assert sides.switch(second).TABLE == {"a": [1, 2], "c": 1}


# -- changes ---------------------------------------------------------------------------------------------------------

SEEN: list[tuple[tuple[str, ...], str, str]] = [
    (("FACTOR",), "FACTOR = 3", "FACTOR"),
    (("TABLE",), "TABLE['a'].append(3)", "TABLE"),
    (("HOLDER",), "TABLE['b'] = 1", "HOLDER"),
    (("LARGE",), "LARGE[0] = 'x'", "LARGE"),
    (("LARGE",), "LARGE.clear()", "LARGE"),
    (("uses",), "FACTOR = 3", "uses(5)"),
    (("uses",), "def helper(x): return -x", "uses(5)"),
    (("uses",), "def uses(x): return 77", "uses(5)"),
    (("uses",), "helper.__code__ = (lambda x: 9).__code__", "uses(5)"),
    (("reads",), "not_there = 5", "reads()"),
    (("cached",), "FACTOR = 3", "cached.__wrapped__(5)"),
    (("Model",), "Model.level = 2", "Model.level"),
    (("Model",), "Model.items.append(2)", "Model.items"),
    (("Model",), "Model.Inner.depth = 2", "Model.Inner.depth"),
    (("Model",), "Model.static = staticmethod(lambda: 77)", "Model.static()"),
    (("Model",), "FACTOR = 3", "Model.static(), Model().method()"),
    (("Model",), "Model.twice = property(lambda self: 77)", "Model().twice"),
    (("Model",), "Model.of_class = classmethod(lambda cls: cls.level + 77)", "Model.of_class()"),
    (("MODEL",), "MODEL.level = 2", "MODEL.method()"),
    (("MODEL",), "Model.method = lambda self: 77", "MODEL.method()"),
    (("Model",), "class Model:\n    level = 5", "Model.level"),
    (("MODEL",), "class Other:\n    def method(self): return 77\nMODEL = Other()", "MODEL.method()"),
    (("Model",), "class Base: base = 5\nclass Model(Base): pass", "Model.base"),
    (("FACTOR",), "FACTOR = [TABLE, MODEL, helper]", "FACTOR[0] is TABLE, FACTOR[1] is MODEL, FACTOR[2] is helper"),
    (("FACTOR",), "FACTOR = Model", "FACTOR is Model"),
    (("FACTOR",), "FACTOR = lambda x: x + TABLE['a'][0]", "FACTOR(1)"),
    (("FACTOR",), "import json; FACTOR = json", "FACTOR.__name__"),
    (
        ("FACTOR", "Colour"),
        "import enum\nclass Colour(enum.Enum):\n    RED = 1\nFACTOR = Colour.RED",
        "FACTOR is Colour.RED",
    ),
    (
        ("FACTOR", "Point"),
        "import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int = 1\nFACTOR = Point(3)",
        "FACTOR == Point(3), Point().x",
    ),
    (("FACTOR",), "def outer(n):\n    return lambda x: x * n\nFACTOR = outer(7)", "FACTOR(1)"),
    (("HOLDER",), "HOLDER = MODEL.method", "HOLDER(), HOLDER.__self__ is MODEL"),
]


@pytest.mark.parametrize(("names", "change", "look"), SEEN)
def test_the_worker_sees_a_change_and_the_state_before_it(
    sides: Sides, names: tuple[str, ...], change: str, look: str
) -> None:
    def looked(module: types.ModuleType) -> Any:
        try:
            return eval(look, module.__dict__)
        except (NameError, AttributeError, TypeError) as error:
            return type(error)

    first, before = sides.snapshot(*names), copy.deepcopy(looked(sides.here))
    sides.switch(first)
    assert repr(sides.within(lambda: looked(sides.there))) == repr(before)
    sides.change(change)
    second, after = sides.snapshot(*names), copy.deepcopy(looked(sides.here))
    assert repr(after) != repr(before)
    for _ in range(2):
        sides.switch(second)
        assert repr(sides.within(lambda: looked(sides.there))) == repr(after)
        sides.switch(first)
        assert repr(sides.within(lambda: looked(sides.there))) == repr(before)


def test_a_name_that_goes_and_comes(sides: Sides) -> None:
    first = sides.snapshot("FACTOR")
    sides.change("del FACTOR")
    second = sides.snapshot("FACTOR")
    assert sides.switch(first).FACTOR == 2
    assert not hasattr(sides.switch(second), "FACTOR")
    assert sides.switch(first).FACTOR == 2


def test_a_worker_that_meets_a_late_snapshot_first(sides: Sides) -> None:
    first = sides.snapshot("TABLE", "Model")
    sides.change("TABLE['b'] = 1; Model.level = 5")
    second = sides.snapshot("TABLE", "Model")
    there = sides.switch(second)
    assert (there.TABLE, there.Model.level) == ({"a": [1, 2], "b": 1}, 5)
    there = sides.switch(first)
    assert (there.TABLE, there.Model.level) == ({"a": [1, 2]}, 1)


def test_a_worker_whose_import_made_something_else(sides: Sides) -> None:
    sides.there.FACTOR, sides.there.Model.level = "of this host", 77
    there = sides.see("FACTOR", "Model")
    assert (there.FACTOR, there.Model.level) == (2, 1)


def test_changes_to_the_size_of_values(sides: Sides) -> None:
    first = sides.snapshot("TABLE")
    sides.change("TABLE['large'] = list(range(50_000))")
    second = sides.snapshot("TABLE")
    assert len(sides.switch(second).TABLE["large"]) == 50_000
    assert sides.switch(first).TABLE == {"a": [1, 2]}
    assert sides.asked == ["state", "value", "state"]


def test_a_later_change_of_the_origin_does_not_reach_an_earlier_snapshot(sides: Sides) -> None:
    sides.change("FACTOR = [1, 2, 3]; TABLE['b'] = list(range(1000))")
    snapshot = sides.snapshot("FACTOR", "TABLE", "helper", "Model")
    sides.change(
        "FACTOR.append(4); TABLE['b'].clear(); Model.items.append(5); helper.__code__ = (lambda x: 9).__code__"
    )
    there = sides.switch(snapshot)
    assert (there.FACTOR, len(there.TABLE["b"]), there.Model.items, there.helper(1)) == ([1, 2, 3], 1000, [1], 3)


def test_many_versions_in_turn(sides: Sides) -> None:
    taken = []
    for number in range(3 * VERSIONS_KEPT):
        sides.change(f"FACTOR = {number}; TABLE['a'] = [{number}]; Model.level = {number}")
        taken.append((number, sides.snapshot("FACTOR", "TABLE", "Model")))
    for number, snapshot in [*taken, *reversed(taken), *taken[::3]]:
        there = sides.switch(snapshot)
        assert (there.FACTOR, there.TABLE, there.Model.level) == (number, {"a": [number]}, number)


# -- objects ---------------------------------------------------------------------------------------------------------


def test_the_members_of_a_class_are_set_in_place(sides: Sides) -> None:
    made, thing = sides.there.Model, sides.there.MODEL
    first = sides.snapshot("Model", "MODEL")
    sides.change("Model.level = 5; Model.method = lambda self: 'new'; del Model.items; Model.more = 1")
    there = sides.switch(sides.snapshot("Model", "MODEL", "Model.items"))
    assert there.Model is made
    assert there.MODEL is thing
    assert (made.level, thing.method(), made.more) == (5, "new", 1)
    assert not hasattr(made, "items")
    sides.switch(first)
    assert (made.level, made.items) == (1, [1])
    assert thing.method() == 2


def test_a_member_that_was_added_is_gone_in_an_earlier_snapshot(sides: Sides) -> None:
    first = sides.snapshot("Model")
    sides.change("Model.more = 1")
    assert sides.switch(sides.snapshot("Model")).Model.more == 1
    assert not hasattr(sides.switch(first).Model, "more")


def test_a_member_that_the_program_has_removed_is_gone(sides: Sides) -> None:
    sides.see("Model")
    sides.change("del Model.items")
    assert not hasattr(sides.see("Model").Model, "items")


def test_a_class_that_was_defined_anew_has_no_members_of_the_old_one(sides: Sides) -> None:
    first = sides.snapshot("Model")
    sides.change("class Model:\n    new = 1")
    there = sides.see("Model")
    assert (there.Model.new, hasattr(there.Model, "level"), hasattr(there.Model, "method")) == (1, False, False)
    there = sides.switch(first)
    assert (there.Model.level, hasattr(there.Model, "new")) == (1, False)


def test_a_member_that_hides_one_of_a_base_is_gone_in_an_earlier_snapshot(sides: Sides) -> None:
    text = "class Base: level = 1\nclass Model(Base): pass\ndef look(): return Model.level"
    for module in (sides.here, sides.there):
        exec(text, module.__dict__)
    first = sides.snapshot("look")
    sides.change("Model.level = 5")
    assert sides.switch(sides.snapshot("look")).look() == 5
    assert sides.switch(first).look() == 1


def test_a_member_that_hid_one_of_a_base_is_gone_when_the_program_has_removed_it(sides: Sides) -> None:
    text = "class Base: level = 1\nclass Model(Base): level = 5\ndef look(): return Model.level"
    for module in (sides.here, sides.there):
        exec(text, module.__dict__)
    assert sides.see("look").look() == 5
    sides.change("del Model.level")
    assert sides.see("look").look() == 1


def test_a_class_of_another_shape_and_back(sides: Sides) -> None:
    made = sides.there.Model
    first = sides.snapshot("MODEL")
    sides.change("class Model:\n    __slots__ = ('x',)\nMODEL = Model(); MODEL.x = 1")
    second = sides.snapshot("MODEL")
    there = sides.switch(second)
    assert there.Model is not made
    assert type(there.MODEL) is there.Model
    there = sides.switch(first)
    assert there.Model is made
    assert type(there.MODEL) is made
    there = sides.switch(second)
    assert (type(there.MODEL), there.MODEL.x) == (there.Model, 1)


def test_aliases_stay_one_object(sides: Sides) -> None:
    sides.change("TABLE['b'] = 1; ALSO = TABLE; PAIR = (TABLE, [TABLE])")
    there = sides.see("TABLE", "ALSO", "PAIR", "HOLDER")
    assert there.ALSO is there.TABLE is there.PAIR[0] is there.PAIR[1][0] is there.HOLDER[0]


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_an_alias_that_comes_to_be(sides: Sides, order: tuple[str, str]) -> None:
    """Of two names one is the name of the object, whichever was there first."""
    one, other = order
    sides.change(f"{one} = [1]; {other} = [2]")
    first = sides.snapshot("A", "B")
    sides.switch(first)
    sides.change(f"{other} = {one}")
    there = sides.see("A", "B")
    assert there.A is there.B
    assert there.A == [1]
    there = sides.switch(first)
    assert (getattr(there, one), getattr(there, other)) == ([1], [2])


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_an_alias_that_ends(sides: Sides, order: tuple[str, str]) -> None:
    one, other = order
    sides.change("A = B = [1]")
    first = sides.snapshot("A", "B")
    there = sides.switch(first)
    assert there.A is there.B
    sides.change(f"{one} = [9]")
    there = sides.see("A", "B")
    assert (getattr(there, one), getattr(there, other)) == ([9], [1])
    there = sides.switch(first)
    assert there.A is there.B
    assert there.A == [1]


def test_a_holder_whose_part_lost_its_name(sides: Sides) -> None:
    sides.see("HOLDER")
    sides.change("TABLE = 'other'")
    there = sides.see("HOLDER", "TABLE")
    assert (there.HOLDER, there.TABLE) == ([{"a": [1, 2]}, 1], "other")


def test_a_function_that_is_held_by_another_variable(sides: Sides) -> None:
    sides.change("HANDLERS = {'on': helper}")
    sides.see("HANDLERS", "helper")
    sides.change("def helper(x): return 'new'\nHANDLERS['on'] = helper")
    there = sides.see("HANDLERS", "helper")
    assert there.HANDLERS["on"] is there.helper
    assert there.helper(1) == "new"


def test_functions_run_in_the_workers_module(sides: Sides) -> None:
    sides.change("def uses(x): return FACTOR, x")
    there = sides.see("uses")
    assert there.uses.__globals__ is there.__dict__
    there.FACTOR = "the Worker's"
    assert there.uses(1) == ("the Worker's", 1)


def test_a_cache_is_as_its_snapshot_has_it(sides: Sides) -> None:
    first = sides.snapshot("cached")
    assert sides.switch(first).cached(5) == 10
    sides.change("FACTOR = 3")
    second = sides.snapshot("cached")
    assert sides.switch(second).cached(5) == 15
    there = sides.switch(first)
    assert there.cached(5) == 10
    assert there.cached.cache_info().hits == 1  # what it kept is there still


def test_an_alias_of_a_function_that_ends_before_it_is_asked_for(sides: Sides) -> None:
    sides.change("uses = helper")
    first = sides.snapshot("uses", "helper")
    sides.change("helper = 0")
    there = sides.switch(first)
    assert there.uses is there.helper


def test_a_holder_that_a_snapshot_leaves_out_is_not_left_with_an_old_object(sides: Sides) -> None:
    first = sides.snapshot("HOLDER")
    sides.switch(first)
    sides.change("TABLE['b'] = 1")
    sides.see("TABLE")
    there = sides.switch(first)
    assert there.HOLDER[0] is there.TABLE
    assert "b" not in there.TABLE


def test_a_holder_of_a_future_that_goes_on_holds_what_has_come_since(sides: Sides) -> None:
    first, alone = sides.snapshot("HOLDER"), sides.snapshot("TABLE")
    sides.switch(first).HOLDER.append("mine")
    sides.namespaces.suspend(first.digest)
    sides.change("TABLE['b'] = 1")
    sides.see("TABLE")
    sides.switch(alone)
    sides.within(lambda: sides.namespaces.resume(first.digest))
    assert sides.there.HOLDER[0] is sides.there.TABLE


def test_an_object_that_refers_to_itself(sides: Sides) -> None:
    sides.change("SELF = [1]; SELF.append(SELF); MODEL.me = MODEL; ONE, TWO = [], []; ONE.append(TWO); TWO.append(ONE)")
    there = sides.see("SELF", "MODEL", "ONE", "TWO")
    assert there.SELF[1] is there.SELF
    assert there.MODEL.me is there.MODEL
    assert there.ONE[0] is there.TWO
    assert there.TWO[0] is there.ONE


def test_objects_that_refer_to_each_other_change_together(sides: Sides) -> None:
    text = "ONE, TWO = [1], [2]; ONE.append(TWO); TWO.append(ONE)"
    for module in (sides.here, sides.there):
        exec(text, module.__dict__)
    first = sides.snapshot("ONE", "TWO")
    sides.switch(first)
    sides.change("ONE[0] = TWO[0] = 'new'")
    second = sides.snapshot("ONE", "TWO")
    for snapshot, value in ((second, "new"), (first, None), (second, "new")):
        there = sides.switch(snapshot)
        assert there.ONE[1] is there.TWO
        assert there.TWO[1] is there.ONE
        assert (there.ONE[0], there.TWO[0]) == ((value, value) if value else (1, 2))


# -- what cannot be had ----------------------------------------------------------------------------------------------


def test_what_cannot_travel_raises_when_it_is_used_and_nothing_else_does(sides: Sides) -> None:
    sides.change("GENERATOR = (x for x in ()); FACTOR = {'in': GENERATOR, 'plain': 1}")
    there = sides.see("GENERATOR", "FACTOR")
    assert there.FACTOR["plain"] == 1
    for found in (there.GENERATOR, there.FACTOR["in"]):
        with pytest.raises(VariableNotCarried) as raised:
            next(found)
        assert raised.value.variable == "beside.GENERATOR"


class Breaking:
    """Raises when it is loaded."""

    def __reduce__(self) -> Any:
        return _break, ()


def _break() -> None:
    raise OSError("not on this host")


def test_what_cannot_be_loaded_raises_when_it_is_used(sides: Sides) -> None:
    sides.here.FACTOR = Breaking()
    there = sides.see("FACTOR", "TABLE")
    with pytest.raises(VariableNotCarried, match=r"beside\.FACTOR .*it cannot be loaded here: OSError"):
        len(there.FACTOR)


def test_an_origin_that_answers_nothing(sides: Sides) -> None:
    def fetch(keys: Any) -> Any:
        raise VariableNotCarried("beside.FACTOR", "the variable", "the Origin is gone")

    found = Namespaces(fetch, lambda body, unpickle: unpickle(body, ()))
    with pytest.raises(VariableNotCarried, match="the Origin is gone"):
        found.switch(b"digest")
    assert found.current == b""


# -- modules ---------------------------------------------------------------------------------------------------------


def test_variables_of_several_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = Sides(
        monkeypatch,
        "import settings\ndef read(): return settings.LEVEL, settings.LIST",
        settings="LEVEL = 1\nLIST = [1]",
    )
    first = sides.snapshot("read")
    here, there = sides.other("settings")
    here.LEVEL = 2
    here.LIST.append(2)
    second = sides.snapshot("read")
    sides.switch(second)
    assert (there.LEVEL, there.LIST) == (2, [1, 2])
    sides.switch(first)
    assert (there.LEVEL, there.LIST) == (1, [1])


def bodies(values: dict[tuple[str, str], Any], made: frozenset[str] = frozenset()) -> tuple[bytes, Namespaces]:
    """Return a snapshot of numbers and the namespaces that know it."""
    import pickle

    tokens = {key: f"token of {key} {value}".encode() for key, value in values.items()}
    inline = {address_of(key, tokens[key]): pickle.dumps(value, 5) for key, value in values.items()}
    found = Namespaces(lambda keys: pytest.fail("asks"), lambda body, unpickle: unpickle(body, ()))
    found.learn(b"digest", pack(Seen(tokens, inline, {}, [], made)), {})
    return b"digest", found


def test_a_module_that_the_program_has_made_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    digest, found = bodies({("settings_made", "LEVEL"): 5}, frozenset({"settings_made"}))
    monkeypatch.delitem(sys.modules, "settings_made", raising=False)
    monkeypatch.setitem(sys.modules, "settings_made", None)  # which has it gone after the test
    del sys.modules["settings_made"]
    found.switch(digest)
    assert sys.modules["settings_made"].LEVEL == 5


def test_a_module_that_is_not_loaded_is_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_late.py").write_text("LEVEL = 1\nOTHER = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    digest, found = bodies({("imported_late", "LEVEL"): 5})
    monkeypatch.setitem(sys.modules, "imported_late", None)
    del sys.modules["imported_late"]
    found.switch(digest)
    module = sys.modules["imported_late"]
    assert (module.LEVEL, module.OTHER) == (5, 2)


def test_a_module_that_this_host_lacks_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    digest, found = bodies({("not_on_this_host", "LEVEL"): 5})
    monkeypatch.setitem(sys.modules, "not_on_this_host", None)
    del sys.modules["not_on_this_host"]
    found.switch(digest)
    assert sys.modules["not_on_this_host"].LEVEL == 5


def test_a_module_whose_import_fails(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_late.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    digest, found = bodies({("failing_late", "LEVEL"): 5})
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        found.switch(digest)
    assert found.current == b""


def test_a_program_that_failed_to_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    make("", monkeypatch)
    digest, found = bodies({(BESIDE, "LEVEL"): 5})
    found.note_failure(BESIDE, ValueError("of its own"))
    with pytest.raises(ImportError, match=r"the program cannot be imported by Workers: ValueError\('of its own'\)"):
        found.switch(digest)


# -- the process -----------------------------------------------------------------------------------------------------


def test_changes_of_the_process_are_passed_on(sides: Sides) -> None:
    changes: list[dict[str, Any]] = []
    sides.namespaces.change_process = changes.append
    plain = sides.snapshot("FACTOR")
    moved = sides.snapshot("FACTOR", process={"directory": "/tmp"})
    for snapshot in (plain, moved, moved, plain):
        sides.switch(snapshot)
    assert changes == [{"directory": "/tmp"}, {}]


# -- callables and what comes early ----------------------------------------------------------------------------------


def test_callables_that_come_with_a_snapshot(sides: Sides) -> None:
    from fedfutures.program.pickling import dump_by_value

    sides.snapshot()
    body, reached = dump_by_value(eval("lambda x: (x, FACTOR)", sides.here.__dict__))
    found = sides.variables.reached_from(reached)
    snapshot = sides.variables.snapshot(found, callables=[(body, reached)])
    sides.change("FACTOR = 3")
    sides.switch(snapshot)
    [function] = sides.namespaces.callables()
    assert function(1) == (1, 2)
    assert sides.namespaces.callables()[0] is function


def test_callables_are_bounded(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    from fedfutures.program.pickling import dump_by_value

    monkeypatch.setattr(namespaces, "CALLABLES_KEPT", 3)
    for number in range(8):
        sides.snapshot()
        body, reached = dump_by_value(eval(f"lambda: {number}"))
        sides.switch(sides.variables.snapshot({}, callables=[(body, reached)]))
        assert sides.namespaces.callables()[0]() == number
        assert sides.namespaces.statistics()["callables"] <= 3


def test_more_callables_in_one_snapshot_than_are_kept(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    from fedfutures.program.pickling import dump_by_value

    monkeypatch.setattr(namespaces, "CALLABLES_KEPT", 2)
    versions = []
    for number in range(4):
        body, reached = dump_by_value(eval(f"lambda: {number}"))
        versions.append((body, reached))
    sides.switch(sides.variables.snapshot({}, callables=versions))
    assert [function() for function in sides.namespaces.callables()] == [0, 1, 2, 3]


def test_what_is_learnt_is_not_asked_for(sides: Sides) -> None:
    sides.change("TABLE = list(range(1000))")
    snapshot = sides.snapshot("TABLE")
    values = {
        version.address: sides.variables.body_of_value(version.address) or b"" for version in snapshot.versions.values()
    }
    sides.namespaces.learn(snapshot.digest, snapshot.body, values)
    assert len(sides.switch(snapshot).TABLE) == 1000
    assert sides.asked == []


# -- the initializer -------------------------------------------------------------------------------------------------


def initialize(sides: Sides, run: Callable[[types.ModuleType], Any]) -> None:
    """Run an initializer in the Worker, as it is prepared."""

    seen = sides.snapshot("FACTOR", "TABLE", "LARGE", "Model")

    def prepared() -> None:
        sides.switch(seen)
        before = sides.namespaces.before_changes()
        run(sides.there)
        sides.namespaces.keep_what_changed(before)

    sides.within(prepared)


def test_what_the_initializer_has_set_stays_until_the_program_changes_it(sides: Sides) -> None:
    initialize(sides, lambda there: (setattr(there, "FACTOR", 100), there.TABLE.update(b=1)))
    there = sides.see("FACTOR", "TABLE")
    assert (there.FACTOR, there.TABLE) == (100, {"a": [1, 2], "b": 1})
    sides.change("FACTOR = 3; TABLE['c'] = 1")
    there = sides.see("FACTOR", "TABLE")
    assert (there.FACTOR, there.TABLE) == (3, {"a": [1, 2], "c": 1})


def test_a_large_value_that_the_initializer_has_set_stays_until_the_program_changes_it(sides: Sides) -> None:
    initialize(sides, lambda there: setattr(there, "LARGE", "the initializer's"))
    first = sides.snapshot("LARGE")
    assert sides.switch(first).LARGE == "the initializer's"
    sides.change("LARGE[0] = 'changed'")
    second = sides.snapshot("LARGE")
    assert sides.switch(second).LARGE[0] == "changed"
    assert sides.switch(first).LARGE == "the initializer's"


def test_a_large_value_that_the_initializer_has_changed_in_place_stays(sides: Sides) -> None:
    initialize(sides, lambda there: there.LARGE.__setitem__(0, "the initializer's"))
    assert sides.see("LARGE").LARGE[0] == "the initializer's"
    sides.change("LARGE[1] = 'changed'")
    assert sides.see("LARGE").LARGE[:2] == [0, "changed"]


def test_a_member_of_a_class_that_the_initializer_has_set_stays(sides: Sides) -> None:
    initialize(sides, lambda there: setattr(there.Model, "level", 7))
    assert sides.see("Model").Model.level == 7
    sides.change("Model.level = 8")
    assert sides.see("Model").Model.level == 8


def test_a_large_value_that_the_initializer_has_left_alone_is_the_programs(sides: Sides) -> None:
    sides.there.LARGE[0] = "another import"
    initialize(sides, lambda there: None)
    assert sides.see("LARGE").LARGE[0] == 0


def test_a_variable_that_becomes_another_one_stays_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was inside of the other one when both were imported; hypothesis has found that."""
    sides = Sides(monkeypatch, "A, C = 1, [2]\nE = [C]")
    sides.change("C = 0")
    first = sides.snapshot("A")
    sides.see("C", "E")
    sides.change("C = E")
    both = sides.snapshot("C", "E")
    for snapshot in (both, first, both):
        there = sides.switch(snapshot)
    assert there.C is there.E


def test_objects_that_came_with_their_class_come_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What brings a class by value is not to come again because it has brought that."""
    sides = Sides(monkeypatch, "class Item:\n    pass\nITEMS = [Item(), Item()]\nBEST = ITEMS[1]")
    sides.there.__dict__.clear()
    sides.change("Item.__module__ = '__main__'")
    for best in (1, 0, 1):
        sides.change(f"BEST = ITEMS[{best}]; ITEMS.append(Item())")
        there = sides.see("ITEMS", "BEST", "Item")
        assert [item is there.BEST for item in there.ITEMS].index(True) == best


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_memory_stays_bounded_over_many_changes(sides: Sides) -> None:
    for number in range(300):
        sides.here.FACTOR = [number]
        assert [number] == sides.see("FACTOR").FACTOR
    found = sides.namespaces
    kept = found.statistics()
    assert kept["snapshots"] <= namespaces.SNAPSHOTS_KEPT
    assert kept["versions"] <= VERSIONS_KEPT
    assert kept["variables"] == 1


# -- compared with a naive twin --------------------------------------------------------------------------------------

TWIN = """
    class Thing:
        level = 0
        def __init__(self): self.value = 0
        def look(self): return self.level, self.value, A
    A, B, C, D = 1, [1], {"k": [2]}, {3}
    E = [B, C]
    T = Thing()
    F = lambda x=0: (x, A, Thing.level)
    def g(): return A, len(E)
    def look():
        return A, B, C, D, E, T, F, g, Thing
"""
NAMES = ["A", "B", "C", "D", "E", "F", "T"]
STATEMENTS = [
    "{a} = {n}", "{a} = [{n}]", "{a} = {{'k': [{n}]}}", "{a} = {{{n}}}", "{a} = ({n}, [{n}])", "{a} = {b}",
    "{a} = [{b}, {n}]", "{a} = Thing()", "{a} = lambda x=[{n}]: (x, A)", "{a} = 'x' * {n}", "{a}, {b} = {b}, {a}",
    "Thing.level = {n}", "Thing.level = {b}", "T.value = {n}", "T.value = {b}", "T.{a} = {n}",
    "{a}.append({n})", "{a}.append({b})", "{a}['k'] = {n}", "{a}['k'].append({n})", "{a}[0].append({n})",
    "{a}.add({n})", "{a}.value = {b}", "{a}.pop()", "{a}.clear()", "del {a}", "Thing.look = lambda self: {n}",
    "F.__defaults__ = ({n},)", "E[0] = {b}", "def g(): return {n}",
]  # fmt: skip

texts = st.builds(
    lambda text, a, b, n: text.format(a=a, b=b, n=n),
    st.sampled_from(STATEMENTS), st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 5),
)  # fmt: skip
steps = st.lists(
    texts.map(lambda text: ("run", text))
    | st.sampled_from([("look",), *((name,) for name in NAMES)]).map(lambda names: ("take", names))
    | st.integers(0, 20).map(lambda n: ("switch", n)),
    min_size=1,
    max_size=25,
)


class Picture:
    """What a program's variables are, in a form that can be compared."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._within: list[int] = []

    def of_all(self, names: set[str]) -> Any:
        """Return the picture of those of these variables that ``look`` reads."""
        names &= {*NAMES, "g", "Thing"}
        return {name: self.of(self._module.__dict__.get(name, MISSING)) for name in sorted(names)}

    def of(self, value: Any) -> Any:
        """Return the picture of one value."""
        if isinstance(value, (int, str)) or value is None or value is MISSING:
            return repr(value)
        if id(value) in self._within:
            return "within"
        self._within.append(id(value))
        found = self._content(value)
        self._within.pop()
        return found

    def _content(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value).__name__, [self.of(item) for item in value]
        if isinstance(value, dict):
            return "dict", [(key, self.of(item)) for key, item in value.items()]
        if isinstance(value, set):
            return "set", sorted(map(repr, value))
        if isinstance(value, types.FunctionType):
            return "function", value.__code__.co_code, value.__code__.co_consts, self.of(value.__defaults__)
        if isinstance(value, type):
            return "class", value.__name__, self.of(value.level), self.of(value.look)
        return "object", self.of(type(value)), [(name, self.of(item)) for name, item in vars(value).items()]


class Shared(Picture):
    """Which names are those of one object, and which objects right inside of others have a name."""

    def of_all(self, names: set[str]) -> Any:
        """Return the picture of those of these variables that ``look`` reads."""
        there = {name: self._module.__dict__[name] for name in NAMES if name in self._module.__dict__ and name in names}
        self._named: dict[int, list[str]] = {}
        for name, value in there.items():
            if isinstance(value, (list, dict, set, types.FunctionType)) or hasattr(value, "__dict__"):
                self._named.setdefault(id(value), []).append(name)
        return {name: (self._named.get(id(value)), self.parts_of(value)) for name, value in there.items()}

    def parts_of(self, value: Any) -> Any:
        """Return what the parts of a value are called."""
        if isinstance(value, (list, tuple)):
            parts = list(value)
        elif isinstance(value, dict):
            parts = list(value.values())
        else:
            parts = list(getattr(value, "__dict__", {}).values())
        return [self._named.get(id(part)) for part in parts]


def play(todo: list[tuple[str, Any]], picture: type[Picture]) -> None:
    """Let a program run, take snapshots now and then, and switch between them: each is as it was when it was taken."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        look_anew(monkeypatch, __name__)
        sides = Sides(monkeypatch, TWIN)
        taken: list[tuple[Any, set[str], Any]] = []
        for kind, what in [*todo, ("take", ("look",)), ("switch", 0), ("switch", -1)]:
            if kind == "run":
                try:
                    sides.change(what)
                except (AttributeError, TypeError, KeyError, IndexError, NameError):
                    pass
            elif kind == "take":
                snapshot = sides.snapshot(*what)
                names = {name for module, name in snapshot.versions if module == BESIDE}
                taken.append((snapshot, names, picture(sides.here).of_all(names)))
            elif taken:
                snapshot, names, expected = taken[what % len(taken)]
                there = sides.switch(snapshot)
                got = picture(there).of_all(names)
                assert got == expected, (got, expected)


@given(steps)
def test_every_variable_is_what_it_was_when_its_snapshot_was_taken(todo: list[tuple[str, Any]]) -> None:
    play(todo, Picture)


@given(steps)
def test_what_was_one_object_when_a_snapshot_was_taken_is_one_object(todo: list[tuple[str, Any]]) -> None:
    play(todo, Shared)
