"""The checker from outside: a right journal breaks no law, and each law is broken by what it is there for."""

from __future__ import annotations

from pathlib import Path

import journal
import pytest

FIRST = """
origin submit origin 1
origin submit origin 2
w1 start origin 1 1
w1 result origin 1 1 0 aa
w1 start origin 2 1
w2 start origin 2 2
w2 result origin 2 2 1 ee
origin arrive origin 1 0 aa
origin resolve origin 1 value
origin state origin 2 RUNNING
origin arrive origin 2 1 ee
origin resolve origin 2 error
w1 result origin 2 1 0 bb
w1 submit alpha.1 1
w1 run alpha.1 1
w1 resolve alpha.1 1 value
w1 submit alpha.1 2
origin submit origin 3
origin resolve origin 3 cancelled
origin submit origin 4
origin arrive origin 4 2 ?
origin resolve origin 4 cancelled
origin close origin
"""
"""A Future whose Worker was lost resolves once; that of a killed Worker need not; two are cancelled, one when given."""


def log_of(text: str) -> journal.Log:
    lines = []
    for time, words in enumerate(line.split() for line in text.strip().splitlines()):
        process, event, node, *more = words
        lines.append(journal.Line(time, process, event, node, int(more.pop(0)) if more else 0, tuple(more)))
    return journal.merged(lines)


def test_a_right_journal_breaks_no_law() -> None:
    log = log_of(FIRST)
    assert journal.broken(log) == []
    assert log.counts() == {
        "submitted": 6, "value": 2, "error": 1, "cancelled": 2, "open": 1, "started elsewhere": 2, "started again": 1,
        "run where they were submitted": 1,
    }  # fmt: skip


BREAKS = [
    ("resolves_once", "origin resolve origin 1 value", "origin resolve origin 1 value\norigin resolve origin 1 value"),
    ("resolves_once", "origin resolve origin 1 value", ""),
    ("resolves_once", "origin submit origin 1", ""),
    ("resolves_once", "origin submit origin 1", "origin submit origin 1\norigin submit origin 1"),
    ("values_come_from_attempts", "w1 result origin 1 1 0 aa", ""),
    ("values_come_from_attempts", "origin arrive origin 1 0 aa", "origin arrive origin 1 0 ab"),
    ("values_come_from_attempts", "origin arrive origin 1 0 aa", ""),
    ("values_come_from_attempts", "origin arrive origin 1 0 aa", "origin arrive origin 1 4 ?"),
    ("values_come_from_attempts", "w1 run alpha.1 1", ""),
    ("values_come_from_attempts", "origin arrive origin 2 1 ee", "origin arrive origin 2 0 ee"),
    ("attempts_count_up", "w1 start origin 1 1", ""),
    ("attempts_count_up", "w1 start origin 1 1", "w1 start origin 1 1\nw1 start origin 1 1"),
    ("attempts_count_up", "w1 start origin 1 1", "w1 start origin 1 0"),
    ("attempts_count_up", "w2 start origin 2 2", "w1 start origin 2 1\nw2 start origin 2 2"),
    ("attempts_count_up", "w2 result origin 2 2 1 ee", "w2 result origin 2 2 1 ee\nw2 result origin 2 2 1 ee"),
    ("cancelled_have_no_value", "origin resolve origin 1 value", "origin resolve origin 1 cancelled"),
    ("cancelled_have_no_value", "origin close origin", "w2 start origin 3 1"),
    ("nothing_after_the_end", "origin close origin", "origin arrive origin 1 0 aa"),
    ("nothing_after_the_end", "origin close origin", "origin state origin 1 PENDING"),
    ("states_follow_pep_3148", "w1 resolve alpha.1 1 value", "w1 resolve alpha.1 1 cancelled"),
    ("states_follow_pep_3148", "w1 run alpha.1 1", "w1 run alpha.1 1\nw1 run alpha.1 1"),
]


@pytest.mark.parametrize(("law", "line", "instead"), BREAKS)
def test_each_law_is_broken_by(law: str, line: str, instead: str) -> None:
    assert FIRST.count(f"{line}\n") == 1
    found = journal.broken(log_of(FIRST.replace(f"{line}\n", f"{instead}\n" if instead else "")))
    assert law in {what.partition(":")[0] for what in found}, found


def test_every_law_is_broken_once() -> None:
    assert {law for law, _, _ in BREAKS} == {law.__name__ for law in journal.LAWS}


def test_what_its_node_got_back_may_run_there() -> None:
    text = "w submit a 1\nw state a 1 RUNNING\nw state a 1 PENDING\nw run a 1\nw resolve a 1 value\n"
    assert journal.broken(log_of(text)) == []


def test_nodes_of_one_name_are_told_apart() -> None:
    """A host is started again: its Worker has the old name, and counts from one again."""
    text = "old submit h4.1 1\nw start h4.1 1 1\nnew submit h4.1 1\nw start h4.1 1 1\nw result h4.1 1 1 0 aa\n"
    log = log_of(text + "new arrive h4.1 1 0 aa\nnew resolve h4.1 1 value\n")
    assert journal.broken(log) == []
    assert {key: len(story.lines) for key, story in log.stories.items()} == {("h4.1", 1): 2, ("h4.1 new", 1): 5}


def test_files_of_several_directories_are_one_log(tmp_path: Path) -> None:
    for place, text in (("h1", "1\tsubmit\torigin\t1\n4\tresolve\torigin\t1\tcancelled\n5\tclose\torigin\n"),
                        ("h2", "9\tstart\torigin\t1\t1\n")):  # fmt: skip
        (tmp_path / place).mkdir()
        (tmp_path / place / f"{place}-7").write_text(text)
    log = journal.read([tmp_path / "h1", tmp_path / "h2"])
    assert log.closed == {"origin": 5}
    assert [line.process for line in log.stories["origin", 1].lines] == ["h1-7", "h1-7", "h2-7"]
    assert journal.broken(log) == ["cancelled_have_no_value: ('origin', 1) was cancelled before it was given, "
                                   "and started then"]  # fmt: skip
