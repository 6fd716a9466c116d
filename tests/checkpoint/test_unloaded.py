"""Modules that a function imports when it runs: their texts count."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fedfutures.checkpoint.digests import function_digest
from fedfutures.checkpoint.unloaded import texts_for, texts_of


def work() -> object:
    import unloaded_package.inner as inner  # type: ignore[import-not-found]
    import unloaded_tool  # type: ignore[import-not-found]

    return inner, unloaded_tool


def plain() -> object:
    import json
    import mailbox  # of the standard library, and mostly not loaded

    return json, mailbox


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "unloaded_package").mkdir()
    for name, text in {
        "unloaded_tool.py": "from unloaded_package import other",
        "unloaded_package/__init__.py": "",
        "unloaded_package/inner.py": "from . import sibling\nfrom .third import thing",
        "unloaded_package/other.py": "VALUE = 1",
        "unloaded_package/sibling.py": "",
        "unloaded_package/third.py": "thing = 1",
        "unloaded_package/unused.py": "",
        "unloaded_broken.py": "def",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_a_function_imports_counts_with_what_that_imports(modules: Path) -> None:
    inside = {f"unloaded_package.{name}" for name in ("inner", "other", "sibling", "third")}
    assert texts_for(work).keys() == {"unloaded_tool", "unloaded_package", *inside}  # type: ignore[arg-type]
    before = function_digest(work)
    (modules / "unloaded_package" / "unused.py").write_text("changed = 1")
    assert function_digest(work) == before
    (modules / "unloaded_package" / "third.py").write_text("thing = 2")
    assert function_digest(work) != before


def test_installed_modules_and_loaded_ones_do_not_count(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert texts_for(plain) == {}  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "unloaded_tool", sys)
    assert texts_of({"unloaded_tool", "no_such_module"}) == {}
    assert texts_of({"unloaded_broken"}).keys() == {"unloaded_broken"}
    assert not [name for name in sys.modules if name.startswith("unloaded_package")]
