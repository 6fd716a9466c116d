"""Digests of calls: equal content gives equal digests in any process, other content gives others."""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st

from fedfutures.checkpoint.digests import CallDigests, digest_of_parts, function_digest, function_parts, repeated

CALL = CallDigests(function_digest(pow))

ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5)
)
KEYS = st.integers(-9, 9) | st.text(max_size=5) | st.tuples(st.integers(0, 3), st.text(max_size=2))
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4) | st.sets(KEYS, max_size=6) | st.frozensets(KEYS, max_size=6)
        | st.lists(st.integers(), min_size=17, max_size=19)
    ),
    max_leaves=12,
)  # fmt: skip


def typed(value: Any) -> Any:
    """Return what decides whether two values count as equal: types, too, and not the order of dicts and sets."""
    if isinstance(value, (list, tuple)):
        return type(value), [typed(part) for part in value]
    if isinstance(value, dict):
        return dict, sorted(map(repr, ((typed(key), typed(part)) for key, part in value.items())))
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, map(typed, value)))
    return type(value), repr(value)


def rebuilt(value: Any) -> Any:
    """Return an equal value: filled in another order, with no string interned, and no part in it twice."""
    if isinstance(value, str):
        return "".join(list(value))
    if isinstance(value, (list, tuple)):
        return type(value)(rebuilt(part) for part in value)
    if isinstance(value, dict):
        return {rebuilt(key): rebuilt(part) for key, part in reversed(value.items())}
    if isinstance(value, (set, frozenset)):
        return type(value)(map(rebuilt, sorted(value, key=repr)))
    return value


@settings(max_examples=40)
@given(VALUES)
def test_equal_values_have_equal_digests(value: Any) -> None:
    assert CALL.of((value,)) == CALL.of((rebuilt(value),))
    assert CALL.of((value, value)) == CALL.of((value, rebuilt(value)))
    assert CALL.of((), {"x": value, "y": 1}) == CALL.of((), {"y": 1, "x": rebuilt(value)})


@settings(max_examples=60)
@given(VALUES, VALUES)
def test_other_values_have_other_digests(one: Any, other: Any) -> None:
    assert (CALL.of((one,)) == CALL.of((other,))) == (typed(one) == typed(other))
    assert CALL.of((one,)) != CALL.of((one, other))
    assert CALL.of((one,)) != CALL.of(((one,),))
    assert CALL.of((one,)) != CALL.of((), {"x": one})
    assert CALL.of((one,)) != CALL.of((one,), stream=b"s")


OTHER_PROCESS = """
import base64, pickle, sys
from fedfutures.checkpoint.digests import CallDigests, function_digest
call = CallDigests(function_digest(pow))
for value in pickle.loads(base64.b64decode(sys.stdin.read())):
    print(call.of((value,)).hex())
"""


def run(program: str, seed: int, given: str = "", folder: Path | None = None) -> list[str]:
    env = {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", program]
    if folder is not None:
        (folder / "prog.py").write_text(textwrap.dedent(program))
        command = [sys.executable, str(folder / "prog.py")]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_digests_are_the_same_under_another_hash_seed() -> None:
    values: list[Any] = []

    @settings(max_examples=60, database=None)
    @given(VALUES)
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    here = [CALL.of((value,)).hex() for value in values]
    assert run(OTHER_PROCESS, 7, base64.b64encode(pickle.dumps(values)).decode()) == here


PROGRAM = """
import dataclasses, enum, functools, logging, threading, typing
from fedfutures.checkpoint.digests import CallDigests, function_digest

LEVEL = 3
TABLE = {"names": {"a", "b", "c", "d"}, "order": frozenset({"x", "y", "z"})}
UNREAD = 1
LOCK = threading.Lock()
log = logging.getLogger("x")

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: int = 0
    tags: set = dataclasses.field(default_factory=lambda: {"p", "q"})
    def far(self):
        return self.x + LEVEL

class Pair(typing.NamedTuple):
    a: int = 1

def logged(function):
    @functools.wraps(function)
    def inner(*args):
        with LOCK:
            log.info("called")
        return function(*args)
    return inner

@logged
def helper(x):
    return x in {"s", "t", "u"} or other(x)

@functools.lru_cache
def other(x):
    return helper(0) if x else (Point(x).far(), Color.RED, Pair())

def work(x, y=1):
    inner = lambda z: helper(z) + len(TABLE)
    return inner(x)

def made(n):
    def closed(x):
        return x + n
    return closed
"""
SHOW = """
bound, part = Point(3).far, functools.partial(work, y=2)
for function in (work, made(1), bound, part, lambda x: work(x), Point, other):
    print(function_digest(function).hex())
print(CallDigests(b"").of((Point(1), Color.RED, Pair(2), work, {"k": Point}, bound, part)).hex())
"""


def test_functions_with_all_they_read_are_the_same_under_another_hash_seed(tmp_path: Path) -> None:
    first = run(PROGRAM + SHOW, 1, folder=tmp_path)
    assert first == run("# a line more\n" + PROGRAM + "UNREAD = 2\n" + SHOW, 2, folder=tmp_path)
    assert len(set(first)) == 8


CHANGES = {
    "code of the function": ("len(TABLE)", "2 * len(TABLE)"),
    "code that it calls": ('in {"s", "t", "u"}', 'in {"s", "t"}'),
    "code of a method": ("self.x + LEVEL", "self.x - LEVEL"),
    "a variable": ("LEVEL = 3", "LEVEL = 4"),
    "an item of a table": ('"d"}', '"e"}'),
    "a default": ("y=1", "y=2"),
    "a default of a field": ("x: int = 0", "x: int = 1"),
    "a member of an enum": ("RED = 1", "RED = 2"),
    "a wrapper": ('log.info("called")', 'log.info("began")'),
    "a decorator": ("@functools.lru_cache", ""),
}  # fmt: skip


def test_whatever_is_changed_gives_another_digest(tmp_path: Path) -> None:
    lines = ["import sys", "sys.modules['program'] = module = type(sys)('program')"]
    texts = [PROGRAM] + [PROGRAM.replace(*change, 1) for change in CHANGES.values()]
    assert len(set(texts)) == len(texts)
    for text in texts:
        lines += ["vars(module).clear(); module.__name__ = 'program'", f"exec({text!r}, vars(module))"]
        lines += ["print(module.function_digest(module.work).hex())"]
    found = run("\n".join(lines), 1, folder=tmp_path)
    same = [name for name, digest in zip(CHANGES, found[1:]) if digest == found[0]]
    assert same == []
    assert len(found) == len(texts)


MODULES = """
import sys, types
import other, settings, settings.deep
from fedfutures.checkpoint.digests import function_digest

def work():
    import other
    return settings.LEVEL, settings.deep.table["a"], other.name, sys.path

for change in (
    "1", "settings.UNREAD = 1", "settings.LEVEL = 2", "settings.deep.table['a'] = 2", "settings.deep.table['b'] = {3}",
    "other.name = 'x'"
):
    exec(change)
    print(function_digest(work).hex())
"""


def test_variables_of_other_modules_count(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "__init__.py").write_text("LEVEL = 1\nUNREAD = 0\n")
    (tmp_path / "settings" / "deep.py").write_text("table = {'a': 1}\n")
    (tmp_path / "other.py").write_text("name = 'o'\n")
    found = run(MODULES, 1, folder=tmp_path)
    assert found == run(MODULES, 2, folder=tmp_path)
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_each_variable_is_a_part_of_its_own() -> None:
    def work() -> Any:
        return RUNS, run

    parts = function_parts(work)
    assert {name.rpartition(":")[2] for name in parts} >= {"RUNS", "run", "what it holds"}
    assert digest_of_parts(parts) == function_digest(work)
    assert digest_of_parts({**parts, "a.b:c": b""}) != digest_of_parts({**parts, "a:b.c": b""})


RUNS = 1


def test_cells_count() -> None:
    def made(n: Any) -> Any:
        return lambda x: x + n

    assert function_digest(made(1)) == function_digest(made(1)) != function_digest(made(2))
    assert function_digest(made({"a", "b"})) == function_digest(made({"b", "a"}))


def test_repetitions_have_keys_of_their_own() -> None:
    digest = CALL.of((1,))
    assert len({repeated(digest, count) for count in range(5)}) == 5
