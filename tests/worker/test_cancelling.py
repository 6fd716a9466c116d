"""Futures that a node takes back: with one question to the Broker, for good or to be run here."""

from __future__ import annotations

import threading

from fedfutures.wire.messages import CANCELLED, Cancel, Demand, Results, Running

from .benches import Bench, note


def test_many_are_cancelled_with_one_question(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(5)]
    origin.say(Running(1, [1]))
    origin.heard()
    threading.Timer(0.05, lambda: origin.say(Results(2, 1, [2], [b""], [(2, CANCELLED)]), Running(3, [3]))).start()
    assert origin.node.submissions.cancel_all(futures) == 3
    assert [(cancel.piece, cancel.ids) for cancel in origin.heard(Cancel)] == [(2, [2]), (3, [3])]
    assert [future.cancelled() for future in futures] == [False, True, False, True, True]
    assert origin.node.submissions.cancel_all(futures) == 0
