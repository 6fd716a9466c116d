"""Tokens: equal for equal values wherever they are taken, different after every change that a Future could see."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.program import tokens
from fedfutures.program.modules import MISSING
from fedfutures.program.tokens import EXACT_BYTES, Named, code_token, describe_code, examine, key_of_definition

from .programs import BESIDE, execute, finding, make, run_in, token

PROGRAM = """
    import collections, datetime, enum, functools, itertools, contextvars, types, array, threading, random
    from fractions import Fraction

    FACTOR = 2
    TEXT = "text"
    LIST = [1, [2, "three"], None]
    DICT = {"a": [1, 2.5], "b": (True, ...)}
    SET = {"one", "two", "three", "four", "five", "six", "seven"}
    FROZEN = frozenset({"one", "two", "three", ("four", 5), None})
    NESTED = {"sets": [{"x", "y", "z"}, {("p", "q"), ("r", "s")}], "of sets": {frozenset("abc"), frozenset("def")}}
    DEQUE = collections.deque([1, 2, 3], maxlen=5)
    COUNTER = collections.Counter("abracadabra")
    WHEN = datetime.datetime(2024, 1, 2, 3, 4, 5)
    HALF = Fraction(1, 2)
    ARRAY = array.array("d", [1.5, 2.5])
    BYTES = bytearray(b"bytes")
    COUNT = itertools.count(3)
    VARIABLE = contextvars.ContextVar("VARIABLE", default=7)
    PROXY = types.MappingProxyType({"a": 1})
    LOCK = threading.Lock()
    RANDOM = random.Random(7)

    Point = collections.namedtuple("Point", "x y")
    POINT = Point(1, 2)

    def function(x, y=1, *, z="z"):
        try:
            inner = lambda v: v + FACTOR
            return [inner(helper(v)) for v in (x, y)], x in {"red", "green", "blue", "black"}, z
        except ValueError:
            return None

    def helper(x):
        return x + FACTOR

    def annotated(x: int) -> "list[int]":
        return [x]

    def closing(value, others):
        def closure(x):
            return value, others, x
        return closure
    CLOSURE = closing(1, {"a", "b", "c"})

    def decorated_by(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper

    @decorated_by
    def wrapped(x):
        return x

    @functools.lru_cache(maxsize=10)
    def cached(x):
        return x * FACTOR

    @functools.singledispatch
    def dispatched(x):
        return "any"

    @dispatched.register
    def _(x: int):
        return "int"

    PARTIAL = functools.partial(helper, 1, key={"k"})

    class Base:
        level = 1

    class Other:
        level = 1

    class Thing(Base):
        __slots__ = ("size",)
        table = {"a": 1}
        def __init__(self, size): self.size = size
        def method(self): return self.size + FACTOR
        @property
        def prop(self): return 1
        @staticmethod
        def static(x=1): return 1
        @classmethod
        def of_class(cls): return 1
        @functools.cached_property
        def kept(self): return 1
        class Inner:
            depth = 1
    THING = Thing(5)
    BOUND = THING.method

    class Colour(enum.Enum):
        RED = 1
        BLUE = 2
        def title(self): return self.name
    COLOURS = {Colour.RED, Colour.BLUE}
"""
NAMES = [
    "FACTOR", "TEXT", "LIST", "DICT", "SET", "FROZEN", "NESTED", "DEQUE", "COUNTER", "WHEN", "HALF", "ARRAY", "BYTES",
    "COUNT", "VARIABLE", "PROXY", "LOCK", "RANDOM", "POINT", "function", "helper", "annotated", "closing", "CLOSURE",
    "wrapped", "cached", "dispatched", "PARTIAL", "Base", "Thing", "Thing.table", "Thing.__init__", "Thing.method",
    "Thing.prop", "Thing.static", "Thing.of_class", "Thing.kept", "Thing.Inner", "Thing.Inner.depth", "THING", "BOUND",
    "Colour", "Colour.title", "COLOURS", "not_there",
]  # fmt: skip


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module."""
    return make(PROGRAM, monkeypatch)


def plain(value: Any) -> bytes | None:
    """Return the token of a value that has no name."""
    return examine(value, Named()).token


# -- equal -----------------------------------------------------------------------------------------------------------


def test_another_import_has_the_same_tokens(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {name: token(name) for name in NAMES}
    assert None not in here.values()
    monkeypatch.setitem(sys.modules, BESIDE, types.ModuleType(BESIDE))
    run_in(sys.modules[BESIDE], "\n\n# moved down by some lines" + textwrap.dedent(PROGRAM))
    assert {name: token(name) for name in NAMES} == here


def test_looking_twice_gives_the_same_token(program: types.ModuleType) -> None:
    assert {name: token(name) for name in NAMES} == {name: token(name) for name in NAMES}


@pytest.mark.host
def test_tokens_are_equal_in_other_processes_with_other_hash_seeds(program: types.ModuleType, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("# moved down by a line\n" + textwrap.dedent(PROGRAM))
    text = (
        "import beside, json\nfrom fedfutures.program.modules import *\nfrom fedfutures.program.tokens import *\n"
        "named = Named()\n"
        "def token(name): key = ('beside', name); return examine(lookup(key), named, key).token.hex()\n"
        f"print(json.dumps([token(name) for name in {NAMES}]))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        found = subprocess.run(
            [sys.executable, "-c", text], env=environment, capture_output=True, timeout=30, check=True
        )
        there = dict(zip(NAMES, json.loads(found.stdout)))
        assert there == {name: (token(name) or b"").hex() for name in NAMES}


@pytest.mark.host
def test_what_durations_are_kept_by_is_equal_under_other_hash_seeds(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text(textwrap.dedent(PROGRAM))
    text = "import beside\nfrom fedfutures.program.tokens import code_token\nprint(code_token(beside.function).hex())"
    found = {
        subprocess.run(
            [sys.executable, "-c", text], capture_output=True, timeout=30, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(found) == 1


@given(st.lists(st.integers() | st.text() | st.none() | st.tuples(st.integers(), st.text()), unique=True))
def test_the_order_of_a_set_does_not_matter(items: list[Any]) -> None:
    forth, back = set(items), set[Any]()
    for item in reversed(items):
        back.add(item)
    assert plain(forth) == plain(back) != plain(frozenset(forth))
    assert plain([forth, {"k": back}]) == plain([back, {"k": forth}])


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.floats(allow_nan=False)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(plain_values, plain_values)
def test_different_values_have_different_tokens(one: Any, other: Any) -> None:
    if one != other:
        assert plain(one) != plain(other)


# -- different -------------------------------------------------------------------------------------------------------

META = "class Meta(type): pass\n" + textwrap.dedent(PROGRAM).replace("(Base)", "(Base, metaclass=Meta)")
CHANGES = [
    ("FACTOR", "FACTOR = 3"),
    ("FACTOR", "FACTOR = 2.0"),
    ("FACTOR", "FACTOR = '2'"),
    ("TEXT", "TEXT = b'text'"),
    ("LIST", "LIST[1].append(4)"),
    ("LIST", "LIST[0] = True"),
    ("LIST", "LIST = tuple(LIST)"),
    ("DICT", "DICT['b'] = (True, None)"),
    ("DICT", "DICT['c'] = 1"),
    ("SET", "SET.add('eight')"),
    ("SET", "SET = frozenset(SET)"),
    ("FROZEN", "FROZEN -= {None}"),
    ("NESTED", "NESTED['sets'][0].discard('x')"),
    ("NESTED", "NESTED['of sets'].add(frozenset('xyz'))"),
    ("DEQUE", "DEQUE.append(4)"),
    ("DEQUE", "DEQUE = collections.deque(DEQUE, 6)"),
    ("COUNTER", "COUNTER['a'] += 1"),
    ("WHEN", "WHEN += datetime.timedelta(1)"),
    ("HALF", "HALF = Fraction(1, 3)"),
    ("ARRAY", "ARRAY[0] = 0"),
    ("BYTES", "BYTES[0] = 0"),
    ("COUNT", "next(COUNT)"),
    ("VARIABLE", "VARIABLE.set(8)"),
    ("PROXY", "PROXY = types.MappingProxyType({'a': 2})"),
    ("RANDOM", "RANDOM.random()"),
    ("POINT", "POINT = POINT._replace(x=5)"),
    ("function", "def function(x, y=1, *, z='z'): return x"),
    ("function", "function.__defaults__ = (2,)"),
    ("function", "function.__kwdefaults__ = {'z': 'other'}"),
    ("function", "function.note = 1"),
    ("function", PROGRAM.replace('"black"', '"white"')),
    ("function", PROGRAM.replace("v + FACTOR", "v - FACTOR")),
    ("function", PROGRAM.replace("v + FACTOR", "v + OTHER")),
    ("function", PROGRAM.replace("except ValueError", "except KeyError")),
    ("helper", "async def helper(x): return x + FACTOR"),
    ("helper", "def helper(*x): return x + FACTOR"),
    ("CLOSURE", "CLOSURE = closing(2, {'a', 'b', 'c'})"),
    ("CLOSURE", "CLOSURE.__closure__[0].cell_contents.add('d')"),
    ("wrapped", "@decorated_by\ndef wrapped(x): return -x"),
    ("cached", "@functools.lru_cache(maxsize=11)\ndef cached(x): return x * FACTOR"),
    ("cached", "@functools.lru_cache(maxsize=10)\ndef cached(x): return x - FACTOR"),
    ("cached", "@functools.lru_cache(maxsize=10, typed=True)\ndef cached(x): return x * FACTOR"),
    ("cached", "def cached(x): return x * FACTOR"),
    ("dispatched", "@dispatched.register\ndef _(x: str): return 'str'"),
    ("dispatched", "@dispatched.register\ndef named(x: int): return 'other'"),
    ("PARTIAL", "PARTIAL = functools.partial(helper, 2, key={'k'})"),
    ("PARTIAL", "PARTIAL.keywords['key'].add('l')"),
    ("PARTIAL", "PARTIAL = functools.partial(function, 1, key={'k'})"),
    ("Thing", "Thing.__bases__ = (Other,)"),
    ("Thing", PROGRAM.replace("class Thing(Base)", "class Thing(Base, Other)")),
    ("Thing", PROGRAM.replace('("size",)', '("size", "weight")')),
    ("Thing", META),
    ("Thing.table", "Thing.table['a'] = 2"),
    ("Thing.method", "Thing.method = lambda self: 1"),
    ("Thing.prop", "Thing.prop = property(lambda self: 2)"),
    ("Thing.static", "Thing.static = staticmethod(lambda x=2: 1)"),
    ("Thing.of_class", "Thing.of_class = classmethod(lambda cls: 2)"),
    ("Thing.Inner.depth", "Thing.Inner.depth = 2"),
    ("THING", "THING.size = 6"),
    ("THING", "THING.more = 6"),
    ("Colour", PROGRAM.replace("BLUE = 2", "BLUE = 3")),
    ("Colour", PROGRAM.replace("BLUE = 2", "BLUE = 2; GREEN = 3")),
    ("COLOURS", "COLOURS.discard(Colour.RED)"),
    ("not_there", "not_there = 1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=lambda text: text.strip()[:50].split("\n")[0])
def test_a_change_gives_another_token(program: types.ModuleType, name: str, change: str) -> None:
    before = token(name)
    run_in(program, change)
    assert token(name) != before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("function", "function.__doc__ = 'another'"),
        ("function", "FACTOR = 5"),
        ("function", "def helper(x): return 0"),
        ("helper", "helper.__annotations__ = {'x': int}"),
        ("cached", "cached(3)"),
        ("Thing", "Thing.table = {}"),
        ("Thing", "Thing.method = lambda self: 5"),
        ("BOUND", "THING.size = 9"),
        ("LOCK", "LOCK = threading.Lock()"),
        ("wrapped", "FACTOR = 5"),
    ],
)
def test_what_has_a_token_of_its_own_changes_no_other(program: types.ModuleType, name: str, change: str) -> None:
    before = token(name)
    run_in(program, change)
    assert token(name) == before


def test_values_of_other_types_differ() -> None:
    alike: list[Any] = [0, 0.0, -0.0, False, "0", b"0", bytearray(b"0"), None, ..., [], (), {}, set(), frozenset(), 0j]
    assert len({plain(value) for value in alike}) == len(alike)


def test_what_is_missing_is_no_value() -> None:
    assert plain(MISSING) == b"missing"
    assert b"missing" not in {plain(None), plain("missing"), plain(b"missing")}


# -- what a value reaches ---------------------------------------------------------------------------------------------


def keys(*names: str) -> set[tuple[str, str]]:
    return {(BESIDE, name) for name in names}


def test_a_function_reports_what_it_reads(program: types.ModuleType) -> None:
    assert finding("function").reach.reads == keys("FACTOR", "helper")
    assert finding("function").reach.parts == set()
    assert finding("cached").reach.reads == keys("FACTOR")
    assert finding("Thing.method").reach.reads == keys("FACTOR")
    assert finding("wrapped").reach.reads == set()


def test_objects_with_a_name_go_by_it(program: types.ModuleType) -> None:
    run_in(program, "HOLDER = [LIST, {'in': DICT}, Thing, helper, (THING,)]")
    assert finding("HOLDER").reach.parts == keys("LIST", "DICT", "Thing", "helper", "THING")
    before = token("HOLDER")
    run_in(program, "LIST.append(5); DICT.clear(); THING.size = 7; Thing.table = {}")
    assert token("HOLDER") == before  # theirs are different
    run_in(program, "HOLDER[0] = [1]")
    assert token("HOLDER") != before


@pytest.mark.parametrize("value", [(), frozenset(), NotImplemented, None, "", 0], ids=repr)
def test_what_all_programs_share_has_no_name(program: types.ModuleType, value: object) -> None:
    """Each code object has an empty tuple, and it is the same object as that in a variable."""
    program.SHARED_BY_ALL = value  # type: ignore[attr-defined]
    assert Named().key_of(value) is None


def test_an_alias_is_a_part(program: types.ModuleType) -> None:
    run_in(program, "ZLIST = LIST")
    assert finding("ZLIST").reach.parts == keys("LIST")
    assert finding("LIST").reach.parts == set()


def test_a_bound_method_and_a_partial_name_their_parts(program: types.ModuleType) -> None:
    assert finding("BOUND").reach.parts == keys("THING")
    assert finding("PARTIAL").reach.parts == keys("helper")
    assert finding("THING").reach.parts == keys("Thing")
    assert finding("dispatched").reach.parts == keys("_")


def test_a_class_is_known_by_its_shape_and_reports_its_members(program: types.ModuleType) -> None:
    found = finding("Thing").reach
    members = ["<members>", "table", "__init__", "method", "prop", "static", "of_class", "kept", "Inner"]
    assert found.reads == keys(*(f"Thing.{name}" for name in members))
    assert found.parts == keys("Base")
    assert finding("Colour").reach.reads >= keys("Colour.title")
    assert keys("Colour.RED").isdisjoint(finding("Colour").reach.reads)


def test_sets_report_what_is_in_them(program: types.ModuleType) -> None:
    run_in(program, "HELD = {helper, 3}")
    assert finding("HELD").reach.parts == keys("helper")
    assert finding("COLOURS").reach.parts >= keys("Colour")


def test_a_local_class_goes_by_its_content(program: types.ModuleType) -> None:
    local = """
        def making(n):
            class Local:
                level = n
                def method(self): return self.level + FACTOR
            return Local
        OBJECT = making(1)()
    """
    run_in(program, local)
    before = token("OBJECT")
    assert keys("FACTOR") <= finding("OBJECT").reach.reads
    run_in(program, local)
    assert token("OBJECT") == before
    run_in(program, "type(OBJECT).level = 2")
    assert token("OBJECT") != before


def test_a_module_in_a_variable_is_got_hold_of(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    make("LEVEL = 1\nimport json", monkeypatch, "settings")
    run_in(program, "import settings, json\nHOLDER = [settings, json]")
    assert finding("HOLDER").reach.modules == {"settings"}


def test_installed_things_are_taken_by_name(program: types.ModuleType) -> None:
    run_in(
        program,
        "import textwrap\nHOLDER = [functools.reduce, textwrap.dedent, collections.OrderedDict]",
    )
    found = finding("HOLDER")
    assert (found.reach.reads, found.reach.parts) == (set(), set())
    assert found.token is not None


def test_what_refers_to_itself(program: types.ModuleType) -> None:
    run_in(program, "SELF = [1]; SELF.append(SELF)\ndef recursive(n): return n and recursive(n - 1)")
    assert token("SELF") is not None
    assert finding("recursive").reach.reads == keys("recursive")
    run_in(program, "def outer():\n    def inner(n): return n and inner(n - 1)\n    return inner\nINNER = outer()")
    before = token("INNER")
    assert before is not None
    run_in(program, "INNER = outer()")
    assert token("INNER") == before


def test_keys_of_definitions(program: types.ModuleType) -> None:
    assert key_of_definition(program.helper) == (BESIDE, "helper")
    assert key_of_definition(program.Thing.Inner) == (BESIDE, "Thing.Inner")
    assert key_of_definition(program.Thing.static) == (BESIDE, "Thing.static")
    assert key_of_definition(program.Thing.__dict__["of_class"].__func__) == (BESIDE, "Thing.of_class")
    assert key_of_definition(program.cached) == (BESIDE, "cached")
    assert key_of_definition(program.CLOSURE) is None
    assert key_of_definition(textwrap.dedent) is None
    old = program.helper
    run_in(program, "def helper(x): return x")
    assert key_of_definition(old) is None


def test_names_are_found_by_identity(program: types.ModuleType) -> None:
    named = Named()
    assert named.key_of(program.LIST) == (BESIDE, "LIST")
    assert named.key_of(list(program.LIST)) is None
    assert named.key_of(program.helper) == (BESIDE, "helper")
    assert named.key_of(program.CLOSURE) == (BESIDE, "CLOSURE")
    assert named.key_of(program.FACTOR) is None


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_a_large_value_has_no_token() -> None:
    for large in (
        "x" * (EXACT_BYTES + 1),
        list(range(EXACT_BYTES)),
        {"a": [b"x" * EXACT_BYTES]},
        {"x" * EXACT_BYTES, 1},
    ):
        assert plain(large) is None
    assert plain("x" * (EXACT_BYTES - 100)) is not None


def test_a_large_array_has_no_token() -> None:
    numpy = pytest.importorskip("numpy")
    assert plain(numpy.zeros(EXACT_BYTES // 8 + 1)) is None
    small = numpy.arange(10.0)
    before = plain(small)
    assert before is not None
    assert plain(numpy.arange(10.0)) == before
    small[3] = 0
    assert plain(small) != before
    assert plain(numpy.arange(20.0)[::2]) != plain(numpy.arange(1.0, 21.0)[::2])


def test_a_set_of_large_items_has_no_token() -> None:
    assert plain({("x" * EXACT_BYTES, 1)}) is None


def test_what_is_too_deep_has_no_token() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert plain(deep) is None
    while deep:  # taken apart from outside: its own way is as deep
        deep = deep[0]


def test_what_cannot_be_pickled_counts_by_its_type() -> None:
    assert plain(threading.Lock()) == plain(threading.Lock()) != plain(threading.RLock())
    assert plain([threading.Lock(), 1]) != plain([threading.Lock(), 2])
    assert plain(iter(())) != plain(x for x in ())


class Refusing:
    """Raises when it is pickled."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("no")


def test_what_raises_when_it_is_pickled_counts_by_its_type() -> None:
    assert plain(Refusing()) == plain(Refusing()) is not None


# -- code ------------------------------------------------------------------------------------------------------------


def test_code_is_what_it_does_not_where_it_stands() -> None:
    one, other = execute("def f(x): return x"), execute("\n\n\ndef f(x):\n    return x")
    assert describe_code(one.f.__code__) == describe_code(other.f.__code__)
    assert code_token(one.f) == code_token(other.f)
    assert code_token(one.f) != code_token(execute("def f(x): return -x").f)


def test_the_token_of_code_does_not_depend_on_values(program: types.ModuleType) -> None:
    before = code_token(program.function)
    run_in(program, "FACTOR = 9; function.__defaults__ = (7,)")
    assert code_token(program.function) == before


def test_single_dispatch_is_told_from_plain_functions(program: types.ModuleType) -> None:
    assert tokens.is_single_dispatch(program.dispatched)
    assert not tokens.is_single_dispatch(program.helper)
    assert not tokens.is_single_dispatch(functools.partial(len))
