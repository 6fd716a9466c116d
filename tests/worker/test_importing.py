"""Modules that come from the Origin."""

from __future__ import annotations

import pytest

from fedfutures.node import events as rules
from fedfutures.wire.messages import (
    Function,
    Want,
)
from fedfutures.wire.modules import Module, key_of
from fedfutures.worker.importing import OriginFinder

from .benches import Bench, answers_of


def come(worker: Bench, name: str, said: str, body: bytes) -> None:
    """The Origin answers."""
    worker.node.driver.step(rules.Require(key_of(name)))
    worker.say(Function(key_of(name), said, body))


def test_a_module_that_came_with_another_seal_is_refused(sealing: tuple[Bench, Bench]) -> None:
    worker, _ = sealing
    answers = answers_of(worker)
    body = Module(False, "/p/helper.py", b"x = 1").pack()
    seal = worker.node.payloads.seal
    come(worker, "helper", "helper", seal.stamp_of_module(key_of("helper")).seal(0, body))
    assert answers.module("helper").source == b"x = 1"
    for name, sealed in (("other", seal.stamp_of_module(key_of("helper")).seal(0, body)), ("bare", body)):
        come(worker, name, name, sealed)
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
