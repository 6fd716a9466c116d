"""Modules on their way: asked for towards the Origin, handed on once, taken from nobody else."""

from __future__ import annotations

from fedfutures.wire.messages import Function, Want

from .bench import Bench

KEY = b"import helper"
TEXT = Function(KEY, "helper", b"text")
NONE = Function(KEY, "nobody has it", b"")


def test_an_origin_here_is_asked_once_and_all_who_want_it_are_told(bench: Bench) -> None:
    for name in ("v", "w"):
        bench.join(name)
        bench.say(name, Want(KEY))
    assert bench.heard_by("o", Want) == [Want(KEY)]
    bench.say("o", TEXT)
    assert bench.heard_by("v", Function) == bench.heard_by("w", Function) == [TEXT]
    bench.join("x")
    bench.say("x", Want(KEY))
    assert bench.heard_by("x", Function) == [TEXT]
    assert bench.heard_by("o", Want) == []


def test_without_one_the_neighbour_that_dials_is_asked() -> None:
    bench = Bench()
    bench.neighbour("below", dialled=True)
    bench.neighbour("above")
    bench.join("w")
    bench.say("w", Want(KEY))
    assert (bench.heard_by("below", Want), bench.heard_by("above", Want)) == ([], [Want(KEY)])
    bench.say("above", TEXT)
    assert bench.heard_by("w", Function) == [TEXT]


def test_a_neighbour_is_told_as_others_are(bench: Bench) -> None:
    bench.neighbour("below", dialled=True)
    bench.say("below", Want(KEY))
    bench.say("o", TEXT)
    assert bench.heard_by("below", Function) == [TEXT]


def test_whoever_comes_later_is_asked() -> None:
    bench = Bench()
    bench.join("w")
    bench.say("w", Want(KEY), Want(b"a function"))
    bench.neighbour("below", dialled=True)
    assert bench.heard_by("below", Want) == []
    bench.neighbour("above")
    assert bench.heard_by("above", Want) == [Want(KEY)]
    bench.join("o", "origin")
    assert bench.heard_by("o", Want) == [Want(KEY)]


def test_in_a_new_session_it_is_asked_again() -> None:
    bench = Bench()
    bench.neighbour("below", dialled=True)
    bench.neighbour("above", incarnation=3)
    bench.join("w")
    bench.say("w", Want(KEY))
    assert bench.heard_by("above", Want) == [Want(KEY)]
    bench.neighbour("above", incarnation=4)
    assert bench.heard_by("above", Want) == [Want(KEY)]
    assert bench.heard_by("below", Want) == []


def test_that_there_is_none_is_passed_on_and_not_kept(bench: Bench) -> None:
    bench.join("w")
    for _ in range(2):
        bench.say("w", Want(KEY))
        assert bench.heard_by("o", Want) == [Want(KEY)]
        bench.say("o", NONE)
        assert bench.heard_by("w", Function) == [NONE]


def test_modules_are_taken_from_towards_the_origin_only(bench: Bench) -> None:
    bench.neighbour("below", dialled=True)
    for name in ("v", "w"):
        bench.join(name)
    bench.say("w", Want(KEY))
    for name in ("below", "v"):
        for function in (TEXT, NONE):
            before = bench.broker.sessions.violations
            bench.say(name, function)
            assert bench.broker.sessions.violations == before + 1
    assert bench.heard_by("w", Function) == []
    bench.say("o", TEXT)
    assert bench.heard_by("w", Function) == [TEXT]
