"""The order in which links come up: allow, acknowledge, dial; and through ssh where no port can be reached."""

from __future__ import annotations

from fedfutures.wire.control import AcceptBroker, BrokerBound, DialBroker, LinkState, RelayBroker
from fedfutures_launcher.layout.tree import HostPlan, plan
from fedfutures_launcher.remote.links import DOWN_SECONDS, PORT_SECONDS, Announcement, Links, Order

UP = LinkState("o.broker", "h.broker", True, "")
N_BOUND = BrokerBound("n.broker", "N", "10.0.0.2", 1, 2, 3)


HOST = HostPlan("h", 1)


def links_of(child: HostPlan = HOST, *more: HostPlan) -> Links:
    """Links from host o to h, and to hosts behind that."""
    return Links(plan([HostPlan("o", 1), child, *more]))


def places(key, address="10.0.0.1"):
    return key, address, 1, 2, 3


def orders(actions):
    return [(action.host, action.frame) for action in actions if isinstance(action, Order)]


def notes(actions):
    return [action.text for action in actions if isinstance(action, Announcement)]


def dialled(links, now=0.0):
    """Bring the first link as far as being dialled."""
    links.on_bound(BrokerBound("o.broker", "K"))
    links.on_bound(BrokerBound("h.broker", *places("C")))
    return links.on_accepts("h.broker", "o.broker", now)


def test_nobody_dials_before_it_is_allowed():
    links = links_of()
    assert links.on_bound(BrokerBound("o.broker", "K")) == []
    assert orders(links.on_bound(BrokerBound("h.broker", *places("C")))) == [("h", AcceptBroker(0, "o.broker", "K"))]
    assert links.on_accepts("h.broker", "n.broker", 0.0) == []
    told = orders(links.on_accepts("h.broker", "o.broker", 0.0))
    dial = DialBroker(0, "h.broker", "tcp://10.0.0.1:1", "tcp://10.0.0.1:2", "tcp://10.0.0.1:3", "C")
    assert told == [("o", dial)]


def test_a_link_that_comes_up_is_left_alone():
    links = links_of()
    dialled(links)
    assert notes(links.on_state(UP, 0.1)) == ["link o.broker -> h.broker is up"]
    assert links.on_state(UP, 0.2) == []
    assert links.next_deadline() is None
    assert links.tick(100.0) == []


def test_without_a_session_in_time_the_link_goes_through_ssh():
    links = links_of()
    dialled(links)
    links.on_state(LinkState("o.broker", "h.broker", False, "timed out"), 1.0)
    assert links.tick(PORT_SECONDS - 0.01) == []
    actions = links.tick(PORT_SECONDS)
    assert orders(actions) == [("o", RelayBroker(0, "h.broker", "C"))]
    assert notes(actions) == ["link o.broker -> h.broker goes through the ssh connection (timed out)"]
    up = links.on_state(UP, 4.0)
    assert notes(up) == ["link o.broker -> h.broker is up, through ssh"]


def test_where_even_ssh_does_not_help_it_is_said_once():
    links = links_of()
    dialled(links)
    links.tick(PORT_SECONDS)
    (note,) = links.tick(PORT_SECONDS + DOWN_SECONDS)
    assert isinstance(note, Announcement)
    assert note.important
    assert links.tick(1000.0) == []


def test_a_link_that_is_down_for_long_goes_over():
    links = links_of()
    dialled(links)
    links.on_state(UP, 1.0)
    assert notes(links.on_state(LinkState("o.broker", "h.broker", False, ""), 2.0)) == [
        "link o.broker -> h.broker is down: nothing is heard"
    ]
    assert links.tick(2.0 + DOWN_SECONDS - 0.1) == []
    assert isinstance(orders(links.tick(2.0 + DOWN_SECONDS))[0][1], RelayBroker)


def test_a_link_that_comes_back_stays():
    links = links_of()
    dialled(links)
    links.on_state(UP, 1.0)
    links.on_state(LinkState("o.broker", "h.broker", False, ""), 2.0)
    links.on_state(UP, 3.0)
    assert links.tick(100.0) == []


def test_a_broker_that_was_started_again_has_its_links_begun_anew():
    links = links_of(HostPlan("h", 1), HostPlan("n", 1, site="h"))
    dialled(links)
    links.on_state(UP, 1.0)
    assert orders(links.on_bound(N_BOUND)) == [("n", AcceptBroker(0, "h.broker", "C"))]
    assert links.on_bound(BrokerBound("h.broker", *places("C"))) == []  # said again, as after a lost connection
    again = orders(links.on_bound(BrokerBound("h.broker", *places("D"))))
    assert again == [("h", AcceptBroker(0, "o.broker", "K")), ("n", AcceptBroker(0, "h.broker", "D"))]
    assert orders(links.on_accepts("h.broker", "o.broker", 5.0))[0][1].key == "D"


def test_what_is_to_be_tunnelled_is_not_dialled():
    links = links_of(HostPlan("h", 1, tunnel=True))
    actions = dialled(links)
    assert orders(actions) == [("o", RelayBroker(0, "h.broker", "C"))]
    links = links_of()
    links.on_bound(BrokerBound("o.broker", "K"))
    links.on_bound(BrokerBound("h.broker", *places("C", "")))
    assert isinstance(orders(links.on_accepts("h.broker", "o.broker", 0.0))[0][1], RelayBroker)


def test_addresses():
    links = links_of(HostPlan("h", 1, address="gate.example"))
    assert orders(dialled(links))[0][1].main == "tcp://gate.example:1"
    links = links_of()
    links.on_bound(BrokerBound("o.broker", "K"))
    links.on_bound(BrokerBound("h.broker", *places("C", "fd00::5")))
    assert orders(links.on_accepts("h.broker", "o.broker", 0.0))[0][1].main == "tcp://[fd00::5]:1"


def test_words_about_links_that_are_not_dialled_are_nothing():
    links = links_of()
    assert links.on_state(UP, 0.0) == []
    assert links.on_state(LinkState("o.broker", "n.broker", True, ""), 0.0) == []
    assert links.on_accepts("h.broker", "o.broker", 0.0) == []


def test_a_broker_that_cannot_be_bound_is_named_and_left_alone():
    links = links_of()
    links.on_bound(BrokerBound("o.broker", "K"))
    (note,) = links.on_bound(BrokerBound("h.broker", "C", error="no ports"))
    assert note == Announcement("h.broker cannot take part: no ports", important=True)
    assert links.on_bound(BrokerBound("o.broker", "L")) == []
