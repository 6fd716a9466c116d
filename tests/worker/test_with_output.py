"""Outcomes that bring what their calls have printed."""

from __future__ import annotations

from fedfutures.wire.failures import dump_failure
from fedfutures.wire.payload import Payloads
from fedfutures.wire.printed import Printed, PrintedOutcome
from fedfutures.worker.with_output import CHARACTERS_IN_NOTE, LINES_IN_NOTE, note_printed, opened


def test_a_value_and_an_error_come_with_what_was_printed() -> None:
    payloads = Payloads()
    value = payloads.dump(PrintedOutcome([1], None, "out", "err"))
    assert opened(value, payloads) == ([1], None, Printed("out", "err"))
    failure = dump_failure(ValueError("wrong"), payloads, inside=True)
    found, error, printed = opened(payloads.dump(PrintedOutcome(None, failure, "out\n", "")), payloads)
    assert (found, repr(error), printed) == (None, "ValueError('wrong')", ("out\n", ""))
    assert error is not None
    assert error.__notes__ == ["the end of its standard output:\n    out"]  # type: ignore[attr-defined]


def test_a_note_is_short() -> None:
    error = ValueError()
    note_printed(error, Printed("\n".join(f"line {number}" for number in range(1000)), "x" * 10**5))
    out, err = error.__notes__  # type: ignore[attr-defined]
    assert out.splitlines()[1:] == [f"    line {number}" for number in range(1000 - LINES_IN_NOTE, 1000)]
    assert len(err) < CHARACTERS_IN_NOTE + 100
    silent = ValueError()
    note_printed(silent, Printed("", ""))
    assert not hasattr(silent, "__notes__")
