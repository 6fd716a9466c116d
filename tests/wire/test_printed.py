"""What travels with a call's outcome ends with what the call has printed."""

from __future__ import annotations

from fedfutures.wire.payload import Payloads
from fedfutures.wire.printed import Printed, PrintedOutcome


def test_an_outcome_ends_with_what_was_printed_on_both_sides() -> None:
    payloads = Payloads()
    found = payloads.load(payloads.dump(PrintedOutcome({"a": 1}, None, "out", "err")))
    assert type(found) is PrintedOutcome
    assert (found.value, found.failure, Printed(*found[2:])) == ({"a": 1}, None, Printed("out", "err"))
