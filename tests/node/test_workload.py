"""The rules of a Worker's load, one by one, and beside a naive twin."""

from __future__ import annotations

import sys
import threading
from math import inf

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.errors import LocalProtocolError
from fedfutures.federation.schedule import HORIZON_SECONDS, STUCK_SECONDS
from fedfutures.node.pace import CUT_SECONDS, RECALL_SECONDS, REPORT_SECONDS
from fedfutures.node.workload import HeldPiece, Recalls, Workload, refusal_of
from fedfutures.wire.facts import packed
from fedfutures.wire.messages import BEGUN_ONCE, CANCELLED, ERROR, ONCE_FLAG, VALUE, Batch, Results

HELPER = 1e-6
"""For how long one Future has run when the helper thread asks, and it is not overdue."""


def batch(number: int, ids: list[int], priority: int = 0, function: bytes = b"f", root: str = "") -> Batch:
    payloads = [b"%d" % i for i in ids]
    return Batch(number, "o", function, 1, 0, 0, False, ids, payloads, root, priority)


def given(*pieces: tuple[int, list[int], int]) -> Workload:
    """Return the load of a Worker that was given these pieces: number, Futures, priority."""
    workload = Workload("h.1")
    for number, ids, priority in pieces:
        workload.hold(batch(number, ids, priority))
        workload.enqueue(number, "definition")
    workload.check()
    return workload


def test_what_was_started_is_told_from_what_waits() -> None:
    workload = given((1, [1, 2], 0))
    workload.hold(batch(2, [3]))  # its function is not here
    assert not workload.has_started()
    piece = start(workload)
    assert workload.has_started()
    workload.surplus(1.0, 0, None, locked_in=True)
    workload.settle(1, [2])
    assert workload.has_started()
    piece.finished.append((1, b"", VALUE, 0.0))
    workload.settle(1, [1])
    assert not workload.has_started()


def start(workload: Workload) -> HeldPiece:
    """Start a Future, as the runner does."""
    piece = workload.queue[0]
    piece.todo.popleft()
    return piece


def give_back(workload: Workload, stuck: float, unmet: int, *, locked_in: bool = False) -> list[tuple[int, list[int]]]:
    """Give back what is to be given back."""
    found = workload.surplus(stuck, unmet, None, locked_in=locked_in)
    for back in found:
        workload.settle(back.piece, back.ids)
    workload.check()
    return [(back.piece, back.ids) for back in found]


# -- what comes and goes ---------------------------------------------------------------------------------------------


def test_which_attempt_of_a_future_is_held() -> None:
    workload = Workload()
    for piece, submitter, attempt in ((7, "origin-2", 1), (8, "origin-1", 2)):
        workload.hold(Batch(piece, submitter, b"f", attempt, 0, 0, False, [3, piece], [b"", b""]))
    assert [workload.attempt_of(f"origin-{number}", 3) for number in (1, 2, 3)] == [2, 1, None]
    assert workload.attempt_of("origin-1", 7) is None


def test_pieces_are_started_by_priority_then_by_age() -> None:
    workload = given((1, [1], 0), (2, [1], 2), (3, [1], 0), (4, [1], 2), (5, [1], -1), (6, [1], 1))
    assert [piece.number for piece in workload.queue] == [2, 4, 6, 1, 3, 5]


def test_until_a_priority_is_seen_order_needs_no_thought() -> None:
    workload = given((1, [1], 0))
    assert not workload.has_priorities
    workload.expect_priorities()
    assert workload.has_priorities
    assert given((1, [1], 1)).has_priorities


def test_a_piece_goes_before_own_futures_of_lower_priority() -> None:
    workload = given((1, [1], 1))
    assert [workload.goes_before(priority) for priority in (-inf, 0, 1, 2)] == [True, True, False, False]
    assert not Workload().goes_before(-inf)


def test_a_piece_waits_for_its_function() -> None:
    workload = Workload()
    for number, function in ((1, b"f"), (2, b"g"), (3, b"f")):
        workload.hold(batch(number, [number], function=function))
    assert workload.missing() == [b"f", b"g"]
    assert [piece.number for piece in workload.waiting_for(b"f")] == [1, 3]
    workload.enqueue(1, "definition", "stamp")
    assert (workload.pieces[1].definition, workload.pieces[1].stamp) == ("definition", "stamp")
    assert [piece.number for piece in workload.waiting_for(b"f")] == [3]
    assert workload.load(0.0, 0, False, None, locked_in=False).unstarted == 0


def test_who_lacks_a_function_is_not_idle_until_nothing_waits_for_it() -> None:
    workload = Workload()
    for number in (1, 2, 3):
        workload.lack(workload.hold(batch(number, [number])))
    workload.settle(1, [1])
    workload.enqueue(2, "definition")
    workload.queue[0].todo.popleft()
    assert workload.load(0.0, 0, False, None, locked_in=False).busy
    workload.enqueue(3, "definition")
    for piece in workload.queue:
        piece.todo.clear()
    assert not workload.load(0.0, 0, False, None, locked_in=False).busy


def test_a_piece_has_its_submitter_as_root_if_none_is_named() -> None:
    workload = Workload()
    assert workload.hold(batch(1, [1])).terms.root == "o"
    assert workload.hold(batch(2, [1], root="origin")).terms.root == "origin"


def test_a_piece_is_forgotten_with_its_last_future() -> None:
    """Once it was not when it was given back whole: such pieces were looked at for ever."""
    workload = given((1, [1, 2], 0), (2, [1], 0))
    assert give_back(workload, 1.0, 0) == [(2, [1]), (1, [1, 2])]
    assert workload.pieces == {}
    workload = given((1, [1, 2], 0))
    assert workload.settle(1, [1]).pending == {2}
    assert 1 in workload.pieces
    workload.settle(1, [2])
    assert workload.pieces == {}


def test_what_has_not_started_is_cancelled_and_the_rest_is_running() -> None:
    workload = given((1, [1, 2, 3, 4, 5], 0))
    piece = start(workload)
    start(workload)
    piece.finished.append((1, b"r", VALUE, 0.5))
    assert workload.unstart(1, [1, 2, 3, 5, 9]) == [2]
    assert [number for number, _ in piece.todo] == [4]
    (finished,) = workload.results()
    assert (finished.ids, finished.odd) == ([1, 3, 5], [(3, CANCELLED), (5, CANCELLED)])


# -- what is said ----------------------------------------------------------------------------------------------------


def test_results_are_of_one_piece_each_and_taken_once() -> None:
    workload = given((1, [1, 2], 0), (2, [1], 0), (3, [1], 0))
    workload.pieces[1].finished.extend([(2, b"b", ERROR, 0.25), (1, b"a", VALUE, 0.5)])
    workload.pieces[3].finished.append((1, b"c", VALUE, 0.0))
    first, second = workload.results()
    assert (first.piece, first.ids, first.outcomes, first.odd) == (1, [2, 1], [b"b", b"a"], [(2, ERROR)])
    assert (first.seconds, first.count) == (0.75, 2)
    assert (second.piece, second.ids, second.seconds, second.count) == (3, [1], 0.0, 0)
    assert workload.results() == []


@pytest.mark.parametrize(
    ("waiting", "quiet", "last", "now"),
    [
        (6, 0.010, 0.005, True),  # 25 ms of work wait behind the one that is about to run, which is as usual
        (7, 0.010, 0.005, False),
        (7, HORIZON_SECONDS, 0.005, True),
        (7, 0.010, None, True),
        (0, 0.010, 0.005, True),
    ],
)
def test_results_travel_together_while_much_waits(waiting: int, quiet: float, last: float | None, now: bool) -> None:
    workload = given((1, list(range(1, waiting + 1)), 0)) if waiting else Workload()
    assert workload.reports_now(quiet, last) is now


def test_once_much_waited_results_travel_together_until_half_a_horizon_waits() -> None:
    workload = given((1, list(range(1, 11)), 0))
    found = []
    while workload.pieces[1].todo:
        found.append(workload.reports_now(0.0, 0.005))
        start(workload)
    assert found == [False] * 7 + [True] * 3
    workload.hold(batch(2, [1, 2, 3, 4]))
    workload.enqueue(2, "definition")
    assert workload.reports_now(0.0, 0.005)  # 15 ms: not more than usual


def test_what_starts_once_at_most_is_said_at_once() -> None:
    workload = given((1, list(range(1, 11)), 0))
    once = Batch(2, "o", b"f", 1, 0, 0, False, [1], [b""], flags=ONCE_FLAG)
    workload.hold(once)
    assert not workload.reports_now(0.0, 0.005)
    workload.pieces[2].finished.append((1, b"", VALUE, 0.005))
    assert workload.reports_now(0.0, 0.005)


def test_only_what_ran_says_how_long_futures_take() -> None:
    """Not what was cancelled, nor what has waited for others; yet each says who has run it and how long that took."""
    workload = given((1, [1, 2, 3], 0))
    piece = start(workload)
    start(workload)
    piece.finished.extend([(1, b"", VALUE, 0.5), (2, b"", VALUE, -4.0)])
    workload.unstart(1, [3])
    (finished,) = workload.results()
    assert (len(finished.ids), finished.seconds, finished.count) == (3, 0.5, 1)
    assert finished.facts == packed("h.1", 1, [0.5, 4.0, 0.0])


@pytest.mark.parametrize(
    ("stuck", "unmet", "locked_in", "back"),
    [
        (0.0, 0, False, []),
        (0.0, 2, False, [(2, [3, 4])]),
        (0.0, 3, False, [(2, [3, 4]), (1, [2])]),
        (0.0, 9, False, [(2, [3, 4]), (1, [2])]),  # Future 1 is about to be started
        (HELPER, 9, False, [(2, [3, 4]), (1, [1, 2])]),
        (HELPER, 1, False, [(2, [4])]),
        (STUCK_SECONDS, 0, False, []),
        (STUCK_SECONDS + HELPER, 0, False, [(2, [3, 4]), (1, [1, 2])]),
        (0.0, 0, True, [(2, [3, 4]), (1, [1, 2])]),
    ],
)
def test_what_is_given_back(stuck: float, unmet: int, locked_in: bool, back: list[tuple[int, list[int]]]) -> None:
    assert give_back(given((1, [1, 2], 0), (2, [3, 4], 0)), stuck, unmet, locked_in=locked_in) == back


def test_what_is_given_back_is_of_the_lowest_priority() -> None:
    assert give_back(given((1, [1, 2], 2), (2, [3, 4], 0)), 0.0, 3) == [(2, [3, 4]), (1, [2])]


def test_the_load() -> None:
    workload = given((1, [1, 2], 0))
    load = workload.load(0.0, 7, False, None, locked_in=False)
    assert (load.unstarted, load.own, load.busy, load.one_by_one, load.locked_in) == (1, 7, True, False, False)
    assert workload.load(HELPER, 0, True, None, locked_in=False).unstarted == 2
    assert workload.load(STUCK_SECONDS + HELPER, 0, True, None, locked_in=False).one_by_one
    assert workload.load(0.0, 0, True, None, locked_in=False, one_by_one=True).one_by_one
    locked = workload.load(0.0, 0, False, None, locked_in=True)
    assert (locked.unstarted, locked.busy, locked.one_by_one, locked.locked_in) == (2, True, True, True)
    assert not Workload().load(0.0, 0, False, None, locked_in=False).busy


def test_a_future_that_runs_on_is_reported_once() -> None:
    workload = Workload()
    assert workload.report(REPORT_SECONDS, (1, 2)) is None
    report = workload.report(REPORT_SECONDS + HELPER, (1, 2))
    assert report is not None
    assert (report.piece, report.ids, report.kept) == (1, [2], 0)
    assert workload.report(9.0, (1, 2)) is None
    assert workload.report(9.0, (1, 3)) is not None
    assert workload.report(9.0, (0, 0)) is None
    cut = workload.report(CUT_SECONDS, (1, 3), kept=4)
    assert cut is not None
    assert cut.kept == 4


def test_whoever_helps_looks_when_the_first_thing_is_due() -> None:
    """A long Future is reported in time, also when something waits behind it that is not overdue for long."""
    workload = given((1, [1, 2], 0))
    start(workload)
    assert workload.look_again_at(100.0, None, (1, 1)) == 100.0 + STUCK_SECONDS
    assert workload.look_again_at(100.0, 5.0, (1, 1)) == 100.0 + REPORT_SECONDS
    assert workload.look_again_at(100.0, 5.0, (1, 1), can_be_cut=True) == 100.0 + CUT_SECONDS
    workload.report(9.0, (1, 1))
    assert workload.look_again_at(100.0, 5.0, (1, 1)) == 110.0
    give_back(workload, 9.0, 0)
    assert workload.look_again_at(100.0, 5.0, (1, 1)) == inf


def test_check_finds_what_is_wrong() -> None:
    workload = given((1, [1, 2], 0))
    workload.pieces[1].finished.append((1, b"", VALUE, 0.0))
    with pytest.raises(LocalProtocolError, match="two places"):
        workload.check()
    workload = given((1, [1, 2], 0))
    workload.queue.clear()
    with pytest.raises(LocalProtocolError, match="not in the queue"):
        workload.check()


# -- own Futures that are asked for again ----------------------------------------------------------------------------


def test_given_futures_are_recalled_every_so_often() -> None:
    recalls = Recalls()
    assert recalls.due([1, 2], 50.0) == [1, 2]
    assert recalls.due([1, 2, 3], 50.0 + RECALL_SECONDS / 2) == [3]
    assert recalls.due([1, 2, 3], 50.0 + RECALL_SECONDS) == [1, 2]


def test_what_was_recalled_is_run_here_and_what_the_user_cancels_is_not() -> None:
    recalls = Recalls()
    recalls.due([1, 2, 3, 4], 50.0)
    recalls.forget([4])
    assert recalls.come_back([1, 3, 4, 5], [(3, CANCELLED), (4, CANCELLED), (5, CANCELLED), (1, ERROR)]) == [3]
    assert recalls.asked.keys() == {2}


# -- two threads -----------------------------------------------------------------------------------------------------


def test_each_future_goes_to_one_of_two_threads() -> None:
    """The runner starts what the driver cancels, gives back and adds to, at the same time."""
    workload = Workload()
    started: list[tuple[int, int]] = []
    driven: list[tuple[int, int]] = []
    over = threading.Event()

    def run() -> None:
        while not (over.is_set() and not workload.queue):
            if workload.queue:
                piece = workload.queue[0]
                try:
                    started.append((piece.number, piece.todo.popleft()[0]))
                except IndexError:
                    workload.queue.remove(piece)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    runner = threading.Thread(target=run)
    runner.start()
    ids = list(range(200))
    for number in range(300):
        workload.hold(batch(number, ids, number % 3))
        workload.enqueue(number, "definition")
        workload.unstart(number, ids[100::20])
        for finished in workload.results():
            driven += [(finished.piece, i) for i in finished.ids]
        for back in workload.surplus(HELPER, 9, None, locked_in=False):
            driven += [(back.piece, i) for i in back.ids]
    over.set()
    runner.join(30.0)
    sys.setswitchinterval(interval)
    assert not runner.is_alive()
    assert sorted(started + driven) == [(number, i) for number in range(300) for i in ids]


# -- a naive twin ----------------------------------------------------------------------------------------------------

PRIORITIES = st.sampled_from([0, 0, 1, -1])
COUNTS = st.integers(1, 5)


def test_what_was_said_not_to_be_cancelled_comes_back_unless_it_is_cancelled_again() -> None:
    recalls = Recalls()
    recalls.keep(1, 0.0)
    recalls.keep(2, 0.0)
    recalls.forget([2])
    assert recalls.come_back([1, 2], [(1, CANCELLED), (2, CANCELLED)]) == [1]
    assert recalls.come_back([1], [(1, CANCELLED)]) == []


class Twin(RuleBasedStateMachine):
    """Futures are in one list each: waiting for their function, to be started, running, finished."""

    def __init__(self) -> None:
        super().__init__()
        self.workload = Workload()
        self.unready: list[tuple[int, int, int]] = []  # (-priority, piece, number)
        self.todo: list[tuple[int, int, int]] = []
        self.running: list[tuple[int, int, int]] = []
        self.finished: list[tuple[int, int, int]] = []
        self.pieces = 0

    @rule(count=COUNTS, priority=PRIORITIES)
    def a_piece_comes(self, count: int, priority: int) -> None:
        self.pieces += 1
        ids = list(range(1, count + 1))
        self.workload.hold(batch(self.pieces, ids, priority))
        self.unready += [(-priority, self.pieces, i) for i in ids]

    @precondition(lambda self: self.workload.missing())
    @rule()
    def their_function_comes(self) -> None:
        for piece in self.workload.waiting_for(b"f"):
            self.workload.enqueue(piece.number, "definition")
        # Pieces come in the order of their numbers, and the function of all at once.
        self.todo, self.unready = sorted(self.todo + self.unready), []

    @precondition(lambda self: self.todo)
    @rule()
    def one_starts(self) -> None:
        queue = self.workload.queue
        while not queue[0].todo:
            del queue[0]
        number = queue[0].todo.popleft()[0]
        assert (-queue[0].terms.priority, queue[0].number, number) == self.todo[0]
        self.running.append(self.todo.pop(0))

    @precondition(lambda self: self.running)
    @rule()
    def one_finishes(self) -> None:
        future = self.running.pop()
        self.workload.pieces[future[1]].finished.append((future[2], b"", VALUE, 1.0))
        self.finished.append(future)

    @rule(which=st.integers(0, 99), ids=st.sets(st.integers(1, 6)))
    def some_are_cancelled(self, which: int, ids: set[int]) -> None:
        if self.workload.pieces:
            number = list(self.workload.pieces)[which % len(self.workload.pieces)]
            running = self.workload.unstart(number, sorted(ids))
            assert running == sorted(i for _, piece, i in self.running if piece == number and i in ids)
            for futures in (self.unready, self.todo):
                gone = [future for future in futures if future[1] == number and future[2] in ids]
                futures[:] = [future for future in futures if future not in gone]
                self.finished += gone

    @rule()
    def results_are_sent(self) -> None:
        sent = []
        for finished in self.workload.results():
            piece = self.workload.settle(finished.piece, finished.ids)
            sent += [(-piece.terms.priority, finished.piece, i) for i in finished.ids]
        assert sorted(sent) == sorted(self.finished)
        self.finished.clear()

    @rule(stuck=st.sampled_from([0.0, HELPER, 1.0]), unmet=st.integers(0, 6), locked_in=st.booleans())
    def some_are_given_back(self, stuck: float, unmet: int, locked_in: bool) -> None:
        most = len(self.todo) - (not stuck and not locked_in and bool(self.todo))
        most = most if stuck == 1.0 or locked_in else min(most, unmet)
        back = []
        for given_back in self.workload.surplus(stuck, unmet, None, locked_in=locked_in):
            piece = self.workload.settle(given_back.piece, given_back.ids)
            back += [(-piece.terms.priority, given_back.piece, i) for i in given_back.ids]
        assert sorted(back) == self.todo[len(self.todo) - most :]
        del self.todo[len(self.todo) - most :]

    @invariant()
    def all_agree(self) -> None:
        self.workload.check()
        held = {(piece.number, i) for piece in self.workload.pieces.values() for i in piece.pending}
        assert held == {future[1:] for future in self.unready + self.todo + self.running + self.finished}
        load = self.workload.load(HELPER, 0, bool(self.running), None, locked_in=False)
        assert (load.unstarted, load.busy) == (len(self.todo), bool(self.running or self.todo))


TestTwin = Twin.TestCase


def test_what_may_have_begun_is_not_started() -> None:
    def batch(attempt: int, flags: int) -> Batch:
        return Batch(3, "o", b"f", attempt, 0, 0, False, [7], [b"p"], flags=flags)

    assert refusal_of(batch(1, ONCE_FLAG), "w", repr) is None  # type: ignore[arg-type]
    assert refusal_of(batch(2, 0), "w", repr) is None  # type: ignore[arg-type]
    refusal = refusal_of(batch(2, ONCE_FLAG), "w", lambda report: report[1].encode())
    assert refusal == Results(3, 2, [7], [b"w"], [(7, BEGUN_ONCE)])
