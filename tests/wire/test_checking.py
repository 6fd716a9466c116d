"""The functions that are made of annotations: they refuse what a plain check of each field refuses, and name it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.errors import MalformedMessage, RemoteProtocolError
from fedfutures.lazy_dataclass import dataclass, field, field_types
from fedfutures.wire.checking import CHECKS, reader_of, readers_and_writers, writer_of

from .test_codec import JUNK, RIGHT, WRONG

Text = str


@dataclass(slots=True)
class Sample:
    """Fields whose names a careless compiler would take for its own."""

    kind: int
    parts: bytes
    error: list[int] = field(default_factory=list)
    read: bool = False


@dataclass(slots=True)
class Nothing:
    """No field."""


def test_an_object_comes_out_behind_the_numbers() -> None:
    read = reader_of(Sample, ("sequence", "acknowledged"), MalformedMessage)
    assert read([9, 5, 4, 1, b"x", [2], True]) == (5, 4, Sample(1, b"x", [2], True))
    assert reader_of(Sample, (), RemoteProtocolError)([9, 1, b"x", [2], True]) == Sample(1, b"x", [2], True)
    assert reader_of(Nothing, (), RemoteProtocolError)([9]) == Nothing()


def test_what_is_written_is_read() -> None:
    assert writer_of(Sample, 9, ())(Sample(1, b"x", [2], True)) == (9, 1, b"x", [2], True)
    assert writer_of(Nothing, 9, ())(Nothing()) == (9,)
    readers, writers = readers_and_writers({9: Sample}, ("sequence",), RemoteProtocolError, "sample", {})
    assert readers[9](list(writers[Sample](Sample(1, b"x"), 5))) == (5, Sample(1, b"x"))
    with pytest.raises(RemoteProtocolError, match="unknown sample 8"):
        readers[8]
    with pytest.raises(KeyError):
        writers[Nothing]


@pytest.mark.parametrize("place", range(4))
def test_a_field_is_named(place: int) -> None:
    read = reader_of(Sample, (), RemoteProtocolError)
    parts: list[object] = [9, 1, b"x", [2], True]
    parts[1 + place] = None
    with pytest.raises(RemoteProtocolError, match=rf"^Sample\.{list(field_types(Sample))[place]} has a bad value\n"):
        read(parts)


@pytest.mark.parametrize("parts", [[9, -1, 4, 1, b"", [], True], [9, 5, True, 1, b"", [], True]])
def test_a_number_of_the_header_is_checked(parts: list[object]) -> None:
    with pytest.raises(MalformedMessage, match="no header"):
        reader_of(Sample, ("sequence", "acknowledged"), MalformedMessage)(parts)


def test_fields_that_do_not_go_together() -> None:
    read = reader_of(Sample, (), RemoteProtocolError, "kind == len(parts)")
    assert read([9, 1, b"x", [], False]) == Sample(1, b"x")
    with pytest.raises(RemoteProtocolError, match="Sample: fields that do not go together"):
        read([9, 2, b"x", [], False])


@pytest.mark.parametrize("written", sorted(WRONG))
def test_a_check_accepts_what_is_right_and_refuses_what_is_wrong(written: str) -> None:
    plain = type("One", (), {"__annotations__": {"value": written}})
    read = reader_of(dataclass(slots=True)(plain), (), RemoteProtocolError)
    assert read([9, RIGHT[written]]).value == RIGHT[written]
    for wrong in WRONG[written]:
        with pytest.raises(RemoteProtocolError, match=r"One\.value has a bad value"):
            read([9, wrong])


@given(st.sampled_from(sorted(CHECKS)), JUNK)
def test_nothing_but_a_protocol_error_comes_of_any_value(written: str, value: object) -> None:
    plain = type("One", (), {"__annotations__": {"value": written}})
    read = reader_of(dataclass(slots=True)(plain), (), RemoteProtocolError)
    try:
        read([9, value])
    except RemoteProtocolError:
        pass
