"""Who may say what, and what becomes of a Broker whose neighbour says anything at all."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from effort import scaled

from fedfutures.broker import machine, roles
from fedfutures.errors import MalformedMessage
from fedfutures.federation.events import Arrived, Tick
from fedfutures.wire import codec, messages
from fedfutures.wire.messages import (
    PROTOCOL,
    UNSEQUENCED,
    Bye,
    Demand,
    Function,
    Hello,
    Message,
    Ping,
    Results,
    Return,
    State,
    Welcome,
)

from .bench import Bench, results

TIMES_LIARS = scaled(150)
LIES = 25


def test_every_message_has_somebody_who_may_say_it() -> None:
    said = frozenset().union(*roles.ALLOWED.values())
    to_workers = {messages.Lend, messages.TakeBack}
    assert said | to_workers == frozenset(messages.CODES.values())
    assert frozenset(machine.HANDLERS) <= said


@pytest.mark.parametrize("role", roles.ALLOWED)
def test_all_introduce_themselves_and_acknowledge(role: str) -> None:
    assert {Hello, messages.Ack, messages.Demand} <= roles.ALLOWED[role]


def test_who_is_no_worker_gives_no_results(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.submit(ids=[1])
    assert bench.given_to("w") == [[1]]
    for message in (results(1, [1]), Return(1, [1])):
        bench.say("o", message)
    assert bench.broker.statistics()["violations"] == 2
    assert bench.heard_by("o", Results) == []
    bench.say("w", results(1, [1]))
    assert [message.ids for message in bench.heard_by("o", Results)] == [[1]]


def test_what_only_brokers_say_is_nothing_from_others(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.say("w", messages.Drop(["x"]), messages.Fetched("x", 1))
    assert bench.broker.statistics()["violations"] == 2


def test_a_broker_does_not_leave_as_workers_do(bench: Bench) -> None:
    bench.neighbour("n")
    bench.say("n", Bye("gone"))
    assert bench.broker.statistics()["neighbours"] == 1


@pytest.mark.parametrize(("first", "then"), [("worker", "broker"), ("broker", "worker"), ("origin", "broker")])
@pytest.mark.parametrize("incarnation", [1, 2])
def test_nobody_changes_its_role(bench: Bench, first: str, then: str, incarnation: int) -> None:
    bench.say("p", Hello(PROTOCOL, first, "p", 1, 0))
    assert len(bench.heard_by("p", Welcome)) == 1
    bench.say("p", Hello(PROTOCOL, then, "p", incarnation, 0))
    assert bench.heard_by("p", Welcome) == []
    assert bench.broker.peers["p"].role == first


def test_a_role_that_there_is_not_is_refused(bench: Bench) -> None:
    bench.say("p", Hello(PROTOCOL, "admin", "p", 1, 0))
    assert bench.heard_by("p", Welcome) == []
    assert "p" not in bench.broker.peers


def test_from_far_come_only_brokers_under_their_own_names() -> None:
    assert roles.may_come_from_far("n", Hello(PROTOCOL, "broker", "n", 1, 0))
    assert not roles.may_come_from_far("n", Hello(PROTOCOL, "broker", "m", 1, 0))
    assert not roles.may_come_from_far("n", Hello(PROTOCOL, "origin", "n", 1, 0))
    assert roles.may_come_from_far("n", Ping(1))
    assert not roles.may_come_from_far("n", Bye("x"))


# -- liars -------------------------------------------------------------------------------------------------------------

INTEGERS = [0, 1, 1, 2, 3, 5, 7, 8, 1 << 20, (1 << 63) - 1]
TEXTS = ["", "o", "liar", "w", "x", "f", "statistics", "explain", "file-x", "../x", "h2.broker"]
BODIES = [b"", b"f", b"g", b"\x00x", b"\x01\x93\xc4\x01x\x91\xa1s\xc3", b"\x01\xc1"]


def anything(dice: random.Random, kind: type[Any]) -> Any:
    """A message with fields of the right types and nothing else right."""
    ids = dice.sample(range(1, 8), dice.randrange(4))
    drawn = {
        "int": lambda: dice.choice(INTEGERS),
        "Signed": lambda: dice.choice(INTEGERS) * dice.choice([1, -1]),
        "str": lambda: dice.choice(TEXTS),
        "bool": lambda: dice.random() < 0.5,
        "float": lambda: dice.choice([0.0, 1e-3, 1.0, 1e300]),
        "bytes": lambda: dice.choice(BODIES),
        "list[int]": lambda: ids,
        "list[str]": lambda: [dice.choice(TEXTS) for _ in ids],
        "list[bytes]": lambda: [dice.choice(BODIES) for _ in ids],
        "list[tuple[int, int]]": lambda: [(number, dice.randrange(6)) for number in ids],
    }
    return kind(**{field.name: drawn[str(field.type)]() for field in dataclasses.fields(kind)})


def lie(dice: random.Random, name: str) -> Message:
    message: Any = anything(dice, dice.choice([kind for kind in messages.CODES.values() if kind is not Bye]))
    if type(message) is Hello:
        message.role, message.name, message.protocol = "broker", name, PROTOCOL
    if type(message) is State:
        message.incarnation = 1
    return message  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["liar", "h2.broker"])
def test_a_neighbour_that_says_anything_at_all_fells_nobody(name: str) -> None:
    for seed in range(TIMES_LIARS):
        dice, bench = random.Random(seed), Bench()
        bench.join("o", "origin")
        bench.say("o", Function(b"f", "f", b"body"))
        bench.join("w", demand=2)
        bench.broker.durations.learn(b"f", 1e-3, 1)
        bench.neighbour(name, Demand(3, 3, 3))
        bench.submit(ids=[1, 2, 3, 4, 5], piece=8)
        bench.tick()
        for _ in range(LIES):
            hear(bench, name, lie(dice, name), dice)


def hear(bench: Bench, name: str, message: Message, dice: random.Random) -> None:
    """As the bench does, but that books which a liar has spoiled need not balance."""
    sequence = 0
    if type(message) not in UNSEQUENCED:
        sequence = bench.said[name] = bench.said.get(name, 0) + 1
    try:
        _, _, message = codec.decode(codec.encode(message))
    except MalformedMessage:
        return
    bench.now += dice.random() / 2
    for event in (Arrived(name, sequence, bench.heard.get(name, 0), message), Tick()):
        for action in bench.broker.step(event, bench.now):
            answer = getattr(action, "message", None)
            if answer is None:
                continue
            if action.peer != name:
                codec.decode(codec.encode(answer, action.sequence, action.acknowledged))
            elif type(answer) is Welcome:
                bench.begin(name, answer.session)
            bench.heard[action.peer] = max(bench.heard.get(action.peer, 0), action.sequence)
    bench.broker.next_deadline()
