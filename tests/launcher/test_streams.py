"""Streams of relayed links: what one host says of its stream reaches the other end under that one's number."""

from __future__ import annotations

from fedfutures_launcher.streams import Streams

WHERE = {"h.broker": "h", "o.broker": "o"}


def test_a_stream_from_end_to_end():
    streams = Streams()
    assert streams.route("o", ["open", 1, "h.broker", "main"], WHERE) == ("h", ["open", 2, "h.broker", "main"])
    assert streams.route("o", ["open", 3, "h.broker", "meta"], WHERE) == ("h", ["open", 4, "h.broker", "meta"])
    assert streams.route("o", ["data", 1, b"x"], WHERE) == ("h", ["data", 2, b"x"])
    assert streams.route("h", ["credit", 4, 9], WHERE) == ("o", ["credit", 3, 9])
    assert streams.route("h", ["close", 2], WHERE) == ("o", ["close", 1])
    assert streams.route("o", ["data", 1, b"late"], WHERE) is None
    assert streams.route("h", ["data", 4, b"y"], WHERE) == ("o", ["data", 3, b"y"])


def test_equal_numbers_of_two_hosts_are_two_streams():
    streams = Streams()
    streams.route("o", ["open", 1, "h.broker", "main"], WHERE)
    streams.route("x", ["open", 1, "h.broker", "main"], WHERE)
    assert streams.route("x", ["data", 1, b""], WHERE) == ("h", ["data", 4, b""])


def test_a_broker_that_nobody_knows():
    assert Streams().route("o", ["open", 1, "z.broker", "main"], WHERE) == ("o", ["close", 1])


def test_a_host_that_is_lost_closes_the_other_ends():
    streams = Streams()
    streams.route("o", ["open", 1, "h.broker", "main"], WHERE)
    streams.route("x", ["open", 1, "h.broker", "main"], WHERE)
    streams.route("h", ["open", 7, "o.broker", "main"], WHERE)
    assert sorted(streams.lose("h")) == [("o", ["close", 1]), ("o", ["close", 6]), ("x", ["close", 1])]
    assert streams.lose("o") == []
