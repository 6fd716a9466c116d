"""Host files: what is meant, and what cannot be."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

from fedfutures import Hosts
from fedfutures_launcher.hosts.hostfile import from_hostfile
from fedfutures_launcher.hosts.resolve import in_run
from fedfutures_launcher.hosts.spec import BadHosts, HostSpec

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


# ---------------------------------------------------------------------------------------------------------- plain files


def test_lines_of_other_programs() -> None:
    found = from_hostfile("a worker=8\nb slots=4 nice=2\nc workers=2\n", "file")
    assert [(spec.host, spec.count) for spec in found] == [("a", 8), ("b", 4), ("c", 2)]
    with pytest.raises(BadHosts, match="count is given twice"):
        from_hostfile("a 4 slots=4\n", "file")


@pytest.mark.parametrize("text", ["a b ann@c:22", "a,b,ann@c:22", "# nodes\n\n  a b ann@c:22  # three\n"])
def test_one_line_may_name_several_hosts(text: str) -> None:
    assert [(spec.word, spec.count) for spec in from_hostfile(text, "file")] == [
        ("a", None),
        ("b", None),
        ("ann@c:22", None),
    ]


def test_one_line_with_a_number_is_one_host() -> None:
    assert (only("a 8").count, only("a 8 nice=1").count) == (8, 8)
    for text in ("a b 8", "a 4 b 8", "a b nice=1", "a b\nc\n"):
        with pytest.raises(BadHosts):
            from_hostfile(text, "file")


def test_a_plain_file() -> None:
    found = from_hostfile(
        """
        # the lab
        a           # one that has room for as many as it has processors
        ann@b:2222 4
        [::1]:22 2 python=/opt/p/python3 nice=10 memory-per-worker=2G
        c path="/my files" pythonpath=/x:/y pythonpath=/z prolog=~/env.sh tunnel=yes external-hostname=c.out site=b
        d count=3 python-interpreter=python3.12 name=delta env=A=1 env=B=2=3
        """,
        "hosts.txt",
    )
    assert found == [
        HostSpec("a"),
        HostSpec("b", "ann", 2222, 4),
        HostSpec("::1", None, 22, 2, options=Hosts(python="/opt/p/python3", nice=10, memory_per_worker=2 << 30)),
        HostSpec("c", external_hostname="c.out", site="b", options=Hosts(
            path="/my files", pythonpath=["/x", "/y", "/z"], prolog="~/env.sh", tunnel=True)),
        HostSpec("d", count=3, name="delta", options=Hosts(python="python3.12", env=["A=1", "B=2=3"])),
    ]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), [
    ("a b", "count is 'b', not a number from 0 to 100000"),
    ("a -1", "count is -1"),
    ("a 2 3", "'3': after host and count, only key=value"),
    ("a colour=red", "'colour' is none of count, env, external-hostname, memory-per-worker, name,"),
    ("a 2 count=2", "count is given twice"),
    ("a memory-per-worker=1M", "memory-per-worker must be at least 64.0 MiB"),
    ("a memory-per-worker=lots", "memory-per-worker must be a number of bytes"),
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
    assert found["workstation"] == HostSpec("workstation", "ann", 2222, 8, options=Hosts(nice=5, **shared))
    assert found["door"] == HostSpec("login.cluster.org", name="door", options=Hosts(**shared))
    assert found["node1"] == HostSpec("node1", "bob", site="door", options=Hosts(path="/scratch/bob", **shared))
    assert found["v1"] == HostSpec("v1", site="vault", options=Hosts(**shared))
    assert found["vault"] == HostSpec("vault", site="node1", options=Hosts(**shared))
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
