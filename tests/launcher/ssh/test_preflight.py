"""Whether a host may take part, and what people are told."""

from __future__ import annotations

import doctest
import inspect
import sys
from dataclasses import replace

import pytest

from fedfutures_launcher import preflight
from fedfutures_launcher.hello import MAGIC, Hello, HelloReader
from fedfutures_launcher.preflight import Ours, Report, judge, no_hello, ours, table
from fedfutures_launcher.ssh import failures
from fedfutures_launcher.ssh.failures import Failure, Place

OURS = Ours((3, 11, 7), "0.1.0", 3, "3.1.2")
GOOD = Hello((3, 11, 2), "/opt/bin/python3", "0.1.0", 3, "3.1.2", None, 8, 17 << 30, "node1", "10.0.0.1")


def test_examples() -> None:
    assert doctest.testmod(preflight).failed == 0


def test_ours() -> None:
    assert ours().python == sys.version_info[:3]
    assert ours().protocol >= 3


def test_a_good_host() -> None:
    assert judge("h1", GOOD, OURS) == (None, [])


@pytest.mark.parametrize(
    ("hello", "kind", "said"),
    [
        (Hello(None, tried=("/a", "python3")), "no Python", "/a, python3"),
        (Hello(None, prolog="~/env.sh"), "prolog missing", "~/env.sh"),
        (replace(GOOD, python=(3, 9, 2)), "no Python", "/opt/bin/python3 (3.9.2)"),
        (replace(GOOD, python=(3, 12, 0)), "other Python", "Python 3.12.0, here it is 3.11.7"),
        (replace(GOOD, fedfutures=None, error="ImportError: no zmq"), "fedfutures missing", "ImportError: no zmq"),
        (replace(GOOD, error="TypeError: broken"), "fedfutures missing", "TypeError: broken"),
        (replace(GOOD, protocol=4), "other fedfutures", "protocol 4, here it is 3"),
        (replace(GOOD, fedfutures="0.2.0"), "other fedfutures", "0.2.0, here it is 0.1.0"),
    ],
)  # fmt: skip
def test_a_host_that_cannot_take_part(hello: Hello, kind: str, said: str) -> None:
    failure, warnings = judge("h1", hello, OURS)
    assert failure is not None
    assert (failure.kind, warnings) == (kind, [])
    assert failure.text.startswith("h1: ")
    assert said in failure.text
    assert "h1" in failure.remedy


def test_another_cloudpickle_is_a_warning() -> None:
    failure, warnings = judge("h1", replace(GOOD, cloudpickle="2.0"), OURS)
    assert failure is None
    assert [warning.kind for warning in warnings] == ["cloudpickle differs"]


def test_an_end_before_the_hello() -> None:
    failure = no_hello("h1", HelloReader(), 127, "\nsh: 1: exec: not found\n")
    assert (failure.kind, failure.detail) == ("ended early", "sh: 1: exec: not found")
    assert "exit code 127" in failure.text
    reader = HelloReader()
    reader.feed(b"This account is not available.\n" + b"\n" * 20)
    assert "This account is not available." in no_hello("h1", reader, 1, "").text
    reader.feed(MAGIC + b"nonsense\n")
    assert no_hello("h1", reader, 1, "").kind == "no hello"


def test_the_table() -> None:
    bad = judge("h2", replace(GOOD, python=(3, 12, 0)), OURS)[0]
    away = failures.refused(Place("h3", "10.0.0.3"))
    warnings = judge("h1", replace(GOOD, cloudpickle="2.0"), OURS)[1]
    text = table(
        [
            Report("h1", 16, hello=GOOD, latency=0.00123, warnings=warnings),
            Report("h2", 4, hello=replace(GOOD, python=(3, 12, 0)), problem=bad),
            Report("h3", 4, problem=away),
        ]
    )  # fmt: skip
    assert text.splitlines() == [
        "host  workers  state         python  fedfutures  protocol  processors  memory  latency",
        "h1         16  ok            3.11.2  0.1.0              3           8  17 GiB     1 ms",
        "h2          4  other Python  3.12.0  0.1.0              3           8  17 GiB        -",
        "h3          4  refused       -       -                  -           -       -        -",
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


VALUES = {
    "place": Place("h1", "10.0.0.1", 2222, "ann"), "host": "h1", "seconds": 3.0, "tries": 3, "tried": ["python3"],
    "cause": Failure("timeout", "door: no answer", "ssh door"), "status": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [make for _, make in inspect.getmembers(failures, inspect.isfunction) if make.__module__ == failures.__name__],
    ids=lambda make: make.__name__,
)
def test_every_failure_names_the_host_and_has_a_remedy(make: object) -> None:
    assert callable(make)
    parameters = inspect.signature(make).parameters
    failure = make(**{name: VALUES.get(name, "something") for name in parameters})
    assert failure.text.startswith("h1")
    assert failure.remedy
    assert "\n" not in failure.text + failure.remedy
    assert str(failure) == f"{failure.text}; try: {failure.remedy}"
