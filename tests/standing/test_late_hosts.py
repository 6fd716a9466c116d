"""Hosts that came later, for the connector that follows."""

from __future__ import annotations

from fedfutures.standing.late_hosts import LATE_HOST, with_late_hosts


def test_the_latest_of_each_name_counts_and_nothing_else_changes() -> None:
    request = {"hosts": [{"name": "a", "count": 1}, {"name": "b"}], "workers": 3}
    notes = {f"{LATE_HOST}c": {"name": "c"}, f"{LATE_HOST}a": {"name": "a", "count": 2}, "facts": {"late z": {}}}
    found = with_late_hosts(request, notes)
    assert found == {"hosts": [{"name": "a", "count": 2}, {"name": "b"}, {"name": "c"}], "workers": 3}
    assert request["hosts"] == [{"name": "a", "count": 1}, {"name": "b"}]
    assert with_late_hosts(request, {}) == request
