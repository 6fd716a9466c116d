"""Classes that are made when they are first used do what the standard library's do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import signal
import subprocess
import sys
from typing import Any

import pytest

from fedfutures import lazy_dataclass
from fedfutures.lazy_dataclass import dataclass, field, field_types, replaced
from fedfutures.wire import messages


@dataclass(slots=True)
class Point:
    """A docstring."""

    x: int
    y: int = 2
    more: list[int] = field(default_factory=list)

    def total(self) -> int:
        return self.x + self.y + sum(self.more)


@dataclass(slots=True)
class Place(Point):
    name: str = "here"


@dataclass(slots=True, eq=False)
class Thing:
    x: int


@dataclass(slots=True)
class Completed:
    _x: int = 1
    x: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.x.append(self._x)


@dataclass(slots=True)
class Nothing:
    pass


def test_a_value() -> None:
    point = Point(1)
    assert (point.x, point.y, point.more, point.total()) == (1, 2, [], 3)
    assert point == Point(1, 2, []) == Point(x=1, more=[], y=2)
    assert point != Point(1, 3)
    assert point != (1, 2, [])
    assert Point(1).more is not point.more
    assert repr(Place(1)) == "Place(x=1, y=2, more=[], name='here')"
    assert Place(1, name="there") == Place(1, 2, [], "there") != Point(1)
    assert Completed(3).x == [3]
    assert Nothing() == Nothing()
    assert repr(Nothing()) == "Nothing()"
    assert Point.__doc__ == "A docstring."
    with pytest.raises(TypeError, match="hash"):
        hash(point)
    assert Thing(1) != Thing(1)
    assert hash(Thing(1))


def test_a_wrong_call_is_refused_at_the_first_and_at_later_ones() -> None:
    @dataclass(slots=True)
    class New:
        x: int

    for _ in range(2):
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
            New()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
            New(1, z=2)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        New(1).z = 3  # type: ignore[attr-defined]


def test_copies() -> None:
    place = Place(1, 5, [7], "there")
    assert copy.deepcopy(place) == place == pickle.loads(pickle.dumps(place))
    assert replaced(place, x=4) == Place(4, 5, [7], "there") == dataclasses.replace(place, x=4)


def test_fields() -> None:
    assert field_types(Place) == {"x": "int", "y": "int", "more": "list[int]", "name": "str"}
    assert [(each.name, each.type) for each in dataclasses.fields(Place)] == list(field_types(Place).items())
    match Point(1, 3):
        case Point(1, y, _):
            assert y == 3


def test_messages_are_as_the_standard_library_would_make_them() -> None:
    for kind in messages.CODES.values():
        named: Any = {name: number for number, name in enumerate(field_types(kind))}
        value: Any = kind(**named)
        assert value == kind(*named.values())
        assert all(getattr(value, name) == number for name, number in named.items())


def test_nothing_is_compiled_for_a_class_that_is_not_used() -> None:
    code = (
        "import sys; compiled = []; "
        "sys.addaudithook(lambda e, a: e == 'compile' and a[1] == '<string>' and compiled.append(str(a[0]))); "
        "import fedfutures.wire.messages, fedfutures.node.events, fedfutures.broker.ledger; "
        "count = sum('def __init__' in text for text in compiled); "
        "fedfutures.wire.messages.Stranger(); "
        "print(count, sum('def __init__' in text for text in compiled))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    before, after = map(int, out.split())
    assert before <= 8  # NamedTuples and the like of the standard library
    assert after == before + 1
    assert lazy_dataclass.__doc__


@pytest.mark.parametrize(
    "work", ["control.EndRun()", "framing.decode(b'\\x91\\x01')", "framing.decode(framing.pack(control.Notice(7))[4:])"]
)
def test_what_is_compiled_at_the_end_does_not_hide_that_an_interrupt_ended_the_program(work: str) -> None:
    code = f"""\
import atexit
from fedfutures.errors import RemoteProtocolError
from fedfutures.wire import control, framing
def at_the_end():
    try:
        {work}
    except RemoteProtocolError as error:
        print(error)
atexit.register(at_the_end)
raise KeyboardInterrupt
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, "bad value" in ended.stdout) == (-signal.SIGINT, "Notice" in work), ended.stderr
