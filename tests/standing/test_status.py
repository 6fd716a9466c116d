"""What a keeper says of its Federation."""

from __future__ import annotations

from dataclasses import asdict

from fedfutures.standing.status import Status, status_from


def test_it_travels_as_a_dict() -> None:
    status = Status("lab", 7, "h", 1.5, "/d", {"h": 2}, [{"run": "r"}], 60.0)
    assert status_from(asdict(status)) == status
