"""Streams of relayed links: what one host says of its stream reaches the other end under that one's number."""

from __future__ import annotations

import contextlib
import random

import pytest
from effort import scaled

from fedfutures.errors import RemoteProtocolError
from fedfutures.wire.control import CloseStream, OpenStream, StreamCredit, StreamData
from fedfutures_launcher.remote.streams import Streams

WHERE = {"h.broker": "h", "o.broker": "o"}


def test_a_stream_from_end_to_end():
    streams = Streams()
    assert streams.route("o", OpenStream(1, "h.broker", "main"), WHERE) == ("h", OpenStream(2, "h.broker", "main"))
    assert streams.route("o", OpenStream(3, "h.broker", "meta"), WHERE) == ("h", OpenStream(4, "h.broker", "meta"))
    assert streams.route("o", StreamData(1, b"x"), WHERE) == ("h", StreamData(2, b"x"))
    assert streams.route("h", StreamCredit(4, 9), WHERE) == ("o", StreamCredit(3, 9))
    assert streams.route("h", CloseStream(2), WHERE) == ("o", CloseStream(1))
    assert streams.route("o", StreamData(1, b"late"), WHERE) is None
    assert streams.route("h", StreamData(4, b"y"), WHERE) == ("o", StreamData(3, b"y"))


def test_equal_numbers_of_two_hosts_are_two_streams():
    streams = Streams()
    streams.route("o", OpenStream(1, "h.broker", "main"), WHERE)
    streams.route("x", OpenStream(1, "h.broker", "main"), WHERE)
    assert streams.route("x", StreamData(1, b""), WHERE) == ("h", StreamData(4, b""))


def test_a_broker_that_nobody_knows():
    assert Streams().route("o", OpenStream(1, "z.broker", "main"), WHERE) == ("o", CloseStream(1))


def test_a_host_that_is_lost_closes_the_other_ends():
    streams = Streams()
    streams.route("o", OpenStream(1, "h.broker", "main"), WHERE)
    streams.route("x", OpenStream(1, "h.broker", "main"), WHERE)
    streams.route("h", OpenStream(7, "o.broker", "main"), WHERE)
    told = sorted(streams.lose("h"), key=lambda told: (told[0], told[1].stream))
    assert told == [
        ("o", CloseStream(1)),
        ("o", CloseStream(6)),
        ("x", CloseStream(1)),
    ]
    assert streams.lose("o") == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_stream_that_is_not_to_be_opened(number):
    streams = Streams()
    streams.route("o", OpenStream(1, "h.broker", "main"), WHERE)
    with pytest.raises(RemoteProtocolError, match="not its to open"):
        streams.route("o", OpenStream(number, "h.broker", "main"), WHERE)


def test_whatever_hosts_say_of_streams_is_routed_or_refused():
    dice, kinds = random.Random(3), (OpenStream, StreamData, StreamCredit, CloseStream)
    for _ in range(scaled(60)):
        streams = Streams()
        for _ in range(200):
            host, kind, number = dice.choice("ohx"), dice.choice(kinds), dice.randrange(7)
            more = {OpenStream: (dice.choice([*WHERE, "z"]), "main"), StreamData: (b"x",), StreamCredit: (1,)}
            with contextlib.suppress(RemoteProtocolError):
                streams.route(host, kind(number, *more.get(kind, ())), WHERE)
            if dice.random() < 0.05:
                streams.lose(host)
