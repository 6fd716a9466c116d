"""A Broker that an earlier run has left behind, and that knows where the Brokers of this one are (faults E11)."""

from __future__ import annotations

import pytest
from attacked import Host, Pair

pytestmark = pytest.mark.host


def test_a_broker_of_an_earlier_run_cannot_join(pair: Pair) -> None:
    stale = Host(0)
    try:
        stale.handle.wait_ready()
        stale.handle.listen(stale.hear)
        places = pair.down.places
        addresses = [f"tcp://{places['address']}:{places[kind]}" for kind in ("main", "meta", "ear")]
        with pair.unharmed():
            stale.handle.tell(["dial", 0, pair.down.broker, *addresses, places["key"]])
            up, why = stale.wait_for("link", 0, pair.down.broker)[3:]
            assert not up
            assert why
    finally:
        stale.handle.hang_up()
        stale.handle.end()
    assert pair.reaches_down()
