"""Modules that come from the Origin."""

from __future__ import annotations

import importlib.resources
import pkgutil
import sys
from pathlib import Path

import pytest

from fedfutures.node import events as rules
from fedfutures.wire.messages import (
    Function,
    Want,
)
from fedfutures.wire.modules import Module, files_key_of, key_of, pack_files
from fedfutures.worker.importing import Beside, OriginFinder

from .benches import Bench, answers_of


def come(worker: Bench, key: bytes, said: str, body: bytes) -> None:
    """The Origin answers."""
    worker.node.driver.step(rules.Require(key))
    worker.say(Function(key, said, body))


def test_a_module_that_came_with_another_seal_is_refused(sealing: tuple[Bench, Bench]) -> None:
    worker, _ = sealing
    answers = answers_of(worker)
    body = Module(False, "/p/helper.py", b"x = 1").pack()
    seal = worker.node.payloads.seal
    come(worker, key_of("helper"), "helper", seal.stamp_of_module(key_of("helper")).seal(0, body))
    assert answers.module("helper").source == b"x = 1"
    for name, sealed in (("other", seal.stamp_of_module(key_of("helper")).seal(0, body)), ("bare", body)):
        come(worker, key_of(name), name, sealed)
        with pytest.raises(ModuleNotFoundError, match="altered on its way") as caught:
            answers.module(name)
        assert caught.value.name == name


def test_an_origin_that_does_not_answer_is_asked_again(worker: Bench) -> None:
    answers = answers_of(worker, seconds=0.0)
    finder = OriginFinder(answers)
    with pytest.raises(ModuleNotFoundError, match="the Origin did not answer within 0 s"):
        answers.module("helper")
    assert worker.heard(Want) == [Want(key_of("helper"))]
    assert finder.find_spec("helper", None) is None
    worker.say(Function(key_of("helper"), "helper", Module(True, "/p/helper/__init__.py", b"").pack()))
    found = finder.find_spec("helper", None)
    assert found is not None
    assert (found.origin, found.submodule_search_locations) == ("/p/helper/__init__.py", ["origin:/p/helper"])


@pytest.mark.parametrize("name", ["json.nothing", "email", "fedfutures.x", "__main__", "pytest.nothing"])
def test_what_cannot_be_at_the_origin_is_not_asked_for(worker: Bench, name: str) -> None:
    assert OriginFinder(answers_of(worker)).find_spec(name, None) is None
    assert worker.heard(Want) == []


def test_files_of_a_package_come_with_it(worker: Bench, tmp_path: Path) -> None:
    """For ``importlib.resources``, ``pkgutil`` and ``open`` by ``__file__``; what does not travel names its path."""
    finder = OriginFinder(answers_of(worker, str(tmp_path)))
    finder.install(["come_pack", "come_large"])
    text = Module(True, "/o/come_pack/__init__.py", b"X = 1", True).pack()
    come(worker, key_of("come_pack"), "", text)
    come(worker, files_key_of("come_pack"), "", pack_files({"__init__.py": b"", "sub/table.txt": b"42"}))
    come(worker, key_of("come_large"), "", text.replace(b"come_pack", b"come_larg"))
    come(worker, files_key_of("come_large"), "too many", b"")
    try:
        pack, large = map(importlib.import_module, ("come_pack", "come_large"))
        assert pack.__file__ == f"{tmp_path}/packages/come_pack/__init__.py"
        assert importlib.resources.files("come_pack").joinpath("sub/table.txt").read_text() == "42"
        assert pkgutil.get_data("come_pack", "sub/table.txt") == b"42"
        assert pack.__spec__.loader.get_code("come_pack").co_filename == "/o/come_pack/__init__.py"
        assert large.__file__ == "/o/come_larg/__init__.py"
        with pytest.raises(FileNotFoundError, match=r"/o/come_larg/big\.bin"):
            importlib.resources.files("come_large").joinpath("big.bin").read_bytes()
    finally:
        sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, (OriginFinder, Beside))]
        for name in ("come_pack", "come_large"):
            sys.modules.pop(name, None)
