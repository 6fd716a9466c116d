"""The order in which links come up: allow, acknowledge, dial; and through ssh where no port can be reached."""

from __future__ import annotations

from fedfutures_launcher.links import DOWN_SECONDS, PORT_SECONDS, Broker, Links, Note, Order

ROOT, CHILD, FAR = Broker("o.broker", "o", 0), Broker("h.broker", "h", 0), Broker("n.broker", "n", 0)
NAMES = {broker.name: broker for broker in (ROOT, CHILD, FAR)}


def places(key, address="10.0.0.1"):
    return {"key": key, "address": address, "main": 1, "meta": 2, "ear": 3}


def orders(actions):
    return [(action.host, action.frame) for action in actions if isinstance(action, Order)]


def notes(actions):
    return [action.text for action in actions if isinstance(action, Note)]


def dialled(links, now=0.0):
    """Bring the first link as far as being dialled."""
    links.broker("o.broker", {"key": "K"})
    links.broker("h.broker", places("C"))
    return links.allowed("h.broker", "o.broker", now)


def test_nobody_dials_before_it_is_allowed():
    links = Links(NAMES, [("o.broker", "h.broker")])
    assert links.broker("o.broker", {"key": "K"}) == []
    assert orders(links.broker("h.broker", places("C"))) == [("h", ["allow", 0, "o.broker", "K"])]
    assert links.allowed("h.broker", "n.broker", 0.0) == []
    told = orders(links.allowed("h.broker", "o.broker", 0.0))
    dial = ["dial", 0, "h.broker", "tcp://10.0.0.1:1", "tcp://10.0.0.1:2", "tcp://10.0.0.1:3", "C"]
    assert told == [("o", dial)]
    assert not links.up


def test_a_link_that_comes_up_is_left_alone():
    links = Links(NAMES, [("o.broker", "h.broker")])
    dialled(links)
    assert notes(links.link("o.broker", "h.broker", True, "", 0.1)) == ["link o.broker -> h.broker is up"]
    assert links.link("o.broker", "h.broker", True, "", 0.2) == []
    assert links.up
    assert links.next_deadline() is None
    assert links.tick(100.0) == []


def test_without_a_session_in_time_the_link_goes_through_ssh():
    links = Links(NAMES, [("o.broker", "h.broker")])
    dialled(links)
    links.link("o.broker", "h.broker", False, "timed out", 1.0)
    assert links.tick(PORT_SECONDS - 0.01) == []
    actions = links.tick(PORT_SECONDS)
    assert orders(actions) == [("o", ["relay", 0, "h.broker", "C"])]
    assert notes(actions) == ["link o.broker -> h.broker goes through the ssh connection (timed out)"]
    up = links.link("o.broker", "h.broker", True, "", 4.0)
    assert notes(up) == ["link o.broker -> h.broker is up, through ssh"]


def test_where_even_ssh_does_not_help_it_is_said_once():
    links = Links(NAMES, [("o.broker", "h.broker")])
    dialled(links)
    links.tick(PORT_SECONDS)
    (note,) = links.tick(PORT_SECONDS + DOWN_SECONDS)
    assert isinstance(note, Note)
    assert note.important
    assert links.tick(1000.0) == []


def test_a_link_that_is_down_for_long_goes_over():
    links = Links(NAMES, [("o.broker", "h.broker")])
    dialled(links)
    links.link("o.broker", "h.broker", True, "", 1.0)
    assert notes(links.link("o.broker", "h.broker", False, "", 2.0)) == [
        "link o.broker -> h.broker is down: nothing is heard"
    ]
    assert links.tick(2.0 + DOWN_SECONDS - 0.1) == []
    assert orders(links.tick(2.0 + DOWN_SECONDS))[0][1][0] == "relay"


def test_a_link_that_comes_back_stays():
    links = Links(NAMES, [("o.broker", "h.broker")])
    dialled(links)
    links.link("o.broker", "h.broker", True, "", 1.0)
    links.link("o.broker", "h.broker", False, "", 2.0)
    links.link("o.broker", "h.broker", True, "", 3.0)
    assert links.tick(100.0) == []


def test_a_broker_that_was_started_again_has_its_links_begun_anew():
    links = Links(NAMES, [("o.broker", "h.broker"), ("h.broker", "n.broker")])
    dialled(links)
    links.link("o.broker", "h.broker", True, "", 1.0)
    assert orders(links.broker("n.broker", places("N", "10.0.0.2"))) == [("n", ["allow", 0, "h.broker", "C"])]
    assert links.broker("h.broker", places("C")) == []  # said again, as after a lost connection
    again = orders(links.broker("h.broker", places("D")))
    assert again == [("h", ["allow", 0, "o.broker", "K"]), ("n", ["allow", 0, "h.broker", "D"])]
    assert orders(links.allowed("h.broker", "o.broker", 5.0))[0][1][-1] == "D"


def test_what_is_to_be_tunnelled_is_not_dialled():
    brokers = NAMES | {"h.broker": Broker("h.broker", "h", 0, tunnel=True)}
    links = Links(brokers, [("o.broker", "h.broker")])
    actions = dialled(links)
    assert orders(actions) == [("o", ["relay", 0, "h.broker", "C"])]
    links = Links(NAMES, [("o.broker", "h.broker")])
    links.broker("o.broker", {"key": "K"})
    links.broker("h.broker", places("C", ""))
    assert orders(links.allowed("h.broker", "o.broker", 0.0))[0][1][0] == "relay"


def test_addresses():
    brokers = NAMES | {"h.broker": Broker("h.broker", "h", 0, address="gate.example")}
    links = Links(brokers, [("o.broker", "h.broker")])
    assert orders(dialled(links))[0][1][3] == "tcp://gate.example:1"
    links = Links(NAMES, [("o.broker", "h.broker")])
    links.broker("o.broker", {"key": "K"})
    links.broker("h.broker", places("C", "fd00::5"))
    assert orders(links.allowed("h.broker", "o.broker", 0.0))[0][1][3] == "tcp://[fd00::5]:1"


def test_words_about_links_that_are_not_dialled_are_nothing():
    links = Links(NAMES, [("o.broker", "h.broker")])
    assert links.link("o.broker", "h.broker", True, "", 0.0) == []
    assert links.link("o.broker", "n.broker", True, "", 0.0) == []
    assert links.allowed("h.broker", "o.broker", 0.0) == []


def test_a_broker_that_cannot_be_bound_is_named_and_left_alone():
    links = Links(NAMES, [("o.broker", "h.broker")])
    links.broker("o.broker", {"key": "K"})
    (note,) = links.broker("h.broker", {"key": "C", "error": "no ports"})
    assert note == Note("h.broker cannot take part: no ports", important=True)
    assert links.broker("o.broker", {"key": "L"}) == []
