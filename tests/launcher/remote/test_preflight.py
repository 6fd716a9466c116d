"""Whether a host may take part, and what people are told."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace

import pytest

from fedfutures.wire.control import ProbeReply
from fedfutures_launcher.remote.hello import HostHello
from fedfutures_launcher.remote.preflight import (
    HostReport,
    check_compatible,
    check_fit,
    local_versions,
    reasons,
    table,
)
from fedfutures_launcher.ssh.texts import failures
from fedfutures_launcher.ssh.texts.failures import Failure, Place

OURS = HostHello((3, 11, 7), fedfutures="0.1.0", protocol=3, cloudpickle="3.1.2")
GOOD = HostHello((3, 11, 2), "/opt/bin/python3", "0.1.0", 3, "3.1.2", None, 8, 17 << 30, "node1", "10.0.0.1")


def test_local_versions() -> None:
    assert local_versions().python == sys.version_info[:3]
    assert (local_versions().protocol or 0) >= 3


def test_a_good_host() -> None:
    assert check_compatible("h1", GOOD, OURS) == (None, [])


@pytest.mark.parametrize(
    ("hello", "kind", "said"),
    [
        (HostHello(None, tried=("/a", "python3")), "no Python", "/a, python3"),
        (HostHello(None, prolog="~/env.sh"), "prolog missing", "~/env.sh"),
        (replace(GOOD, python=(3, 9, 2)), "no Python", "/opt/bin/python3 (3.9.2)"),
        (replace(GOOD, python=(3, 12, 0)), "other Python", "Python 3.12.0, here it is 3.11.7"),
        (replace(GOOD, fedfutures=None, error="ImportError: no zmq"), "fedfutures missing", "ImportError: no zmq"),
        (replace(GOOD, error="TypeError: broken"), "fedfutures missing", "TypeError: broken"),
        (
            replace(GOOD, fedfutures=None, error="No module named '_struct'", environment=("PYTHONHOME",)),
            "spoilt Python", "No module named '_struct'. PYTHONHOME is set there",
        ),
        (
            replace(GOOD, fedfutures=None, error="No module named 'fedfutures'", environment=("PYTHONPATH",)),
            "fedfutures missing", "No module named 'fedfutures'",
        ),
        (replace(GOOD, protocol=4), "other fedfutures", "protocol 4, here it is 3"),
        (replace(GOOD, fedfutures="0.2.0"), "other fedfutures", "0.2.0, here it is 0.1.0"),
    ],
)  # fmt: skip
def test_a_host_that_cannot_take_part(hello: HostHello, kind: str, said: str) -> None:
    failure, warnings = check_compatible("h1", hello, OURS)
    assert failure is not None
    assert (failure.kind, warnings) == (kind, [])
    assert failure.text.startswith("h1: ")
    assert said in failure.text
    assert "h1" in failure.remedy


def test_what_kind_of_machine_a_host_is() -> None:
    """Another architecture works, and is told; values of another byte order would be others."""
    here = replace(OURS, system="Linux", machine="x86_64", byteorder="little", implementation="cpython")
    good = replace(GOOD, system="Linux", machine="aarch64", byteorder="little", implementation="cpython")
    failure, (warning,) = check_compatible("h1", good, here)
    assert failure is None
    assert warning.text.startswith(
        "h1: is Linux aarch64, and this machine is Linux x86_64: programs of pure Python run"
    )
    lines = table([HostReport("here", 1, hello=here), HostReport("h1", 1, hello=good)], 200).splitlines()
    assert [line.split()[3] for line in lines[:3]] == ["machine", "x86_64", "aarch64"]
    failure, _ = check_compatible("h1", replace(good, byteorder="big", machine="s390x"), here)
    assert failure is not None
    assert (failure.kind, "s390x with big-endian" in failure.text) == ("other byte order", True)
    failure, _ = check_compatible("h1", replace(good, implementation="pypy"), here)
    assert failure is not None
    assert "is Python 3.11.2 (pypy), here it is 3.11.7" in failure.text


def test_what_a_host_says_of_itself_when_it_is_asked() -> None:
    packages = {"numpy": "2.4.0", "scipy": "1.17", "own": "1"}
    failure, warnings = check_fit("h1", GOOD, ProbeReply("", "", {"numpy": "1.26", "own": "1"}), packages)
    assert failure is None
    assert [str(warning) for warning in warnings] == [
        "h1: numpy is 1.26 there, here it is 2.4.0: its objects may not load, or other values come; "
        "try: ssh h1 /opt/bin/python3 -m pip install numpy==2.4.0",
        "h1: scipy is not installed there, here it is 1.17: what imports it will fail there; "
        "try: ssh h1 /opt/bin/python3 -m pip install scipy==1.17",
    ]
    failure, warnings = check_fit("h1", GOOD, ProbeReply("/da ta"), packages, "ssh -p 2 h1")
    assert failure is not None
    assert (failure.text, warnings) == ("h1: there is no directory /da ta that Workers could work in (--path)", [])
    assert failure.remedy == "ssh -p 2 h1 " + shlex.quote("mkdir -p '/da ta'")
    failure, _ = check_fit("h1", GOOD, ProbeReply("", "/tmp: Read-only file system"), {})
    assert failure is not None
    assert (failure.kind, failure.remedy) == ("no private directory", "ssh h1 'df -h /tmp; df -i /tmp; ls -ld /tmp'")
    assert failure.text.endswith("private directories there: /tmp: Read-only file system")


def test_another_cloudpickle_is_a_warning() -> None:
    failure, warnings = check_compatible("h1", replace(GOOD, cloudpickle="2.0"), OURS)
    assert failure is None
    assert [warning.kind for warning in warnings] == ["cloudpickle differs"]


def test_the_table() -> None:
    bad = check_compatible("h2", replace(GOOD, python=(3, 12, 0)), OURS)[0]
    away = failures.REFUSED(Place("h3", "10.0.0.3"))
    warnings = check_compatible("h1", replace(GOOD, cloudpickle="2.0"), OURS)[1]
    text = table(
        [
            HostReport("h1", 16, hello=GOOD, latency=0.00123, warnings=warnings),
            HostReport("h2", 4, hello=replace(GOOD, python=(3, 12, 0)), problem=bad),
            HostReport("h3", 4, problem=away),
        ]
    )  # fmt: skip
    assert text.splitlines() == [
        "host  workers  state         python  fedfutures  processors  memory  latency",
        "h1         16  ok            3.11.2  0.1.0                8  17 GiB     1 ms",
        "h2          4  other Python  3.12.0  0.1.0                8  17 GiB        -",
        "h3          4  refused       -       -                    -       -        -",
        "",
        "h1: cloudpickle is 2.0, here it is 3.1.2: some functions may not load there",
        "    ssh h1 /opt/bin/python3 -m pip install cloudpickle==3.1.2",
        "",
        "h2: /opt/bin/python3 is Python 3.12.0, here it is 3.11.7: the minor version must be the same",
        "    ssh h2 command -v python3.11",
        "    (then: --python-interpreter PATH)",
        "",
        "h3: no ssh server listens at 10.0.0.3 port 22",
        "    ssh h3 true",
    ]


STATES = ("ok", "authentication failed", "other fedfutures", "too many connections")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("columns", [80, 120])
def test_the_lines_of_hosts_fit_the_terminal(state: str, columns: int) -> None:
    name, good = "a-name-of-some-length", HostReport("h1", 1024, hello=GOOD, latency=1.234)
    hello = replace(GOOD, fedfutures="0.2.0.dev1") if state == "other fedfutures" else GOOD
    bad = HostReport(name, 4, hello=hello, problem=Failure(state, f"{name}: words " * 20, "ssh h1"))
    lines = table([good, bad], columns).splitlines()[:3]
    assert max(map(len, lines)) <= columns
    headings = lines[0].split()
    assert headings[:3] == ["host", "workers", "state"]
    assert "processors" in headings
    assert (columns == 80) == ("protocol" not in headings)
    if state == "other fedfutures":
        assert "fedfutures" in headings  # it is what the line is about


def test_reasons_of_hosts() -> None:
    bad = HostReport("h3", 4, problem=failures.REFUSED(Place("h3", "10.0.0.3")))
    assert reasons([HostReport("h1", 1, hello=GOOD), bad]) == {
        "h3": "no ssh server listens at 10.0.0.3 port 22; try: ssh h3 true"
    }


def test_commands_name_the_way_that_was_gone() -> None:
    for hello in (
        replace(GOOD, fedfutures=None),
        replace(GOOD, python=(3, 12, 0)),
        HostHello(None),
        HostHello(None, prolog="~/e"),
    ):
        failure, _ = check_compatible("h1", hello, OURS, "ssh -F /c -p 2222 ann@h1.lab.org")
        assert failure is not None
        assert "ssh -F /c -p 2222 ann@h1.lab.org " in failure.remedy


def test_where_no_input_goes_there_the_shared_home_has_the_wheel() -> None:
    hello = HostHello((3, 11, 2), executable="/opt/py/bin/python3", error="ModuleNotFoundError")
    failure, _ = check_compatible("h1", hello, OURS, "pbsdsh -n 3 -- sh -c 'eval \"$*\"' -", shares_home=True)
    assert failure is not None
    make, there = failure.remedy.split(" && ")
    assert make.endswith(" -m fedfutures_launcher.wheel ~")
    assert there.startswith("pbsdsh -n 3 -- sh -c 'eval \"$*\"' - '/opt/py/bin/python3 -m pip install ~/fedfutures-")
    failure, _ = check_compatible("h1", HostHello(None, prolog="~/my env"), OURS, "pbsdsh", shares_home=True)
    assert failure is not None
    assert (failure.remedy, failure.hints) == ("ls -l ~/'my env'", ())
