"""Variables: one snapshot as long as nothing changes, another one after each change, and memory that stays bounded."""

from __future__ import annotations

import gc
import io
import pickle
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from fedfutures.errors import VariableNotCarried
from fedfutures.program import snapshots, variables
from fedfutures.program.modules import MISSING
from fedfutures.program.pickling import VariableUnpickler, dump_variable, find
from fedfutures.program.reach import Reach
from fedfutures.program.snapshots import NO_NAME, address_of, unpack
from fedfutures.program.tokens import EXACT_BYTES
from fedfutures.program.variables import INLINE_BYTES, SNAPSHOTS_KEPT, Snapshot, Variables, described

from .programs import BESIDE, make, reach_of, run_in

PROGRAM = """
    import functools, threading
    FACTOR = 2
    TABLE = {"a": [1, 2]}
    HOLDER = [TABLE, 1]
    LARGE = list(range(100_000))

    def uses(x):
        return helper(x) * FACTOR
    def helper(x):
        return x + len(TABLE)
    def alone(x):
        return x

    @functools.lru_cache
    def cached(x):
        return x * FACTOR

    class Model:
        level = 1
        def method(self): return self.level * FACTOR
    MODEL = Model()
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module."""
    return make(PROGRAM, monkeypatch)


@pytest.fixture
def followed() -> Variables:
    """What the Origin follows."""
    return Variables()


def key(name: str) -> tuple[str, str]:
    return BESIDE, name


def take(followed: Variables, *names: str, **more: Any) -> Snapshot:
    """Return the snapshot of what these names reach."""
    return followed.snapshot(followed.reached_from(reach_of(map(key, names))), **more)


def load(body: bytes | None) -> Any:
    assert body is not None
    return VariableUnpickler(io.BytesIO(body), (), find).load()


def value_in(followed: Variables, snapshot: Snapshot, name: str) -> Any:
    """Return the value of a variable as Workers get it."""
    return load(followed.body_of_value(snapshot.versions[key(name)].address))


# -- what calls reach ------------------------------------------------------------------------------------------------


def test_what_is_reached(program: types.ModuleType, followed: Variables) -> None:
    assert set(followed.reached_from(reach_of([key("uses")]))) == {
        key(n) for n in ("uses", "helper", "FACTOR", "TABLE")
    }
    assert set(followed.reached_from(reach_of([key("alone")]))) == {key("alone")}
    assert set(followed.reached_from(reach_of([key("HOLDER")]))) == {key("HOLDER"), key("TABLE")}
    members = {key(n) for n in ("Model", "Model.<members>", "Model.level", "Model.method", "FACTOR")}
    assert set(followed.reached_from(reach_of([key("Model")]))) == members
    assert set(followed.reached_from(reach_of([key("MODEL")]))) == members | {key("MODEL")}


def test_what_is_reached_by_way_of_other_modules(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    make("LEVEL = 1\nOTHER = 2\ndef read(): return LEVEL", monkeypatch, "settings")
    run_in(program, "import settings\ndef uses_it(): return settings.read()")
    found = set(Variables().reached_from(reach_of([key("uses_it")])))
    assert found == {key("uses_it"), key("settings"), ("settings", "read"), ("settings", "LEVEL")}


def test_what_comes_to_be_reached_by_a_change(program: types.ModuleType, followed: Variables) -> None:
    take(followed, "alone")
    run_in(program, "def alone(x): return helper(x)")
    assert key("TABLE") in take(followed, "alone").versions


def test_pickling_an_object_does_not_change_its_class(program: types.ModuleType, followed: Variables) -> None:
    """``copyreg`` keeps ``__slotnames__`` in it."""
    first = take(followed, "Model")
    pickle.dumps(program.MODEL)
    assert take(followed, "Model").digest == first.digest


def test_pickling_an_object_does_not_change_the_token_of_its_local_class(program: types.ModuleType) -> None:
    run_in(program, "def making():\n    class Local: pass\n    return Local\nLOCAL = making()")
    first = take(Variables(), "LOCAL").digest
    program.LOCAL().__reduce_ex__(5)
    assert take(Variables(), "LOCAL").digest == first


# -- snapshots and changes -------------------------------------------------------------------------------------------


def test_an_unchanged_program_has_one_snapshot(program: types.ModuleType, followed: Variables) -> None:
    assert take(followed, "uses") is take(followed, "uses")
    assert take(followed, "uses") is not take(followed, "alone")


def test_another_process_has_the_same_snapshot_of_small_values(
    program: types.ModuleType, followed: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("uses", "MODEL", "HOLDER", "cached")
    digest = take(followed, *names).digest
    make(PROGRAM, monkeypatch)
    assert take(Variables(), *names).digest == digest


CHANGES: list[tuple[str, str, str]] = [
    ("uses", "FACTOR = 3", "FACTOR = 2"),
    ("uses", "TABLE['a'].append(3)", "TABLE['a'].pop()"),
    ("uses", "def helper(x): return -x", "def helper(x):\n    return x + len(TABLE)"),
    ("uses", "del FACTOR", "FACTOR = 2"),
    ("uses", "helper.__defaults__ = (1,)", "helper.__defaults__ = None"),
    ("HOLDER", "TABLE['b'] = 1", "del TABLE['b']"),
    ("HOLDER", "HOLDER[1] = 2", "HOLDER[1] = 1"),
    ("Model", "Model.level = 2", "Model.level = 1"),
    ("MODEL", "MODEL.own = 2", "del MODEL.own"),
    ("MODEL", "Model.method.__kwdefaults__ = {'k': 1}", "Model.method.__kwdefaults__ = None"),
    ("cached", "FACTOR = 3", "FACTOR = 2"),
]


@pytest.mark.parametrize(("name", "forth", "back"), CHANGES)
def test_a_change_and_back(program: types.ModuleType, followed: Variables, name: str, forth: str, back: str) -> None:
    first = take(followed, name)
    run_in(program, forth)
    second = take(followed, name)
    assert second.digest != first.digest
    assert take(followed, name) is second
    run_in(program, back)
    assert take(followed, name).digest == first.digest
    run_in(program, forth)
    assert take(followed, name).digest == second.digest


def test_a_first_attribute_of_a_function(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "helper")
    program.helper.calls = 1
    assert take(followed, "helper").digest != first.digest


def test_what_is_not_reached_changes_nothing(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "alone")
    run_in(program, "FACTOR = 3; TABLE.clear()\ndef helper(x): return 0")
    assert take(followed, "alone") is first


def test_a_part_with_a_name_changes_what_it_is_part_of(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "HOLDER")
    run_in(program, "TABLE['b'] = 1")
    second = take(followed, "HOLDER")
    assert second.versions[key("HOLDER")].token != first.versions[key("HOLDER")].token


def test_a_name_that_its_object_has_lost(program: types.ModuleType, followed: Variables) -> None:
    take(followed, "HOLDER")
    run_in(program, "TABLE = 'other'")
    snapshot = take(followed, "HOLDER")
    assert value_in(followed, snapshot, "HOLDER") == [{"a": [1, 2]}, 1]


def test_a_name_that_an_object_has_got(program: types.ModuleType, followed: Variables) -> None:
    run_in(program, "PAIR = [[1]]\ndef reads(): return PAIR, ITEM")
    take(followed, "reads")
    run_in(program, "ITEM = PAIR[0]")
    snapshot = take(followed, "reads")
    program.ITEM = loaded = value_in(followed, snapshot, "ITEM")
    assert value_in(followed, snapshot, "PAIR")[0] is loaded


def test_a_cache_changes_with_what_its_function_reads(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "cached")
    run_in(program, "FACTOR = 5")
    assert take(followed, "cached").versions[key("cached")].token != first.versions[key("cached")].token


def test_a_function_does_not_change_with_what_it_reads(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "uses")
    run_in(program, "FACTOR = 5")
    assert take(followed, "uses").versions[key("uses")] is first.versions[key("uses")]


# -- large values ----------------------------------------------------------------------------------------------------


def test_a_large_value_has_a_version(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "LARGE")
    assert take(followed, "LARGE") is first
    program.LARGE[0] = "changed"
    second = take(followed, "LARGE")
    assert second.digest != first.digest
    assert value_in(followed, first, "LARGE")[0] == 0
    assert value_in(followed, second, "LARGE")[0] == "changed"


def test_versions_of_two_origins_differ(program: types.ModuleType) -> None:
    assert take(Variables(), "LARGE").digest != take(Variables(), "LARGE").digest


def test_a_value_that_grows_large_and_small_again(program: types.ModuleType, followed: Variables) -> None:
    first = take(followed, "TABLE")
    program.TABLE["large"] = b"x" * 2 * EXACT_BYTES
    large = take(followed, "TABLE")
    assert len(value_in(followed, large, "TABLE")["large"]) == 2 * EXACT_BYTES
    del program.TABLE["large"]
    assert take(followed, "TABLE").digest == first.digest


# -- what Workers get ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("TABLE", "TABLE['a'][:] = [9]"),
        ("FACTOR", "FACTOR = 9"),
        ("MODEL", "MODEL.own = 9"),
        ("LARGE", "LARGE.clear()"),
    ],
)
def test_a_value_is_had_as_it_stood(program: types.ModuleType, followed: Variables, name: str, change: str) -> None:
    before = pickle.dumps(getattr(program, name))
    first = take(followed, name)
    run_in(program, change)
    take(followed, name)
    assert pickle.dumps(value_in(followed, first, name)) == before != pickle.dumps(getattr(program, name))


@pytest.mark.parametrize("change", ["def helper(x): return 9", "helper.__code__ = (lambda x: 9).__code__"])
def test_a_function_is_had_as_it_stood(program: types.ModuleType, followed: Variables, change: str) -> None:
    first = take(followed, "helper")
    run_in(program, change)
    second = take(followed, "helper")
    assert [value_in(followed, snapshot, "helper")(1) for snapshot in (first, second)] == [2, 9]


def test_a_class_is_had_under_its_token(program: types.ModuleType, followed: Variables) -> None:
    snapshot = take(followed, "Model")
    made = value_in(followed, snapshot, "Model")
    assert (made.__name__, made.level) == ("Model", 1)


def test_small_values_stand_in_the_snapshot_itself(program: types.ModuleType, followed: Variables) -> None:
    run_in(program, "MIDDLE = list(range(1000))")
    seen = unpack(take(followed, "TABLE", "MIDDLE", "helper").body)
    address = address_of(key("TABLE"), seen.tokens[key("TABLE")])
    assert set(seen.inline) == {address}
    assert all(len(body) <= INLINE_BYTES for body in seen.inline.values())
    assert load(seen.inline[address]) == program.TABLE


def test_a_snapshot_names_what_is_not_there(program: types.ModuleType, followed: Variables) -> None:
    run_in(program, "def reads(): return not_there")
    assert unpack(take(followed, "reads").body).tokens[key("not_there")] == b"missing"


def test_what_a_snapshot_says_besides(program: types.ModuleType, followed: Variables) -> None:
    snapshot = take(followed, "FACTOR", process={"umask": 18})
    seen = unpack(snapshot.body)
    assert (seen.process, seen.made, seen.callables) == ({"umask": 18}, frozenset({BESIDE}), [])
    assert take(followed, "FACTOR").digest != snapshot.digest
    assert followed.body_of_snapshot(snapshot.digest) == snapshot.body


def test_a_snapshot_of_more_keeps_what_the_first_one_has(program: types.ModuleType, followed: Variables) -> None:
    base = take(followed, "FACTOR")
    run_in(program, "FACTOR = 9")
    both = followed.snapshot(followed.reached_from(reach_of([key("FACTOR"), key("TABLE")])), base=base)
    assert value_in(followed, both, "FACTOR") == 2
    assert value_in(followed, both, "TABLE") == {"a": [1, 2]}


def test_callables_come_with_the_snapshot(program: types.ModuleType, followed: Variables) -> None:
    reach = Reach()
    reach.parts.add(key("TABLE"))

    def brought(body: bytes) -> tuple[bytes, Snapshot]:
        snapshot = followed.snapshot(followed.reached_from(reach), callables=[(body, reach)])
        [token] = unpack(snapshot.body).callables
        return token, snapshot

    token, snapshot = brought(b"body")
    assert followed.body_of_value(address_of(NO_NAME, token)) == b"body"
    assert brought(b"body")[1] is snapshot
    assert brought(b"other")[0] != token
    program.TABLE["b"] = 1  # the callable is another object then
    assert brought(b"body")[0] != token


def test_what_is_not_known_is_not_to_be_had(followed: Variables) -> None:
    assert followed.body_of_snapshot(b"unknown") is None
    assert followed.body_of_value(b"unknown") is None
    assert followed.body_of_missing("no_such_module", "name") is None
    assert followed.body_of_missing("json", "no_such_name") is None


def test_what_the_program_has_put_into_a_module_of_others(
    program: types.ModuleType, followed: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    monkeypatch.setattr(json, "added", program.alone, raising=False)
    assert load(followed.body_of_missing("json", "added"))(3) == 3


def test_two_variables_of_one_token_have_each_its_value(program: types.ModuleType, followed: Variables) -> None:
    """What cannot be compared counts by its type."""
    run_in(program, "ONE, TWO = (x for x in ()), (x for x in ())")
    snapshot = take(followed, "ONE", "TWO")
    assert snapshot.versions[key("ONE")].token == snapshot.versions[key("TWO")].token
    for name in ("ONE", "TWO"):
        with pytest.raises(VariableNotCarried, match=rf"beside\.{name} "):
            next(value_in(followed, snapshot, name))


# -- what cannot travel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["GONE = (x for x in ())", "GONE = [1, {'in': (x for x in ())}]"])
def test_what_cannot_travel_raises_when_it_is_used(program: types.ModuleType, followed: Variables, text: str) -> None:
    run_in(program, text)
    found = value_in(followed, take(followed, "GONE"), "GONE")
    if isinstance(found, list):
        assert found[0] == 1
        found = found[1]["in"]
    with pytest.raises(
        VariableNotCarried, match=r"beside\.GONE was set or changed by the program.*generator"
    ) as raised:
        next(found)
    assert raised.value.variable == "beside.GONE"


def test_what_fails_to_be_taken_down_raises_when_it_is_used(program: types.ModuleType) -> None:
    def dump(value: Any, key: Any, named: Any) -> Any:
        raise OSError("no space left")

    followed = Variables(dump)
    found = value_in(followed, take(followed, "TABLE"), "TABLE")
    with pytest.raises(VariableNotCarried, match=r"beside\.TABLE .*no space left"):
        len(found)


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_memory_stays_bounded_over_many_changes(program: types.ModuleType, followed: Variables) -> None:
    for number in range(300):
        program.FACTOR = [number]
        take(followed, "FACTOR")
    gc.collect()
    known = followed.statistics()
    assert known["snapshots"] <= SNAPSHOTS_KEPT
    assert known["recent"] <= SNAPSHOTS_KEPT
    assert known["versions"] <= SNAPSHOTS_KEPT + 2
    assert known["variables"] == 1


def test_a_snapshot_that_is_needed_stays(
    program: types.ModuleType, followed: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variables, "SNAPSHOTS_KEPT", 3)
    first = take(followed, "FACTOR")
    digests = []
    for number in range(10, 20):
        program.FACTOR = number
        digests.append(take(followed, "FACTOR").digest)
    gc.collect()
    assert followed.body_of_snapshot(first.digest) == first.body
    assert value_in(followed, first, "FACTOR") == 2
    kept = [followed.body_of_snapshot(digest) is not None for digest in digests]
    assert kept == [False] * 7 + [True] * 3


def test_versions_are_released_once(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bodies may hold segments."""
    monkeypatch.setattr(variables, "SNAPSHOTS_KEPT", 2)
    dumped, released = [], []

    def dump(value: Any, key: Any, named: Any) -> Any:
        body, reached = dump_variable(value, key, named)
        dumped.append(body)
        return body, reached

    followed = Variables(dump, released.append)
    for number in range(10):
        program.TABLE["a"] = number
        take(followed, "TABLE")
    gc.collect()
    assert released == dumped[: len(released)]
    assert len(released) >= 7
    del followed
    gc.collect()
    assert sorted(released) == sorted(dumped)


def test_values_that_are_gone_are_not_kept(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "SNAPSHOTS_KEPT", 2)
    followed = Variables()
    run_in(program, "class Thing: pass\nTHING = Thing()")
    gone = weakref.ref(program.THING)
    for number in range(4):
        take(followed, "THING")
        program.THING = program.Thing()
        program.THING.note = number
    take(followed, "THING")
    gc.collect()
    assert gone() is None


def test_names_for_people() -> None:
    keys = [("__main__", "CONFIG"), ("settings", "FACTOR")]
    assert described(keys) == "CONFIG, settings.FACTOR"
    assert described([("__main__", f"V{number}") for number in range(7)]) == "V0, V1, V2, V3, V4 and 2 more"
    assert described([]) == ""


@pytest.mark.parametrize("change", [lambda program: None, lambda program: setattr(program, "FACTOR", MISSING)])
def test_missing_is_not_a_value_of_the_program(
    program: types.ModuleType, followed: Variables, change: Callable[[Any], Any]
) -> None:
    del program.FACTOR
    change(program)
    assert take(followed, "FACTOR").versions[key("FACTOR")].token == b"missing"
    assert snapshots.asked_for(snapshots.key_of("value", b"missing")) == ("value", b"missing", "")
