"""A call that came back is loaded when it runs, not before; its payload is released then, whatever it does."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from fedfutures.wire.functions import FunctionCache
from fedfutures.wire.payload import Payloads
from fedfutures.worker.context import NOWHERE, Packed


class Noting(Payloads):
    """Notes what is loaded and released."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[str, bytes]] = []

    def load(self, payload: Any, *more: Any, **options: Any) -> Any:
        self.noted.append(("load", bytes(payload)))
        return super().load(payload, *more, **options)

    def release(self, payload: Any, *more: Any, **options: Any) -> Any:
        self.noted.append(("release", bytes(payload)))
        return super().release(payload, *more, **options)


def divide(dividend: int, divisor: int) -> float:
    return dividend / divisor


@pytest.mark.parametrize("divisor", [4, 0])
def test_a_packed_call_is_loaded_when_it_runs_and_released_also_when_it_raises(divisor: int) -> None:
    payloads = Noting()
    definition = FunctionCache(payloads).define(divide)
    payload = payloads.dump(((1,), {"divisor": divisor}))
    packed = Packed(payloads, definition, payload)
    assert payloads.noted == []
    if divisor:
        assert packed() == 0.25
    else:
        with pytest.raises(ZeroDivisionError):
            packed()
    assert ("load", bytes(payload)) in payloads.noted
    assert payloads.noted[-1] == ("release", bytes(payload))


def test_a_payload_that_cannot_be_loaded_is_released_too() -> None:
    payloads = Noting()
    definition = FunctionCache(payloads).define(divide)
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError)):
        Packed(payloads, definition, b"\x80\x05")()
    assert payloads.noted[-1] == ("release", b"\x80\x05")


def test_nowhere_is_on_behalf_of_no_piece() -> None:
    assert NOWHERE == (0, 0, "", 0, b"", 0, False)
