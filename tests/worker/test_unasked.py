"""Errors that nobody asks for are counted by function and error, and said once."""

from __future__ import annotations

import gc

import pytest

from fedfutures.worker import unasked
from fedfutures.worker.unasked import KINDS_KEPT, KINDS_SAID, TEXT_AT_MOST, Failures


class Node:
    """What failures are kept for."""


class Asker:
    """A Future, or what reads a map."""


HEAD = "fedfutures: these errors were raised, and nobody asked for them by result() or exception():"


def said(node: Node, capsys: pytest.CaptureFixture[str], *, ends: bool = False) -> list[str]:
    unasked.say(node, ends=ends)
    lines = capsys.readouterr().err.splitlines()
    assert not lines or lines.pop(0) == HEAD
    return lines


def test_an_error_is_said_once_when_nobody_can_ask_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    node, what = Node(), Asker()
    unasked.keep(what, node, "work", ValueError("no"))
    assert said(node, capsys) == []  # somebody may still ask
    del what
    gc.collect()
    assert said(node, capsys) == ["  work: ValueError: no"]
    assert said(node, capsys) == []


def test_an_error_that_was_seen_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    node, what, other = Node(), Asker(), Asker()
    unasked.keep(what, node, "work", ValueError("no"))
    unasked.keep(other, node, "other", KeyError(1))
    unasked.seen(what, node)
    del what, other
    gc.collect()
    assert said(node, capsys) == ["  other: KeyError: 1"]


def test_at_the_end_all_is_said_and_what_goes_later_is_not_counted_again(capsys: pytest.CaptureFixture[str]) -> None:
    node, what = Node(), Asker()
    unasked.keep(what, node, "work", ValueError())
    assert said(node, capsys, ends=True) == ["  work: ValueError"]
    del what
    gc.collect()
    assert said(node, capsys, ends=True) == []


def test_nodes_do_not_say_each_others_errors_nor_any_once_silenced(capsys: pytest.CaptureFixture[str]) -> None:
    node, other = Node(), Node()
    unasked.note(node, "work", ValueError("no"))
    assert said(other, capsys) == []
    unasked.silence(node)
    unasked.note(node, "late", ValueError("closed"))
    what = Asker()
    unasked.keep(what, node, "later", ValueError("closed"))
    assert said(node, capsys, ends=True) == ["  work: ValueError: no"]


def test_the_same_error_of_a_function_is_one_line_with_its_count() -> None:
    failures = Failures()
    for _ in range(1200):
        failures.count("work", "ValueError: no")
    failures.count("work", "ValueError: yes")
    assert failures.lines() == ["  work: ValueError: no (1,200 times)", "  work: ValueError: yes"]
    assert failures.lines() == []


def test_what_is_beyond_the_kinds_that_are_said_or_kept_is_counted_together() -> None:
    failures = Failures()
    for number in range(KINDS_KEPT + 20):
        failures.count("work", f"Error: {number}")
    failures.count("work", "Error: 0")
    lines = failures.lines()
    assert lines[0] == "  work: Error: 0 (2 times)"
    assert len(lines) == KINDS_SAID + 1
    assert lines[-1] == f"  and {KINDS_KEPT + 20 - KINDS_SAID} more"
    assert len(failures.kinds) == 0


def test_a_text_is_one_line_of_bounded_length_also_of_an_error_that_has_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise TypeError

    node = Node()
    unasked.note(node, "work", ValueError("a\n  b " + "c" * 500))
    unasked.note(node, "work", Mute())
    long, mute = said(node, capsys)
    assert long.startswith("  work: ValueError: a b ccc")
    assert len(long) == len("  work: ") + TEXT_AT_MOST
    assert long.endswith("…")
    assert mute == "  work: Mute"


def test_a_bystander_sees_no_error() -> None:
    assert unasked.sees(print)
    unasked.bystanders.add(print)
    try:
        assert not unasked.sees(print)
    finally:
        unasked.bystanders.discard(print)
