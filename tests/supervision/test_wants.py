"""What the Brokers of one host could use."""

from __future__ import annotations

from fedfutures.supervision.wants import HostWants


def test_the_latest_of_each_counts() -> None:
    wants = HostWants()
    assert wants.total == 0
    wants.on_wanted("h.broker", 3)
    wants.on_wanted("h.broker2", 2)
    assert wants.total == 5
    wants.on_wanted("h.broker", 0)
    assert wants.total == 2


def test_what_is_beyond_the_slots_is_counted_over_all_of_them() -> None:
    wants = HostWants()
    wants.on_wanted("h.broker", 4)
    wants.on_wanted("h.broker2", 4, 2)
    assert [wants.beyond(slots) for slots in (4, 8, 16)] == [6, 2, 0]
