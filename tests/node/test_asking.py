"""When a Worker says its Demand."""

from __future__ import annotations

from fedfutures.federation.schedule import HORIZON_SECONDS, futures_in
from fedfutures.node.asking import LONG_SECONDS, Asking
from fedfutures.node.events import NodeLoad
from fedfutures.wire.messages import Demand


def test_an_idle_worker_says_so_once() -> None:
    asking = Asking()
    asking.take_load(NodeLoad(0, 0, busy=False))
    assert asking.news(None, holds=True) == Demand(1, 1, 1)
    assert asking.news(None, holds=True) is None
    asking.came(1, spent=True)
    assert asking.news(None, holds=True) == Demand(1, 1, 1)


def test_how_much_follows_from_durations() -> None:
    asking = Asking()
    asking.take_load(NodeLoad(0, 0, busy=True))
    assert asking.news(LONG_SECONDS, holds=True) is None  # what takes long is asked for when there is nothing else
    demand = asking.news(0.001, holds=True)
    assert demand is not None
    assert demand.count == futures_in(HORIZON_SECONDS, 0.001)


def test_half_of_it_is_no_news() -> None:
    asking = Asking()
    asking.take_load(NodeLoad(0, 0, busy=True))
    first = asking.news(0.001, holds=True)
    assert first is not None
    asking.came(first.count // 2, spent=False)
    asking.take_load(NodeLoad(first.count // 2, 0, busy=True))
    assert asking.news(0.001, holds=True) is None
    asking.came(first.count, spent=False)
    asking.take_load(NodeLoad(0, 0, busy=True))
    assert asking.news(0.001, holds=True) is not None


def test_who_is_locked_in_takes_nothing() -> None:
    asking = Asking()
    asking.take_load(NodeLoad(0, 0, busy=True, locked_in=True))
    assert asking.news(None, holds=True) == Demand(0, 0, 0)
    assert asking.news(None, holds=True) is None
    asking.take_load(NodeLoad(0, 0, busy=False))
    assert asking.news(None, holds=True) == Demand(1, 1, 1)


def test_a_new_session_begins_with_nothing_said() -> None:
    asking = Asking()
    asking.take_load(NodeLoad(0, 0, busy=False))
    asking.news(None, holds=False)
    assert asking.begin_again() == Demand(0, 0)
    assert asking.news(None, holds=True) == Demand(1, 1, 1)


def test_what_was_given_back_is_asked_for_anew() -> None:
    asking = Asking()
    asking.take_load(NodeLoad(0, 0, busy=True))
    assert asking.news(0.001, holds=True) is not None
    asking.gave_back()
    assert asking.news(0.001, holds=True) is not None
