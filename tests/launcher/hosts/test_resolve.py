"""The hosts of a run: each once, by a short name, this machine first, and what is said of all said of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures import Hosts
from fedfutures_launcher.hosts.hostfile import from_hostfile
from fedfutures_launcher.hosts.resolve import from_words, in_run, wanted
from fedfutures_launcher.hosts.spec import BadHosts


def test_repeats_count() -> None:
    assert [(spec.word, spec.count) for spec in from_words(["a", "ann@a", "a", "A", "b:22"])] == [
        ("a", 3), ("ann@a", 1), ("b:22", 1),
    ]  # fmt: skip
    assert [spec.count for spec in from_words(["a", "b"])] == [None, None]


def names(words: list[str], own: list[str] | None = None) -> list[tuple[str, int | None]]:
    """The names and counts of a run's hosts."""
    return [(spec.name, spec.count) for spec in in_run(from_words(words), own or ["me"])]


def test_names_are_short_where_they_can_be() -> None:
    assert names(["a.x.org", "b.x.org"]) == [("a", None), ("b", None)]
    assert names(["a.x.org", "a.y.org"]) == [("a.x.org", None), ("a.y.org", None)]
    assert names(["a:22", "a:23", "b"]) == [("a:22", None), ("a:23", None), ("b", None)]
    assert names(["ann@a", "bob@a"]) == [("ann@a", None), ("bob@a", None)]
    assert names(["10.0.0.1", "10.0.0.2"]) == [("10.0.0.1", None), ("10.0.0.2", None)]


def test_this_machine_is_one_host_and_the_first() -> None:
    assert names(["b", "127.0.0.1", "localhost", "me.x.org"], ["me", "me.x.org"]) == [("me", 3), ("b", 1)]
    assert names(["b", "localhost:22"]) == [("b", None), ("localhost", None)]


def test_mentions_add_up_and_may_not_disagree() -> None:
    (spec,) = in_run(from_hostfile("a 2 nice=0\na 3 python=/p\n", "f"))
    assert (spec.count, spec.options.nice, spec.options.python) == (5, 0, "/p")
    with pytest.raises(BadHosts, match="host a is named twice, with nice 0 and 5"):
        in_run(from_hostfile("a nice=0\na nice=5\n", "f"))


def test_names_that_clash() -> None:
    with pytest.raises(BadHosts, match="two hosts are called b: give one of them another name"):
        in_run(from_hostfile("a name=b\nb\n", "f"))
    with pytest.raises(BadHosts, match="two hosts are called c"):
        in_run(from_hostfile("a name=c\nb name=c\n", "f"))


def test_ways() -> None:
    found = in_run(from_hostfile("n1 site=door.x.org\nn2 site=door\nbob@door.x.org 0\nn3 site=me", "f"), ["me"])
    assert [(spec.name, spec.site) for spec in found] == [
        ("n1", "door"), ("n2", "door"), ("door", None), ("n3", None),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), [
    ("a site=b", "host a is behind 'b', which is none of the hosts"),
    ("a site=b\nb site=a", "host a is behind itself"),
    ("a site=a", "host a is behind itself"),
    ("b\nlocalhost site=b", "host me is this machine: it cannot be behind b"),
])  # fmt: skip
def test_ways_that_lead_nowhere(text: str, why: str) -> None:
    with pytest.raises(BadHosts, match=why):
        in_run(from_hostfile(text, "f"), ["me"])


def test_what_is_behind_this_machine_is_reached_as_all_others() -> None:
    found = in_run(from_hostfile("localhost\na site=localhost\n", "f"), ["me"])
    assert [(spec.name, spec.site) for spec in found] == [("me", None), ("a", None)]


def test_what_is_said_of_all_is_said_of_each(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("localhost nice=0\na pythonpath=/a tunnel=no\nb tunnel=yes path=/b external-hostname=b.out\n")
    hosts = Hosts(file=str(file), nice=7, path="/all", pythonpath=["/all"], external_hostname="me", python="py")
    here, a, b = wanted(hosts)
    assert (here.options.nice, here.options.path) == (0, "/all")
    assert (a.options.nice, a.options.pythonpath, a.options.path) == (7, ["/a", "/all"], "/all")
    assert (b.options.path, b.options.pythonpath, b.external_hostname, a.external_hostname) == (
        "/b", ["/all"], "b.out", None,
    )  # fmt: skip
    assert [spec.options.tunnel for spec in (here, a, b)] == [False, False, True]
    assert {spec.options.python for spec in (here, a, b)} == {"py"}


@pytest.mark.parametrize(("word", "what"), [("ann@a", "user"), ("a:23", "port"), ("ann@a:23", "user")])
def test_a_user_or_a_port_is_for_ssh_alone(word: str, what: str) -> None:
    with pytest.raises(BadHosts, match=rf"{word}: only ssh takes a {what}; the launcher \./mine gets"):
        wanted(Hosts(["localhost", "b", word], launcher="./mine"))
    for launcher in (None, "ssh"):
        assert len(wanted(Hosts(["localhost", "b", word], launcher=launcher))) == 3


def test_where_this_machine_is_not_named_it_has_no_workers() -> None:
    """What is said of all hosts is not said of it either."""
    here, other = wanted(Hosts(["a,"], python="/py", path="/there"))
    assert (here.count, other.host) == (0, "a")
    assert (here.options, other.options.python) == (Hosts(), "/py")


def test_hosts_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadHosts, match="no host is named"):
        wanted(Hosts([""]))
    (tmp_path / "binary").write_bytes(b"\xd0\xff")
    with pytest.raises(BadHosts, match="no text in UTF-8"):
        wanted(Hosts(file=str(tmp_path / "binary")))
    with pytest.raises(BadHosts, match="No such file"):
        wanted(Hosts(file=str(tmp_path / "nowhere")))
