"""Which modules are the program's, and what their names mean."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path

import pytest

from fedfutures.program import modules
from fedfutures.program.modules import (
    MISSING,
    canonical,
    describe,
    home_of,
    is_installed,
    is_program,
    lookup,
    namespace,
    program_modules,
)

from .programs import BESIDE, make


@pytest.fixture(autouse=True)
def no_other_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the globals that another one has run as the program."""
    monkeypatch.setattr(modules, "_main", None)


# -- which are the program's -----------------------------------------------------------------------------------------


def test_modules_that_are_not_the_programs() -> None:
    for name in (
        "json",
        "sys",
        "builtins",
        "os.path",
        "pytest",
        "_pytest.config",
        "fedfutures.futures",
        "no_such_module",
    ):
        assert not is_program(name), name


def test_modules_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("", monkeypatch)
    (tmp_path / "of_a_file.py").write_text("")
    (tmp_path / "of_no_file").mkdir()
    (tmp_path / "of_no_file" / "inner.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("of_a_file", "of_no_file", "of_no_file.inner")
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
        importlib.import_module(name)
    for name in (BESIDE, "__main__", "__mp_main__", *names, __name__):
        assert is_program(name), name


@pytest.mark.parametrize("name", ["json.ours", "fedfutures_launcher.ours", "pytest.ours"])
def test_what_is_in_a_package_of_others_is_not_the_programs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make("", monkeypatch, name)
    assert not is_program(name)


@pytest.mark.parametrize(
    ("file", "is_ours"),
    [
        ("/home/me/project/module.py", True),
        ("/home/me/project/module.so", False),
        ("/home/me/venv/lib/python3.11/site-packages/module.py", False),
        ("/usr/lib/python3/dist-packages/module.py", False),
        (json.__file__, False),
    ],
)
def test_the_file_tells(file: str, is_ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    module = make("", monkeypatch)
    module.__file__ = file
    module.__spec__ = importlib.util.spec_from_file_location(BESIDE, file)
    assert is_program(BESIDE) == is_ours


def test_what_is_no_module_is_not_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, BESIDE, types.SimpleNamespace(__dict__=5))
    monkeypatch.setitem(sys.modules, "none_at_all", None)
    assert not is_program("none_at_all")
    assert namespace("none_at_all") is None or not is_program("none_at_all")


def test_another_module_of_the_same_name_is_judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make("", monkeypatch)
    assert is_program(BESIDE)
    module = make("", monkeypatch)
    module.__file__ = json.__file__
    assert not is_program(BESIDE)


def test_what_is_installed(tmp_path: Path) -> None:
    assert is_installed(json.__file__)
    assert is_installed(pytest.__file__)
    assert not is_installed(str(tmp_path / "module.py"))
    link = tmp_path / "link.py"
    link.symlink_to(json.__file__)
    assert is_installed(str(link))


# -- names -----------------------------------------------------------------------------------------------------------


def test_names_of_the_programs_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    before = program_modules()
    assert "__main__" in before
    assert "json" not in before
    make("", monkeypatch)
    monkeypatch.setitem(sys.modules, "__mp_main__", sys.modules["__main__"])
    after = program_modules()
    assert after == sorted({*before, BESIDE})
    assert program_modules() is after


def test_as_many_modules_of_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    make("", monkeypatch)
    assert BESIDE in program_modules()
    monkeypatch.delitem(sys.modules, BESIDE)
    make("", monkeypatch, "settings")
    assert "settings" in program_modules()
    assert BESIDE not in program_modules()


def test_the_program_has_one_name() -> None:
    assert {canonical(name) for name in ("__main__", "__mp_main__")} == {"__main__"}
    assert canonical(BESIDE) == BESIDE


def test_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make("", monkeypatch)
    assert home_of(module.__dict__) == BESIDE
    assert home_of(dict(module.__dict__)) is None
    assert home_of({}) is None
    assert home_of({"__name__": 5}) is None
    assert home_of(vars(json)) == "json"
    main = make("", monkeypatch, "__mp_main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert home_of(main.__dict__) == "__main__"


def test_a_program_that_a_profiler_runs_in_globals_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    make("X = 'the profiler itself'", monkeypatch, "__main__")
    names: dict[str, object] = {"__name__": "__main__", "X": 5}
    exec("", names)
    assert home_of(names) is None  # of no file: exec with any globals
    names["__file__"] = "program.py"
    assert home_of(names) == "__main__"
    assert namespace("__main__") is names is namespace("__mp_main__")
    assert lookup(("__main__", "X")) == 5
    assert home_of(dict(names)) is None  # the first one counts


def test_looking_up(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make(
        "class Base: level = 1\nclass Thing(Base):\n    own = 2\n    class Inner: deep = 3\n"
        "    @staticmethod\n    def static(): pass\nTHING = Thing()\nTHING.own = 4\nNONE = None",
        monkeypatch,
    )

    def found(name: str, module: str = BESIDE) -> object:
        return lookup((module, name))

    assert found("THING") is module.THING
    assert found("NONE") is None
    assert (found("Thing.own"), found("Thing.Inner.deep")) == (2, 3)
    assert isinstance(found("Thing.static"), staticmethod)
    for name in ("no", "Thing.no", "Thing.level", "THING.own", "no.no", "Thing.own.no", "f.<locals>.g", ""):
        assert found(name) is MISSING, name
    assert found("X", "no_such_module") is MISSING


def test_for_people() -> None:
    assert describe(("__main__", "Model.level")) == "Model.level"
    assert describe((BESIDE, "Model.level")) == "beside.Model.level"
    assert repr(MISSING) == "MISSING"
