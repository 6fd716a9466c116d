"""What a Broker says of a Future over a limit of time or memory, or one lost. (Other losses: test_submissions.)"""

from __future__ import annotations

import pickle

import pytest

from fedfutures.errors import FederationLost, FutureLost, OutOfMemory, TaskTimeout
from fedfutures.wire import codec
from fedfutures.wire.messages import BEGUN_ONCE, OF_FUTURE, OF_KERNEL, OF_WORKER, OUT_OF_MEMORY, OVERRAN
from fedfutures.worker.call_terms import checked_terms
from fedfutures.worker.losses import loss_of

from .benches import Bench, note


def test_it_says_which_call_and_where_it_was(origin: Bench) -> None:
    future = origin.node.submit(note, ("late",), {}, checked_terms(time_limit=1.5))
    report = ["h", "h.2", 1500, "Fatal Python error: Aborted\n\nStack (most recent call first):\n  line 5 in note\n"]
    error = loss_of(future, OVERRAN, codec.pack_plain(report))
    assert isinstance(error, TaskTimeout)
    assert (error.call, error.seconds, error.host, error.worker) == ("note('late')", 1.5, "h", "h.2")
    assert str(error).startswith("note('late') ran longer than its time limit of 1.5 s, on Worker h.2 of host h")
    assert "Aborted" not in str(error)
    assert str(error).endswith("line 5 in note\n")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("whose", "option", "text"),
    [
        (
            OF_FUTURE,
            "memory",
            "note('large') used 3.0 GiB on Worker h.2 of host h, more than memory= lets it use (2.0 GiB)",
        ),
        (OF_WORKER, "memory_per_worker", "when that used 3.0 GiB, more than --memory-per-worker lets it use (2.0 GiB)"),
        (
            OF_KERNEL,
            "",
            "on 1 Workers when the kernel killed them for want of memory; the last was Worker h.2 of host h ",
        ),
    ],
)
def test_it_says_how_much_was_used_and_who_allows_less(origin: Bench, whose: int, option: str, text: str) -> None:
    future = origin.node.submit(note, ("large",), {})
    report = ["h", "h.2", "over", 1, "Fatal Python error: Aborted\n\n  line 5 in note\n", 3 << 30, 2 << 30, whose]
    error = loss_of(future, OUT_OF_MEMORY, codec.pack_plain(report))
    assert isinstance(error, OutOfMemory)
    assert (error.call, error.peak, error.limit, error.option) == ("note('large')", 3 << 30, 2 << 30, option)
    assert text in str(error)
    assert "Aborted" not in str(error)
    assert str(error).endswith("line 5 in note\n")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize("odd", [3, -1, "0"])
def test_a_limit_of_nobody_makes_no_sense(origin: Bench, odd: object) -> None:
    future = origin.node.submit(note, ("large",), {})
    report = ["h", "h.2", "over", 1, "", 3, 2, odd]
    assert type(loss_of(future, OUT_OF_MEMORY, codec.pack_plain(report))) is FederationLost


def test_one_that_may_have_begun_says_who_had_it_and_what_to_do(origin: Bench) -> None:
    future = origin.node.submit(note, ("once",), {}, checked_terms(idempotent=False))
    error = loss_of(future, BEGUN_ONCE, codec.pack_plain(["h", "h.2", "signal SIGKILL", ""]))
    assert isinstance(error, FutureLost)
    assert (error.call, error.host, error.worker) == ("note('once')", "h", "h.2")
    assert (error.status, error.attempts) == ("signal SIGKILL", 1)
    assert str(error).startswith("note('once') may have started, and is not started again, since it has idempotent=")
    assert "Worker h.2 on host h had it: signal SIGKILL. Look at what it may have done" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))
    unknown = loss_of(future, BEGUN_ONCE, codec.pack_plain(["", "", "its Broker has ended", "where it was"]))
    assert "Which Worker had it is not known: its Broker has ended." in str(unknown)
    assert str(unknown).endswith("\nwhere it was")
