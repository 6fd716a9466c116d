"""One module stands in for another."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.program import stand_ins


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "realpack").mkdir()
    (tmp_path / "realpack" / "__init__.py").write_text("from . import below\nclass Thing: pass\n")
    (tmp_path / "realpack" / "below.py").write_text("value = [1]\n")
    (tmp_path / "other.py").write_text("is_other = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(stand_ins, "_modules", {})
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_both_names_are_those_of_one_module() -> None:
    stand_ins.install([("foreign", "realpack")])
    stand_ins.install([("foreign", "realpack")])
    foreign = importlib.import_module("foreign")
    below = importlib.import_module("foreign.below")
    assert foreign is importlib.import_module("realpack")
    assert below is foreign.below is importlib.import_module("realpack.below")
    assert (foreign.__name__, foreign.__spec__.name, below.__spec__.name) == ("realpack", "realpack", "realpack.below")
    assert type(pickle.loads(pickle.dumps(foreign.Thing()))) is foreign.Thing
    assert stand_ins.installed() == [["foreign", "realpack"]]


def test_it_stands_before_a_module_of_that_name() -> None:
    stand_ins.install([("other", "realpack")])
    assert not hasattr(importlib.import_module("other"), "is_other")


def test_what_is_not_there_is_not_found() -> None:
    stand_ins.install([("foreign", "realpack")])
    with pytest.raises(ModuleNotFoundError, match=r"foreign\.nothing"):
        importlib.import_module("foreign.nothing")
    assert importlib.import_module("other").is_other


def test_nothing_is_installed_for_nothing() -> None:
    finders = list(sys.meta_path)
    stand_ins.install([])
    assert sys.meta_path == finders
    assert stand_ins.installed() == []
