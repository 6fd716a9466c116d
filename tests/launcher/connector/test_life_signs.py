"""The connections by which a program shows that it lives."""

from __future__ import annotations

import socket

from fedfutures.host.parent_link import parent_link, place_of
from fedfutures.supervision.contact import ParentLink
from fedfutures.wire.control import BrokerBound
from fedfutures_launcher.connector.life_signs import LifeSigns


def bound(name: str, port: int, address: str = "127.0.0.1") -> BrokerBound:
    return BrokerBound(name, "key", address, port, 0, 0)


def test_a_neighbour_sees_that_the_program_lives_and_notes_what_it_closes_itself() -> None:
    signs = LifeSigns()
    with socket.create_server(("127.0.0.1", 0)) as near, socket.create_server(("127.0.0.1", 0)) as far:
        ports = [each.getsockname()[1] for each in (near, far)]
        places = [bound("h1.broker", ports[0]), bound("h2.broker", ports[1]), bound("h1.broker", 0)]

        def seen(number: int) -> ParentLink:
            return parent_link([place_of("127.0.0.1", ports[number])], [])

        signs.show(places, ["h1.broker"])
        accepted, _ = near.accept()
        assert seen(0) is ParentLink.LIVES
        assert seen(1) is ParentLink.GONE, "it is below another host, which dials it"
        accepted.close()
        assert seen(0) is ParentLink.SILENT
        signs.show(places, ["h1.broker"])
        near.accept()[0].close()
        signs.close()


def test_what_cannot_be_reached_is_passed_over() -> None:
    signs = LifeSigns()
    signs.show([bound("a", 1), bound("b", 7, "no such name"), bound("c", 7, "fd00::1")], ["a", "b", "c"])
    signs.close()
