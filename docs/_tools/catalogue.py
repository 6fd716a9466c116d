"""The table of faults, made from the catalogue and from the marks in the tests."""

from __future__ import annotations

from tests.faults import catalogue

HEAD = ("", "Fault", "What you see", "Noticed after", "Shown by")


def rows() -> list[tuple[str, ...]]:
    """Return the cells of the table."""
    return [(number, row.fault, row.sees, row.noticed, shown_by(number)) for number, row in catalogue.ROWS.items()]


def shown_by(number: str) -> str:
    """Return the tests that show a fault, or why there is none."""
    if number in catalogue.UNTESTED:
        return f"no test: {catalogue.UNTESTED[number]}"
    files: dict[str, list[str]] = {}
    for mark in catalogue.shown_by(number):
        files.setdefault(mark.place, []).append(mark.name)
    return "; ".join(
        f"``{place}``: {', '.join(n.replace('_', ' ').removeprefix('test ') for n in names)}"
        for place, names in files.items()
    )
