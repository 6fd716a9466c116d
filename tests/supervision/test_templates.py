"""From what Workers are forked: no event holds a Worker up for ever, and each is forked once."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from fedfutures.supervision.actions import Start
from fedfutures.supervision.templates import (
    IMPORT_SECONDS,
    PAUSE_SECONDS,
    STARTS_AT_MOST,
    ForkFromTemplate,
    ForkHere,
    KillTemplate,
    Remark,
    StartTemplate,
    TemplateAction,
    TemplateMachine,
)

ONE, TWO = Start(0, "h.1"), Start(1, "h.2")


def importing() -> TemplateMachine:
    machine = TemplateMachine("h", is_wanted=True)
    assert machine.begin(0.0) == [StartTemplate()]
    return machine


def kinds(actions: list[TemplateAction]) -> list[type[TemplateAction]]:
    return [type(action) for action in actions]


def test_where_none_is_wanted_workers_are_forked_from_the_host_process() -> None:
    machine = TemplateMachine("h")
    assert machine.begin(0.0) == []
    assert machine.start_worker(ONE) == [ForkHere(ONE)]
    assert machine.next_deadline() is None


def test_the_first_workers_wait_for_the_import() -> None:
    machine = importing()
    assert machine.start_worker(ONE) == machine.start_worker(TWO) == []
    assert machine.on_ready() == [ForkFromTemplate(ONE), ForkFromTemplate(TWO)]
    assert machine.next_deadline() is None
    assert machine.start_worker(ONE) == [ForkFromTemplate(ONE)]


def test_they_do_not_wait_for_ever() -> None:
    machine = importing()
    machine.start_worker(ONE)
    assert machine.next_deadline() == IMPORT_SECONDS
    assert machine.tick(IMPORT_SECONDS - 0.1) == []
    actions = machine.tick(IMPORT_SECONDS)
    assert kinds(actions) == [KillTemplate, Remark, ForkHere]
    assert machine.on_ended("signal SIGKILL", 31.0) == []
    assert machine.next_deadline() is None


def test_one_that_is_not_safe_is_the_last() -> None:
    machine = importing()
    machine.start_worker(ONE)
    actions = machine.on_unsafe("it has 2 threads")
    assert kinds(actions) == [KillTemplate, Remark, ForkHere]
    assert "it has 2 threads" in actions[1].text  # type: ignore[union-attr]
    assert machine.start_worker(TWO) == [ForkHere(TWO)]
    assert machine.on_ended("exit code 0", 1.0) == []
    assert machine.on_ready() == []


def test_one_that_is_killed_is_replaced_and_nobody_waits_for_the_next() -> None:
    machine = importing()
    machine.on_ready()
    now = 5.0
    for start in range(1, STARTS_AT_MOST):
        assert kinds(machine.on_ended("signal SIGKILL", now)) == [Remark]
        assert machine.start_worker(ONE) == [ForkHere(ONE)]
        assert machine.next_deadline() == now + PAUSE_SECONDS
        now += PAUSE_SECONDS
        assert machine.tick(now) == [StartTemplate()]
        assert machine.starts == start + 1
        assert machine.start_worker(ONE) == [ForkHere(ONE)]
        assert machine.on_ready() == []
        assert machine.start_worker(ONE) == [ForkFromTemplate(ONE)]
    assert kinds(machine.on_ended("signal SIGKILL", now)) == [Remark]
    assert machine.next_deadline() is None
    assert machine.start_worker(ONE) == [ForkHere(ONE)]


def test_one_that_is_stopped_or_silent_is_killed() -> None:
    machine = importing()
    machine.start_worker(ONE)
    assert machine.on_stopped() == [KillTemplate(), ForkHere(ONE)]
    assert machine.on_stopped() == []
    assert machine.on_ended("signal SIGKILL", 1.0)
    machine.tick(1.0 + PAUSE_SECONDS)
    machine.on_ready()
    assert machine.on_silent(TWO) == [KillTemplate(), ForkHere(TWO)]
    assert machine.start_worker(ONE) == [ForkHere(ONE)]


def test_one_that_cannot_be_forked_holds_nobody_up() -> None:
    machine = importing()
    machine.start_worker(ONE)
    assert kinds(machine.on_not_started("no processes left")) == [Remark, ForkHere]


EVENTS = ("ready", "unsafe", "stopped", "ended", "tick", "worker")


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0.0, 40.0)), max_size=40))
def test_whatever_happens_each_worker_is_forked_once_and_soon(events: list[tuple[str, float]]) -> None:
    machine, now, number = TemplateMachine("h", is_wanted=True), 0.0, 0
    asked: dict[str, float] = {}
    forked: list[str] = []
    actions = machine.begin(now)
    for event, seconds in [*events, ("tick", IMPORT_SECONDS)]:
        now += seconds
        if (due := machine.next_deadline()) is not None and due <= now:
            actions += machine.tick(due)
        if event == "worker":
            number += 1
            asked[f"h.{number}"] = now
            actions += machine.start_worker(Start(number, f"h.{number}"))
        actions += {
            "ready": machine.on_ready, "unsafe": lambda: machine.on_unsafe("why"), "stopped": machine.on_stopped,
            "ended": lambda now=now: machine.on_ended("how", now), "tick": lambda now=now: machine.tick(now),
        }.get(event, list)()  # fmt: skip
        machine.check()
        forked += [action.start.name for action in actions if isinstance(action, (ForkHere, ForkFromTemplate))]
        assert all(name in forked or now - at < IMPORT_SECONDS for name, at in asked.items())
        actions = []
    assert sorted(forked) == sorted(asked)
