"""The order in which links come up: allow, acknowledge, dial; and through ssh where no port can be reached."""

from __future__ import annotations

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.wire.control import AcceptBroker, BrokerBound, DialBroker, LinkState, RelayBroker, TryPorts
from fedfutures_launcher.layout.tree import HostPlan, plan
from fedfutures_launcher.remote.links import (
    DOWN_SECONDS,
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    PORT_SECONDS,
    RESUME_SECONDS,
    Announcement,
    Links,
    Order,
)

UP = LinkState("o.broker", "h.broker", True, "")
RELAYED = LinkState("o.broker", "h.broker", True, "", relayed=True)
DOWN = LinkState("o.broker", "h.broker", False, "cut")
PORTS = ("tcp://10.0.0.1:1", "tcp://10.0.0.1:2", "tcp://10.0.0.1:3")
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
    up = links.on_state(RELAYED, 4.0)
    assert notes(up) == ["link o.broker -> h.broker is up, through ssh"]


def test_the_launcher_by_which_a_link_goes_is_named() -> None:
    links = Links(plan([HostPlan("o", 1), HOST]), {"h": "srun"})
    dialled(links)
    assert notes(links.tick(PORT_SECONDS)) == ["link o.broker -> h.broker goes through the srun connection (no answer)"]
    assert notes(links.on_state(RELAYED, 4.0)) == ["link o.broker -> h.broker is up, through srun"]


def test_where_even_ssh_does_not_help_it_is_said_once():
    links = links_of()
    dialled(links)
    links.tick(PORT_SECONDS)
    (note,) = [action for action in links.tick(PORT_SECONDS + DOWN_SECONDS) if isinstance(action, Announcement)]
    assert note.important
    assert notes(links.tick(1000.0)) == []


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


def tries(links, until):
    """Return when ports are tried, up to a time."""
    times = []
    while (due := links.next_deadline()) is not None and due <= until:
        actions = links.tick(due)
        if orders(actions):
            assert actions == [Order("o", TryPorts(0, "h.broker", *PORTS, "C"))]
            times.append(due)
    return times


def relayed(links):
    """Bring a link up that had to go through ssh; return when it went."""
    dialled(links)
    links.tick(PORT_SECONDS)
    links.on_state(RELAYED, 4.0)
    return PORT_SECONDS


def test_ports_of_a_link_through_ssh_are_tried_again_and_more_seldom():
    links = links_of()
    went = relayed(links)
    times = [at - went for at in tries(links, 1500.0)]
    assert times == [10.0, 30.0, 70.0, 150.0, 310.0, 610.0, 910.0, 1210.0]


def test_a_link_leaves_ssh_when_its_ports_work():
    links = links_of()
    went = relayed(links)
    links.tick(went + FIRST_RETRY_SECONDS)
    assert notes(links.on_state(UP, 14.0)) == ["link o.broker -> h.broker has left the ssh connection: its ports work"]
    assert links.next_deadline() is None
    assert notes(links.on_state(DOWN, 20.0)) == ["link o.broker -> h.broker is down: cut"]
    assert isinstance(orders(links.tick(20.0 + DOWN_SECONDS))[0][1], RelayBroker)


@pytest.mark.parametrize(
    ("lived", "pause"), [(1.0, 4 * FIRST_RETRY_SECONDS), (LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS)]
)
def test_ports_that_fail_again_soon_are_tried_later(lived, pause):
    links = links_of()
    went = relayed(links)
    links.tick(went + FIRST_RETRY_SECONDS)
    links.on_state(UP, 14.0)
    fails = 14.0 + lived
    links.on_state(DOWN, fails - DOWN_SECONDS)
    links.tick(fails)
    links.on_state(RELAYED, fails)
    assert links.next_deadline() == fails + pause


def test_ports_are_tried_where_the_broker_says_that_its_link_is_relayed():
    """It said that it was up before it heard that it is to use the relay."""
    links = links_of()
    dialled(links)
    links.tick(PORT_SECONDS)
    links.on_state(UP, PORT_SECONDS)
    assert links.next_deadline() is None
    links.on_state(RELAYED, 4.0)
    assert links.next_deadline() is not None


@pytest.mark.parametrize("how", ["tunnel", "no address"])
def test_ports_that_may_not_be_used_are_not_tried(how):
    links = links_of(HostPlan("h", 1, tunnel=how == "tunnel"))
    links.on_bound(BrokerBound("o.broker", "K"))
    links.on_bound(BrokerBound("h.broker", *places("C", "10.0.0.1" if how == "tunnel" else "")))
    links.on_accepts("h.broker", "o.broker", 0.0)
    links.on_state(RELAYED, 1.0)
    assert links.next_deadline() is None


def test_a_broker_that_was_started_again_is_not_tried_at_its_old_ports():
    links = links_of()
    relayed(links)
    links.on_bound(BrokerBound("h.broker", *places("D")))
    assert links.tick(100.0) == []


@pytest.mark.parametrize("address", ["10.0.0.1", "fe80::1%eth0", "node-7.site_2.org", ""])
def test_addresses_that_are_dialled(address):
    assert orders(links_of().on_bound(BrokerBound("h.broker", *places("C", address)))) == []


@pytest.mark.parametrize("address", ["a b", "tcp://h", "h\0", "h/x", "\ud800", "h" * 256, "h\n"])
def test_what_is_no_address_is_dialled_by_nobody(address):
    with pytest.raises(RemoteProtocolError, match="says that it is at"):
        links_of().on_bound(BrokerBound("h.broker", *places("C", address)))


# ------------------------------------------------------------------------------- after a connector that was killed


def resumed(now=0.0):
    """The links of a connector that follows one which has brought them up."""
    links = links_of()
    links.resume([BrokerBound("o.broker", "K"), BrokerBound("h.broker", *places("C"))], now)
    return links


def test_links_that_are_up_are_left_alone():
    links = resumed()
    assert links.on_bound(BrokerBound("o.broker", "K")) == []
    assert orders(links.on_state(UP, 0.1)) == []
    assert links.on_bound(BrokerBound("h.broker", *places("C"))) == []
    assert links.on_back("h") == []
    assert links.tick(10 * RESUME_SECONDS) == []


def test_a_broker_that_was_started_again_meanwhile_is_linked_anew():
    links = resumed()
    assert orders(links.on_bound(BrokerBound("o.broker", "K2"))) == [("h", AcceptBroker(0, "o.broker", "K2"))]


def test_one_of_which_nothing_is_heard_goes_through_ssh():
    links = resumed()
    assert links.tick(RESUME_SECONDS - 0.1) == []
    assert orders(links.tick(RESUME_SECONDS)) == [("o", RelayBroker(0, "h.broker", "C"))]


def test_a_link_of_which_only_one_end_is_known_waits_for_the_other():
    links = links_of()
    links.resume([BrokerBound("o.broker", "K")], 0.0)
    assert links.next_deadline() is None
    assert orders(links.on_bound(BrokerBound("h.broker", *places("C")))) == [("h", AcceptBroker(0, "o.broker", "K"))]


def test_what_was_told_a_host_that_did_not_hear_it_is_told_again_when_it_is_back():
    links = links_of()
    assert links.on_back("h") == []
    accept = ("h", AcceptBroker(0, "o.broker", "K"))
    links.on_bound(BrokerBound("o.broker", "K"))
    assert orders(links.on_bound(BrokerBound("h.broker", *places("C")))) == [accept]
    assert orders(links.on_back("h")) == [accept]
    assert links.on_back("elsewhere") == []
    links.on_accepts("h.broker", "o.broker", 0.0)
    assert orders(links.on_back("o")) == [accept], "it may not have heard that it is to dial"
    links.on_accepts("h.broker", "o.broker", 0.0)
    links.on_state(UP, 1.0)
    assert links.on_back("h") == []


def test_the_links_of_a_host_that_comes_are_brought_up_beside_those_that_are_there():
    tree = plan([HostPlan("o", 1), HOST])
    links = Links(tree)
    dialled(links)
    links.on_state(UP, 1.0)
    tree.grow(HostPlan("n", 1))
    links.add(tree, {"n": "srun"})
    assert orders(links.on_bound(N_BOUND)) == [("n", AcceptBroker(0, "o.broker", "K"))]
    assert [host for host, _ in orders(links.on_accepts("n.broker", "o.broker", 2.0))] == ["o"]
    assert links.next_deadline() == 2.0 + PORT_SECONDS, "only the new one is waited for"
    assert "through the srun connection" in notes(links.tick(2.0 + PORT_SECONDS))[0]
