"""Hosts from words and host files: what is meant, and what cannot be."""

from __future__ import annotations

import doctest
import importlib.util
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedfutures_launcher import hosts as module
from fedfutures_launcher.hostfile import from_hostfile
from fedfutures_launcher.hosts import BadHosts, HostSpec, from_word, from_words, in_run, is_local

needs_toml = pytest.mark.skipif(
    sys.version_info < (3, 11) and importlib.util.find_spec("tomli") is None, reason="this Python reads no TOML"
)

TOML = """
[defaults]
python = "/opt/py/bin/python3"
pythonpath = ["/a", "/b"]

[[hosts]]
host = "ann@workstation:2222"
count = 8
nice = 5

[[hosts]]
name = "door"
host = "login.cluster.org"

[[sites]]
name = "cluster"
access = "door"
hosts = ["node1", "node2"]
user = "bob"
path = "/scratch/bob"

[[sites]]
access = "vault"
hosts = ["v1"]

[[sites]]
access = "node1"
hosts = ["vault"]
"""


def only(text: str) -> HostSpec:
    """The host of a file that has one."""
    (spec,) = from_hostfile(text, "file")
    return spec


# ---------------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(("word", "host", "user", "port"), [
    ("a", "a", None, None),
    ("a.b-c_d.org", "a.b-c_d.org", None, None),
    ("ann@a:22", "a", "ann", 22),
    ("LAB\\ann@a", "a", "LAB\\ann", None),
    ("ann@realm.org@a", "a", "ann@realm.org", None),
    ("127.0.0.1:2222", "127.0.0.1", None, 2222),
    ("::1", "::1", None, None),
    ("fe80::1%eth0", "fe80::1%eth0", None, None),
    ("ann@[2001:db8::1]:2222", "2001:db8::1", "ann", 2222),
    ("[::1]", "::1", None, None),
])  # fmt: skip
def test_words(word: str, host: str, user: str | None, port: int | None) -> None:
    spec = from_word(word)
    assert (spec.host, spec.user, spec.port) == (host, user, port)
    assert from_word(spec.word) == spec


@pytest.mark.parametrize("word", [
    "", "-oProxyCommand=sh", "a b", "a;b", "a$(b)", "@a", "-l@a", "a:", "a:0", "a:65536", "a:b", "a:٣", "[a]:22",
    "[::1", "[::1]22", "a\nb", "a,b", "a-", "::1%;x", "a/b",
])  # fmt: skip
def test_words_that_are_no_hosts(word: str) -> None:
    with pytest.raises(BadHosts, match="host "):
        from_word(word)


@given(st.text(max_size=20))
def test_no_word_is_an_option_or_breaks_a_line(word: str) -> None:
    try:
        spec = from_word(word)
    except BadHosts:
        return
    for part in filter(None, (spec.host, spec.user)):
        assert part[0] not in "-/~"
        assert part.isprintable()
        assert not set(part) & set(" ;&|$`\"'()<>*?!{}")


def test_repeats_count() -> None:
    assert [(spec.word, spec.count) for spec in from_words(["a", "ann@a", "a", "A", "b:22"])] == [
        ("a", 3), ("ann@a", 1), ("b:22", 1),
    ]  # fmt: skip
    assert [spec.count for spec in from_words(["a", "b"])] == [None, None]


# ---------------------------------------------------------------------------------------------------------- plain files


def test_a_plain_file() -> None:
    found = from_hostfile(
        """
        # the lab
        a           # one that has room for as many as it has processors
        ann@b:2222 4
        [::1]:22 2 python=/opt/p/python3 nice=10
        c path="/my files" pythonpath=/x:/y pythonpath=/z prolog=~/env.sh tunnel=yes external-hostname=c.out site=b
        d count=3 python-interpreter=python3.12 name=delta
        """,
        "hosts.txt",
    )
    assert found == [
        HostSpec("a"),
        HostSpec("b", "ann", 2222, 4),
        HostSpec("::1", None, 22, 2, python="/opt/p/python3", nice=10),
        HostSpec("c", path="/my files", pythonpath=["/x", "/y", "/z"], prolog="~/env.sh", tunnel=True,
                 external_hostname="c.out", site="b"),
        HostSpec("d", count=3, python="python3.12", name="delta"),
    ]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), [
    ("a b", "count is 'b', not a number from 0 to 100000"),
    ("a -1", "count is -1"),
    ("a 2 3", "'3': after host and count, only key=value"),
    ("a colour=red", "'colour' is none of count, external-hostname, name,"),
    ("a 2 count=2", "count is given twice"),
    ("a nice=20", "nice is 20, not a number from -20 to 19"),
    ("a tunnel=perhaps", "tunnel is 'perhaps', not yes or no"),
    ("a path=", "path is ''"),
    ("a:22 port=23", "do not agree"),
    ("a user=-l", "'-l' is no user name"),
    ("-x 2", "is no host name"),
    ('a path="/x', "No closing quotation"),
])  # fmt: skip
def test_bad_lines_are_named(line: str, why: str) -> None:
    with pytest.raises(BadHosts) as caught:
        from_hostfile(f"# first\nfine 2\n{line}\n", "hosts.txt")
    assert str(caught.value).startswith("hosts.txt:3: ")
    assert why in str(caught.value)


def test_a_file_without_hosts() -> None:
    with pytest.raises(BadHosts, match=r"hosts\.txt: no hosts"):
        from_hostfile("# nobody\n", "hosts.txt")


# ----------------------------------------------------------------------------------------------------------------- TOML


@needs_toml
def test_a_toml_file() -> None:
    found = {spec.name or spec.host: spec for spec in from_hostfile(TOML, "hosts")}
    assert list(found) == ["workstation", "door", "node1", "node2", "v1", "vault"]
    shared: dict[str, Any] = {"python": "/opt/py/bin/python3", "pythonpath": ["/a", "/b"]}
    assert found["workstation"] == HostSpec("workstation", "ann", 2222, 8, nice=5, **shared)
    assert found["door"] == HostSpec("login.cluster.org", name="door", **shared)
    assert found["node1"] == HostSpec("node1", "bob", site="door", path="/scratch/bob", **shared)
    assert found["v1"] == HostSpec("v1", site="vault", **shared)
    assert found["vault"] == HostSpec("vault", site="node1", **shared)
    assert [(spec.name, spec.site) for spec in in_run(list(found.values()))][1:] == [
        ("door", None), ("node1", "door"), ("node2", "door"), ("v1", "vault"), ("vault", "node1"),
    ]  # fmt: skip


@needs_toml
def test_an_access_host_that_nothing_else_names_has_no_workers() -> None:
    found = from_hostfile('[[sites]]\naccess = "ann@door"\nhosts = ["n1"]\ncount = 4\n', "x.toml")
    assert found == [HostSpec("n1", count=4, site="ann@door"), HostSpec("door", "ann", count=0)]
    assert [spec.site for spec in in_run(found)] == ["door", None]


@needs_toml
@pytest.mark.parametrize(("text", "why"), [
    ("[[hosts]]\nhost = ", "f.toml: Invalid value"),
    ("[[hosts]]\nhost = 'a'\n[[hosts]]\ncount = 2", "f.toml: [[hosts]] number 2: host is None"),
    ("[[hosts]]\nhost = 'a'\ncolour = 'red'", "f.toml: [[hosts]] number 1: 'colour' is none of"),
    ("[[hosts]]\nhost = 'a'\ncount = true", "f.toml: [[hosts]] number 1: count is True"),
    ("[[hosts]]\nhost = 'a'\npythonpath = '/x'", "f.toml: [[hosts]] number 1: pythonpath is '/x', not a list"),
    ("[hosts]\nhost = 'a'", "f.toml: write [[hosts]]"),
    ("hosts = ['a']", "f.toml: [[hosts]] number 1: 'a' is no table"),
    ("[defaults]\nname = 'x'", "f.toml: [defaults]: no two hosts share"),
    ("[machines]\nname = 'x'", "f.toml: 'machines' is none of"),
    ("[[sites]]\naccess = 'd'", "f.toml: [[sites]] number 1: hosts is None"),
    ("[[sites]]\naccess='d'\nhosts=['a']\n[[sites]]\naccess='e'\nhosts=['a']", "number 2: host 'a' is behind 'd' too"),
    ("[defaults]", "f.toml: no hosts"),
])  # fmt: skip
def test_bad_tables_are_named(text: str, why: str) -> None:
    with pytest.raises(BadHosts) as caught:
        from_hostfile(text, "f.toml")
    assert why in str(caught.value)


# --------------------------------------------------------------------------------------------------- the hosts of a run


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
    assert not is_local(from_word("ann@localhost"), ["localhost"])


def test_mentions_add_up_and_may_not_disagree() -> None:
    (spec,) = in_run(from_hostfile("a 2 nice=0\na 3 python=/p\n", "f"))
    assert (spec.count, spec.nice, spec.python) == (5, 0, "/p")
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


def test_the_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0
