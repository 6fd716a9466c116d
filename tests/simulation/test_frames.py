"""What is copied arrives as what the codec has packed and read."""

from __future__ import annotations

from hypothesis import given
from wire.strategies import any_message

from fedfutures.lazy_dataclass import field_types
from fedfutures.simulation.frames import copied
from fedfutures.wire import codec
from fedfutures.wire.messages import Message


@given(any_message)
def test_a_copy_is_what_the_codec_makes_of_a_message(message: Message) -> None:
    assert copied(message) == codec.decode(codec.encode(message))[2]


@given(any_message)
def test_a_copy_shares_no_list(message: Message) -> None:
    again = copied(message)
    for name in field_types(type(message)):
        value = getattr(message, name)
        assert type(value) in {int, str, bytes, bool, float} or getattr(again, name) is not value
