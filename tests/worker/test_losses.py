"""What a Broker says of a Future that was over its time limit. (Other losses: test_submissions.)"""

from __future__ import annotations

import pickle

from fedfutures.errors import TaskTimeout
from fedfutures.wire import codec
from fedfutures.wire.messages import OVERRAN
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
