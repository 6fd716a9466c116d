"""Each row of the catalogue is shown by a test, or says why not; and what is marked is a test."""

from __future__ import annotations

import re

import catalogue


def test_every_fault_has_a_test() -> None:
    without = [fault for fault in catalogue.ROWS if not catalogue.shown_by(fault)]
    assert without == list(catalogue.UNTESTED)


def test_every_mark_is_of_a_row_and_on_a_test() -> None:
    for mark in catalogue.marks():
        assert mark.faults
        assert set(mark.faults) <= catalogue.ROWS.keys(), mark
        assert mark.place.startswith("soak/") or re.fullmatch(r"(?:.*/)?test_\w+\.py", mark.place), mark
        assert mark.name.startswith("test_") or mark.place.startswith("soak/"), mark


def test_the_catalogue_is_whole() -> None:
    """66 faults, in order."""
    counts = {"A": 19, "B": 7, "C": 10, "D": 14, "E": 16}
    assert list(catalogue.ROWS) == [f"{part}{n}" for part, count in counts.items() for n in range(1, count + 1)]
