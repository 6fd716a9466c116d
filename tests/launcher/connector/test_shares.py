"""How a number of Workers is divided while a run runs."""

from __future__ import annotations

from fedfutures.wire.control import ResizeHost
from fedfutures_launcher.connector.shares import shares_of
from fedfutures_launcher.layout.assemble import Request

from .requests import request_of


def _request(**counts: int | None) -> Request:
    request = request_of(*counts)
    for spec, count in zip(request.hosts, counts.values()):
        spec.count = count
    return request


def test_as_at_the_beginning() -> None:
    request = _request(a=None, b=2, c=0)
    found = shares_of(request, {"here", "a", "b", "c"}, 9)
    assert found == {"here": ResizeHost(4, 9), "a": ResizeHost(3, 9), "b": ResizeHost(2, 9), "c": ResizeHost(0, 9)}


def test_hosts_that_are_gone_get_nothing() -> None:
    assert shares_of(_request(a=None, b=None), {"a"}, 4) == {"a": ResizeHost(4, 4)}
    assert shares_of(_request(a=0), {"a"}, 4) == {}
    assert shares_of(_request(a=None), set(), 4) == {}
