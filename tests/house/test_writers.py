"""One writer per field: what a class has is assigned in its own module only, and what is private is read there only.

What is left may only become less: giving a Future to the Broker and settling it read its call and its number directly,
for a function would cost a call for each; the rest are objects of others that have fields of the same names as ours.
"""

from __future__ import annotations

from . import figures, tree

WRITES_AT_MOST = 4
READS_AT_MOST = 9
READS_OF_TESTS_AT_MOST = 0


def test_fields_are_written_where_they_are_defined() -> None:
    assert len(found := list(figures.foreign_writes())) <= WRITES_AT_MOST, found


def test_private_names_are_read_where_they_are_defined() -> None:
    assert len(found := list(figures.private_reads(tree.modules().values()))) <= READS_AT_MOST, found


def test_tests_read_no_private_names() -> None:
    assert len(found := list(figures.private_reads(tree.tests()))) <= READS_OF_TESTS_AT_MOST, found
