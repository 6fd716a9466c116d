"""What a function can reach of the program's modules by name."""

from __future__ import annotations

import json
import sys
import types
from typing import Any

import pytest

from fedfutures.program.modules import MAIN, Key
from fedfutures.program.reach import Reach, keys_in_modules, names_of, reach_of

from .programs import BESIDE, make, run_in

PROGRAM = """
    import json, os.path, settings, package.sub
    from settings import LEVEL as IMPORTED
    A, B, C = 1, 2, 3
    class Model: pass
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module, a second one and a package."""
    make("LEVEL = 1\nOTHER = 2\nimport json", monkeypatch, "settings")
    package = make("TOP = 1", monkeypatch, "package")
    package.sub = make("DEEP = 1\nOTHER = 2", monkeypatch, "package.sub")  # type: ignore[attr-defined]
    return make(PROGRAM, monkeypatch)


def read_by(program: types.ModuleType, text: str) -> set[str]:
    """Return what the function `f` of this text reads, of other modules with their names."""
    run_in(program, text)
    return {name if module == BESIDE else f"{module}.{name}" for module, name in keys_read_by(program.f)}


def keys_read_by(function: Any) -> set[Key]:
    """Return the variables that a function reads by itself, of other modules too."""
    reach = reach_of(function)
    return reach.reads | keys_in_modules(reach, ())


READS = [
    ("def f(): return A", {"A"}),
    ("def f(x=A): return x", set()),
    ("def f(A): return A", set()),
    ("def f(): return len, print, A", {"A"}),
    ("def f(): return not_there", {"not_there"}),
    ("def f():\n    global A\n    A = 5", {"A"}),
    ("def f():\n    global C\n    del C", {"C"}),
    ("def f(): return lambda: (A, [B for _ in 'x'])", {"A", "B"}),
    ("def f():\n    class Local:\n        level = A\n        def method(self): return B\n    return Local", {"A", "B"}),
    ("def f():\n    def inner():\n        def inmost(): return A\n        return inmost\n    return inner", {"A"}),
    ("async def f(): return [A async for _ in B]", {"A", "B"}),
    ("def f(): return Model.level, Model().x", {"Model"}),
    ("def f():\n    try:\n        A\n    except B: pass", {"A", "B"}),
    ("def f(): return f(1)", {"f"}),
    ("def f(): return __name__, __doc__", set()),
    ("def f(): return __file__", set()),
    ("def f(): return IMPORTED", {"IMPORTED"}),
    ("def f(): return json.dumps(A)", {"json", "A"}),
    ("def f(): return settings.LEVEL", {"settings", "settings.LEVEL"}),
    ("def f(): return settings.json.dumps", {"settings", "settings.json"}),
    ("def f(): settings.LEVEL = 5", {"settings", "settings.LEVEL"}),
    ("def f(): return package.sub.DEEP", {"package", "package.sub"}),
    ("def f(): return getattr(settings, 'LEVEL')", {"settings", "settings.LEVEL", "settings.OTHER", "settings.json"}),
    ("def f(): return vars(settings)", None),
    ("def f():\n    import settings\n    return settings.LEVEL", {"settings.LEVEL"}),
    ("def f():\n    import settings as s\n    return s.LEVEL", {"settings.LEVEL"}),
    ("def f():\n    from settings import LEVEL as x\n    return x", {"settings.LEVEL"}),
    ("def f():\n    from package.sub import DEEP\n    return DEEP", {"package.DEEP", "package.sub.DEEP"}),
    ("def f():\n    import package.sub\n    return package.sub.DEEP", {"package.sub", "package.sub.DEEP"}),
    ("def f():\n    import json, no_such_module\n    return json.dumps", set()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reads"), READS)
def test_what_a_function_reads(program: types.ModuleType, text: str, reads: set[str] | None) -> None:
    found = read_by(program, text)
    if reads is None:
        assert {"settings.LEVEL", "settings.OTHER", "A", "B"} <= found
    else:
        assert found == reads


@pytest.mark.parametrize("text", ["globals()['A']", "eval('A')", "exec('A')", "dir()", "locals()", "vars()"])
def test_code_that_can_find_anything_reads_all(program: types.ModuleType, text: str) -> None:
    found = read_by(program, f"def f(): return {text}")
    assert {"A", "B", "C", "Model", "f", "settings", "IMPORTED"} <= found
    assert found.isdisjoint({"__builtins__", "__name__"})


def test_modules_that_are_found_by_name(program: types.ModuleType) -> None:
    every = read_by(program, "def f(x):\n    import importlib\n    return importlib.import_module(x)")
    assert {"A", "settings.LEVEL", "package.sub.DEEP"} <= every
    named = read_by(program, "def f():\n    import importlib\n    return importlib.import_module('settings').LEVEL")
    assert {"settings.LEVEL", "settings.OTHER"} <= named
    assert named.isdisjoint({"A", "package.TOP"})
    begun = read_by(program, "def f(x):\n    import sys\n    return sys.modules['package.' + x]")
    assert {"package.sub.DEEP", "package.sub.OTHER"} <= begun
    assert begun.isdisjoint({"A", "settings.LEVEL"})
    own = read_by(program, "def f(x):\n    import sys\n    return sys.modules[__name__]")
    assert {"A", "B"} <= own
    assert "settings.LEVEL" not in own


def test_relative_imports(program: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = sys.modules["package.sub"]
    inner.__package__ = "package"
    run_in(inner, "def f():\n    from . import TOP\n    return TOP")
    assert ("package", "TOP") in keys_read_by(inner.f)


def test_where_its_file_is_belongs_to_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers may not have imported that; of another module it is where its host has it."""
    made = make("def f(): return __file__", monkeypatch, MAIN)
    assert keys_read_by(made.f) == {(MAIN, "__file__")}


def test_more_names_than_one_byte_counts(program: types.ModuleType) -> None:
    names = [f"V{number}" for number in range(700)]
    run_in(program, "; ".join(f"{name} = 1" for name in names))
    assert read_by(program, f"def f(): return ({', '.join(names)})") == set(names)


def test_functions_of_others_read_nothing(program: types.ModuleType) -> None:
    assert keys_read_by(json.dumps) == set()
    assert keys_read_by(eval("lambda: A", {"A": 1})) == set()
    assert keys_read_by(eval("lambda: A", {"A": 1, "__name__": BESIDE})) == set()


def reach(**more: set[str]) -> Reach:
    """Return a reach of these modules and mentions."""
    made = Reach()
    for name, value in more.items():
        getattr(made, name).update(value)
    return made


ALL = {("settings", name) for name in ("LEVEL", "OTHER", "json")}


def test_keys_in_modules(program: types.ModuleType) -> None:
    one = reach(modules={"settings"}, mentions={"LEVEL", "no", "__name__"})
    assert keys_in_modules(one, ()) == {("settings", "LEVEL")}
    assert keys_in_modules(reach(modules={"settings"}), ()) == set()
    assert keys_in_modules(reach(mentions={"LEVEL"}), ()) == set()
    assert keys_in_modules(reach(whole={"settings", "no_such_module"}), ()) == ALL
    for name in ("getattr", "vars", "__dict__", "attrgetter", "hasattr", "dir"):
        assert keys_in_modules(reach(modules={"settings"}, mentions={name}), ()) == ALL


def test_names_that_are_gone_are_read_where_they_are_known(program: types.ModuleType) -> None:
    known = [("settings", "GONE"), ("settings", "OTHER_GONE"), ("package", "GONE")]
    one = reach(modules={"settings"}, mentions={"GONE"})
    assert keys_in_modules(one, known) == {("settings", "GONE")}
    assert keys_in_modules(reach(whole={"settings"}), known) == {*ALL, *known[:2]}


def test_modules_that_are_got_hold_of(program: types.ModuleType) -> None:
    made = Reach()
    made.add_module(sys.modules["settings"])
    made.add_module(json)
    made.add_module(types.ModuleType("settings"))
    assert (made.modules, made.reads, made.whole) == ({"settings"}, set(), set())
    made.add_module(sys.modules["package"], ("TOP", "sub"))
    assert made.reads == {("package", "TOP"), ("package", "sub")}
    made.add_module(sys.modules["package"], ("*",))
    assert made.whole == {"package"}


def test_reaches_together() -> None:
    one, other = reach(modules={"a"}, mentions={"x"}), reach(modules={"b"}, whole={"c"}, mentions={"y"})
    one.reads.add(("a", "x"))
    other.parts.add(("b", "y"))
    one.add(other)
    assert (one.modules, one.mentions, one.whole) == ({"a", "b"}, {"x", "y"}, {"c"})
    assert (one.reads, one.parts) == ({("a", "x")}, {("b", "y")})


def test_names_of_code() -> None:
    found: Any = names_of(compile("import a.b\nfrom c import d\nx = y.z\n'word', 'two words', 5", "", "exec"))
    assert found.imported == {("a.b", ()), ("c", ("d",))}
    assert {"y", "z"} <= found.mentioned
    assert "y" in found.loaded
    assert "z" not in found.loaded
    assert names_of(compile("f('word', 'two words', 'a.b')", "", "eval")).words == {"word", "a.b"}
