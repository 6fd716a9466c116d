"""Origin and Worker without processes: their sockets are lists, and the test plays the Broker."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest

from fedfutures import shared
from fedfutures.errors import FederationLost, SealBroken
from fedfutures.federation.channel import Channel
from fedfutures.program.namespaces import Namespaces
from fedfutures.program.process import ProcessChanges
from fedfutures.program.snapshots import asked_for
from fedfutures.wire import codec
from fedfutures.wire.failures import load_failure
from fedfutures.wire.messages import (
    CANCELLED,
    ERROR,
    PROTOCOL,
    Answer,
    Batch,
    Cancel,
    Demand,
    Function,
    Hello,
    Inquire,
    Results,
    Running,
    State,
    Stranger,
    Want,
    Welcome,
)
from fedfutures.wire.modules import Module, key_of
from fedfutures.wire.payload import Payloads
from fedfutures.wire.seal import Seal
from fedfutures.worker import driver, execution, machine, worker_node
from fedfutures.worker import events as rules
from fedfutures.worker.execution import Worker
from fedfutures.worker.importing import Answers, OriginFinder
from fedfutures.worker.origin import Origin


class Wire:
    """A socket whose other end is the test."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.fd, self._other = os.pipe()
        self.inbox: deque[bytes] = deque()
        self.sent: list[bytes] = []

    def receive(self) -> bytes | None:
        return self.inbox.popleft() if self.inbox else None

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._other)


class Bench:
    """A node, and the Broker at the other end of its sockets."""

    def __init__(self, made: Any) -> None:
        self.node = made
        self.main = getattr(made, "driver", made).main
        self.link(5)

    def link(self, session: int) -> None:
        self.channel = Channel(session)
        hello = self.node.machine._hello
        self.say(Welcome(PROTOCOL, "b", session, self.node.size, session, hello.boot + hello.round))
        self.heard()

    def say(self, *said: Any) -> None:
        for message in said:
            self.main.inbox.append(codec.encode(message, *self.channel.number(message, 0.0)))
        self.node.service()

    def publish(self, number: int, hunger: int) -> None:
        self.node.meta.inbox.append(codec.encode(State(5, number, hunger, 0, 3), 0, 0))
        self.node.service()

    def heard(self, *kinds: type) -> list[Any]:
        """What the node has said since the last time; of some kinds, or all."""
        frames, self.main.sent = self.main.sent, []
        found = []
        for frame in frames:
            for sequence, acknowledged, message in codec.decode_all(frame):
                if self.channel.accept(sequence, acknowledged, 0.0):
                    found.append(message)
        return [message for message in found if not kinds or type(message) in kinds]

    def give(self, function: Any, payloads: list[bytes], piece: int, **more: Any) -> None:
        digest, name, body, _ = self.node.functions.define(function)
        ids = list(range(1, len(payloads) + 1))
        self.say(
            Function(digest, name, body),
            Batch(piece, "origin-2", digest, 1, 0, 0, False, ids, payloads, **more),
        )

    def give_noted(self, piece: int, *names: str, **more: Any) -> None:
        payloads = [self.node.payloads.dump(((name,), {})) for name in names]
        self.give(note, payloads, piece, root="origin-1", **more)

    def run(self) -> list[str]:
        """Let the Worker run all it has; return what was noted, in order."""
        noted.clear()
        self.node._rest = lambda: setattr(self.node, "stopping", True)
        self.node.run()
        self.node.stopping = False
        return list(noted)


noted: list[str] = []
here: list[Any] = []


def note(name: str) -> str:
    noted.append(name)
    return name


def note_other(name: str) -> str:
    return note(name)


@pytest.fixture(autouse=True)
def _wires(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (driver, worker_node):
        monkeypatch.setattr(module, "MainDealer", Wire)
        monkeypatch.setattr(module, "MetaSubscriber", Wire)


@pytest.fixture
def origin() -> Iterator[Bench]:
    made = Origin(None, {"main": "", "meta": ""}, Payloads(), 3, ProcessChanges())
    yield Bench(made)
    made.close()


@pytest.fixture
def worker() -> Iterator[Bench]:
    control, other = os.pipe()
    made = Worker(None, {"main": "", "meta": ""}, "w", "worker", Payloads(), cells=[0] * 4, control=control)
    made.size = 3
    made.pump_at = float("inf")  # the sockets are used when a test says so
    here[:] = [made]
    yield Bench(made)
    made.close()
    os.close(control)
    os.close(other)


def batches(bench: Bench) -> list[tuple[int, list[int]]]:
    return [(batch.priority, batch.ids) for batch in bench.heard(Batch)]


# -- what the Origin gives -------------------------------------------------------------------------------------------


def test_higher_priorities_are_given_first(origin: Bench) -> None:
    for priority in (0, -1, 0, 0, -1):
        origin.node.submit(note, ("",), {}, priority)
    assert batches(origin) == []
    origin.say(Demand(4, 1, 3))
    assert batches(origin) == [(0, [1, 3, 4]), (-1, [2])]
    origin.say(Demand(9, 1, 3))
    assert batches(origin) == [(-1, [5])]


def test_priorities_above_0_do_not_wait_for_demand(origin: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "URGENT_AT_MOST", 3)
    origin.node.submit(note, ("",), {})
    for priority in (1, 2, 2, 1):
        origin.node.submit(note, ("",), {}, priority)
    origin.node.service()
    assert batches(origin) == [(1, [2]), (2, [3]), (2, [4])]
    assert [future._priority for future in origin.node.own] == [1, 0]


def test_those_of_priority_0_do_not_go_with_the_urgent_ones(origin: Bench) -> None:
    origin.say(Demand(1, 1, 3))
    origin.node.submit(note, ("",), {}, 1)
    assert batches(origin) == [(1, [1])]
    origin.node.submit(note, ("",), {})
    origin.node.service()
    assert batches(origin) == []


def test_a_submitter_has_a_priority(origin: Bench) -> None:
    submit = origin.node.submitter(note, 2)
    submit(("",))
    origin.node.send()
    assert batches(origin) == [(2, [1])]


# -- what a Worker gives ---------------------------------------------------------------------------------------------


def submit_two(name: str) -> None:
    for number in range(2):
        here[0].submit(note_other, (f"{name}{number}",), {})


def test_a_batch_is_of_one_root(worker: Bench) -> None:
    for piece, root in ((1, "origin-1"), (2, "origin-2"), (3, "origin-2")):
        worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], piece, root=root)
        worker.node._run_fetched(worker.node.workload.queue[0])
    worker.heard()
    worker.publish(1, hunger=9)
    assert [(batch.root, batch.ids) for batch in worker.heard(Batch)] == [
        ("origin-1", [1, 2]),
        ("origin-2", [3, 4, 5, 6]),
    ]


def test_nested_ones_have_priority_and_root_of_the_future_that_runs(worker: Bench) -> None:
    worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], 1, root="origin-1", priority=7)
    worker.node._run_fetched(worker.node.workload.queue[0])
    worker.heard()
    worker.publish(1, hunger=9)
    assert [(batch.root, batch.priority) for batch in worker.heard(Batch)] == [("origin-1", 7)]


def test_a_worker_keeps_most_urgent_ones(worker: Bench) -> None:
    for _ in range(20):
        worker.node.submit(note, ("",), {}, 1)
    worker.node.service()
    given = batches(worker)
    assert given == [(1, list(range(1, 1 + execution.URGENT_PER_WORKER * 2)))]
    worker.node.size = 1
    worker.say(Results(1, 1, [1], [worker.node.payloads.dump("")]))
    assert batches(worker) == []


# -- what a Worker runs next -----------------------------------------------------------------------------------------


def test_fetched_pieces_by_priority(worker: Bench) -> None:
    worker.give_noted(1, "low", "low 2", priority=-1)
    worker.give_noted(2, "first")
    worker.give_noted(3, "urgent", priority=3)
    worker.give_noted(4, "second")
    worker.give_noted(5, "as urgent", priority=3)
    assert worker.run() == ["urgent", "as urgent", "first", "second", "low", "low 2"]


def test_own_ones_the_youngest_of_the_highest_level_first(worker: Bench) -> None:
    for name, priority in (("a", 0), ("b", 1), ("c", -1), ("d", 1), ("e", None), ("f", -1)):
        worker.node.submit(note, (name,), {}, priority)
    assert worker.run() == ["d", "b", "e", "a", "f", "c"]


def test_own_ones_before_fetched_ones_of_the_same_priority(worker: Bench) -> None:
    worker.node.size = 1
    for name, priority in (("own 1", 1), ("own 0", 0), ("own -1", -1)):
        worker.node.submit(note, (name,), {}, priority)
    worker.give_noted(1, "fetched 0")
    worker.give_noted(2, "fetched 1", priority=1)
    worker.give_noted(3, "fetched 2", priority=2)
    assert worker.run() == ["fetched 2", "own 1", "fetched 1", "own 0", "fetched 0", "own -1"]


def nested(name: str) -> None:
    inner = here[0].submit(note_other, (f"{name} inherits",), {})
    here[0].submit(note_other, (f"{name} says 9",), {}, 9)
    noted.append(name)
    inner.result()


def test_inherited_and_said_priorities(worker: Bench) -> None:
    worker.give(nested, [worker.node.payloads.dump((("outer",), {}))], 1, priority=5)
    worker.give_noted(2, "six", priority=6)
    worker.node._run_fetched(worker.node.workload.queue[-1])
    assert noted[-2:] == ["outer", "outer inherits"]
    assert worker.run() == ["outer says 9", "six"]


def test_what_runs_on_a_foreign_thread_inherits_as_well(worker: Bench) -> None:
    future = worker.node.submit(nested, ("outer",), {}, 4)
    noted.clear()
    thread = threading.Thread(target=future.result)
    thread.start()
    thread.join()
    assert noted == ["outer", "outer inherits"]
    assert [(other._call[-1].priority) for other in worker.node.own if other._call] == [9]


# -- taken back ------------------------------------------------------------------------------------------------------


def test_reclaimed_ones_are_the_first_to_be_given_again(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(3)]
    futures += [origin.node.submit(note, ("",), {}, 1)]
    origin.say(Running(1, [1]))
    origin.heard()
    futures += [origin.node.submit(note, ("",), {}) for _ in range(2)]
    assert futures[0].running()
    origin.say(Stranger())
    origin.link(6)
    assert not futures[0].running()
    assert [future._number for future in origin.node.own] == [1, 2, 3, 5, 6]  # 4 is urgent
    origin.say(Demand(9, 1, 3))
    assert [number for batch in origin.heard(Batch) for number in batch.ids] == [1, 2, 3, 5, 6]


def test_reclaimed_ones_may_run_on_their_worker(worker: Bench) -> None:
    first, second = (worker.node.submit(note, (name,), {}, 1) for name in "ab")
    worker.node.service()
    assert batches(worker) == [(1, [1, 2])]
    worker.node.size = 1
    worker.say(Stranger())
    worker.link(6)
    assert [future.running() for future in (first, second)] == [False, False]
    assert worker.run() == ["b", "a"]
    assert first.result() == "a"
    assert worker.node.futures == {}


def test_reclaimed_ones_are_given_as_they_were(worker: Bench) -> None:
    worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], 1, root="origin-1", priority=-2)
    worker.node._run_fetched(worker.node.workload.queue[0])
    worker.heard()
    worker.publish(1, hunger=2)
    before = worker.heard(Batch)
    worker.say(Stranger())
    worker.link(6)
    worker.node.meta.inbox.append(codec.encode(State(6, 1, 2, 0, 3), 0, 0))
    worker.node.service()
    after = worker.heard(Batch)
    assert [(batch.ids, batch.payloads, batch.root, batch.priority) for batch in after] == [
        (batch.ids, batch.payloads, batch.root, batch.priority) for batch in before
    ]


def test_a_reclaimed_one_that_was_cancelled_meanwhile_stays_so(origin: Bench) -> None:
    origin.say(Demand(1, 1, 3))
    future = origin.node.submit(note, ("",), {})
    origin.say(Stranger())
    origin.link(6)
    assert future.cancel()
    origin.heard()
    origin.say(Demand(5, 1, 3))
    assert not origin.node.own
    assert origin.heard(Batch) == []


def test_a_node_is_told_that_its_broker_was_started_again(origin: Bench) -> None:
    origin.node.rejoin()
    frames = [message for frame in origin.main.sent for *_, message in codec.decode_all(frame)]
    assert [type(message) for message in frames] == [Hello]
    origin.node.close()
    origin.node.rejoin()


# -- cancelling many -------------------------------------------------------------------------------------------------


def test_many_are_cancelled_with_one_question(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(5)]
    origin.say(Running(1, [1]))
    origin.heard()
    threading.Timer(0.05, lambda: origin.say(Results(2, 1, [2], [b""], [(2, CANCELLED)]), Running(3, [3]))).start()
    assert origin.node.cancel_all(futures) == 3
    assert [(cancel.piece, cancel.ids) for cancel in origin.heard(Cancel)] == [(2, [2]), (3, [3])]
    assert [future.cancelled() for future in futures] == [False, True, False, True, True]
    assert origin.node.cancel_all(futures) == 0


# -- what Futures name -----------------------------------------------------------------------------------------------


def scopes(depth: int) -> list[int]:
    mine = here[0].scope()
    assert here[0].scope() is mine
    mine["depth"] = depth
    inner = here[0].submit(scopes, (depth - 1,), {}).result() if depth else []
    assert here[0].scope() == {"depth": depth}
    return [depth, *inner]


@pytest.mark.parametrize("depth", [0, 3, execution.INLINE_DEPTH + 3])
def test_a_future_has_names_of_its_own_until_it_ends(worker: Bench, depth: int) -> None:
    future = worker.node.submit(scopes, (depth,), {})
    worker.run()
    assert len(future.result()) == depth + 1
    assert worker.node.scopes == {}


def test_a_fetched_future_has_names_of_its_own_too(worker: Bench) -> None:
    worker.give(scopes, [worker.node.payloads.dump(((1,), {}))] * 2, 1)
    worker.run()
    with worker.node.lock:
        worker.node._send_results()
        worker.node.flush()
    (results,) = worker.heard(Results)
    assert results.odd == []
    assert worker.node.scopes == {}


# -- questions -------------------------------------------------------------------------------------------------------


def answered(bench: Bench, *answers: tuple[str, Any, bool]) -> None:
    def answer() -> None:
        deadline = time.monotonic() + 5
        while not (asked := bench.heard(Inquire)) and time.monotonic() < deadline:
            time.sleep(0.005)
        for name, report, last in answers:
            bench.say(Answer(asked[0].number, name, msgpack.packb(report) if report else b"", last))

    threading.Thread(target=answer).start()


@pytest.mark.parametrize("kind", ["origin", "worker"])
def test_answers_come_one_by_one(kind: str, request: pytest.FixtureRequest) -> None:
    bench: Bench = request.getfixturevalue(kind)
    answered(bench, ("w.1", {"held": 1}, False), ("w.2", None, False), ("b", {"queued": 2}, True))
    found: list[Any] = []

    def ask() -> None:
        found.append(bench.node.ask("statistics", "", 0, 5.0))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    answers, complete = found[0]
    assert complete
    assert [(name, report and msgpack.unpackb(report)) for name, report in answers] == [
        ("w.1", {"held": 1}), ("w.2", b""), ("b", {"queued": 2}),
    ]  # fmt: skip


def test_nobody_answers(origin: Bench) -> None:
    began = time.monotonic()
    assert origin.node.ask("explain", "o", 1, 0.05) == ([], False)
    assert time.monotonic() - began < 2.0
    (asked,) = origin.heard(Inquire)
    assert (asked.subject, asked.submitter, asked.future) == ("explain", "o", 1)
    assert asked.seconds < 0.05
    origin.say(Answer(asked.number, "b", b"", True))  # too late: nobody waits for it


def test_a_lost_node_asks_nobody(origin: Bench) -> None:
    origin.node.lose(FederationLost("over"))
    assert origin.node.ask("statistics", "", 0, 9.0) == ([], False)


def test_where_an_own_future_is(origin: Bench, worker: Bench) -> None:
    for bench, reason in ((origin, "has not asked for it"), (worker, "the youngest first")):
        bench.node.submit(note, ("",), {}, 0)
        future = bench.node.submit(note, ("",), {}, 0)
        text, given = bench.node.explain(future)
        assert "priority 0, with 1 before it" in text
        assert reason in text
        assert not given
    origin.say(Demand(2, 1, 3))
    text, given = origin.node.explain(next(iter(origin.node.futures.values())))
    assert given
    assert "given to the Broker" in text
    assert worker.node.claim(future)
    future._call = None
    assert "it runs here" in worker.node.explain(future)[0]


def test_where_it_is_before_the_link_is_open() -> None:
    made = Origin(None, {"main": "", "meta": ""}, Payloads(), 3, ProcessChanges())
    text, _ = made.explain(made.submit(note, ("",), {}))
    assert "the link to the Broker is not open" in text
    made.close()


def test_an_origin_has_few_attributes(origin: Bench) -> None:
    """With more than 30, each ``submit`` takes a tenth longer."""
    assert len(vars(origin.node)) <= 30


def test_counts(origin: Bench) -> None:
    origin.node.submit(note, ("",), {})
    assert origin.node.statistics()["own"] == 1
    assert origin.node.statistics()["given"] == 0


def test_the_helper_thread_puts_a_piece_before_the_one_that_ends(worker: Bench) -> None:
    """The main thread takes off the piece that it has finished, not the one that was put before it meanwhile."""
    worker.give_noted(1, "low")
    low = worker.node.workload.queue[0]
    remove: Callable[[Any], None] = deque.remove

    class Between(deque[Any]):
        def remove(self, piece: Any) -> None:
            worker.give_noted(2, "urgent", priority=1)
            remove(self, piece)

    worker.node.workload.queue = Between(worker.node.workload.queue)
    worker.node._run_fetched(low)
    assert [piece.number for piece in worker.node.workload.queue] == [2]


# -- seals -----------------------------------------------------------------------------------------------------------


class Canary:
    """Notes when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return note, ("unpickled",)


@pytest.fixture
def sealing(worker: Bench, origin: Bench) -> tuple[Bench, Bench]:
    for bench in (worker, origin):
        bench.node.payloads.seal = Seal(b"k" * 32)
    worker.node.namespaces = Namespaces(
        lambda keys: [origin.node.definer.body_of(*asked_for(key)[:2]) for key in keys], worker.node.payloads.load_with
    )
    noted.clear()
    return worker, origin


def sealed_by(origin: Bench, value: Any) -> tuple[Function, Batch]:
    """What an Origin says for one call."""
    origin.say(Demand(4, 1, 3))
    origin.node.submit(note, (value,), {})
    origin.node.service()
    snapshot, function, batch = origin.heard(Function, Batch)
    assert snapshot.digest.startswith(b"state ")
    return function, batch


def test_sealed_tasks_run(sealing: tuple[Bench, Bench]) -> None:
    worker, origin = sealing
    worker.say(*sealed_by(origin, "sound"))
    assert worker.run() == ["sound"]


@pytest.mark.parametrize("what", ["payload", "number", "submitter", "none", "body"])
def test_an_altered_task_is_neither_loaded_nor_run(sealing: tuple[Bench, Bench], what: str) -> None:
    worker, origin = sealing
    function, batch = sealed_by(origin, "sound")
    if what == "payload":
        batch.payloads = [origin.node.payloads.dump(((Canary(),), {})) + batch.payloads[0][-16:]]
    elif what == "number":
        batch.ids = [batch.ids[0] + 1]
    elif what == "submitter":
        batch.submitter = "another"
    elif what == "none":
        batch.payloads = [origin.node.payloads.dump(((Canary(),), {}))]
    else:
        function.body = origin.node.functions.define(Canary().__reduce__).body
    worker.say(function, batch)
    assert worker.run() == []
    worker.node._send_results()
    worker.node.service()
    (results,) = worker.heard(Results)
    assert results.odd == [(batch.ids[0], ERROR)]
    error = load_failure(results.outcomes[0], Payloads())
    assert type(error) is SealBroken
    assert "altered on its way" in str(error)
    assert noted == []


def test_a_constant_that_was_altered_is_not_loaded(sealing: tuple[Bench, Bench]) -> None:
    worker, origin = sealing
    origin.node.share("table", [1, 2])
    body = origin.node.constants["table"]
    assert shared._load(worker.node, "table", body) == [1, 2]
    with pytest.raises(SealBroken, match="'other' was altered"):
        shared._load(worker.node, "other", body)


# -- modules ---------------------------------------------------------------------------------------------------------


def come(worker: Bench, name: str, said: str, body: bytes) -> None:
    """The Origin answers."""
    worker.node.step(rules.Require(key_of(name)))
    worker.say(Function(key_of(name), said, body))


def test_a_module_that_came_with_another_seal_is_refused(sealing: tuple[Bench, Bench]) -> None:
    worker, _ = sealing
    answers = Answers(worker.node, "h2")
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
    answers = Answers(worker.node, "h2", seconds=0.0)
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
    assert OriginFinder(Answers(worker.node, "h2")).find_spec(name, None) is None
    assert worker.heard(Want) == []
