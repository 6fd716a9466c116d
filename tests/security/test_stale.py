"""A Broker that an earlier run has left behind, and that knows where the Brokers of this one are (faults E11)."""

from __future__ import annotations

import pytest
from attacked import Host, Pair, dial_frame

from fedfutures.wire.control import LinkState

pytestmark = pytest.mark.host


@pytest.mark.fault("E11")
def test_a_broker_of_an_earlier_run_cannot_join(pair: Pair) -> None:
    stale = Host(0)
    try:
        stale.handle.wait_ready()
        stale.handle.listen(stale.hear)
        places = pair.down.places
        with pair.unharmed():
            stale.handle.tell(dial_frame(pair.down.broker, places))
            told = stale.wait_for(LinkState, neighbour=pair.down.broker)
            assert not told.up
            assert told.why
    finally:
        stale.handle.hang_up()
        stale.handle.end()
    assert pair.reaches_down()
