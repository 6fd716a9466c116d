"""The page of planted bugs (docs/mutants.rst): a table whose rows stay as they are until a bug is judged again."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .mutant_table import Mutant

BY_TESTS = "tests"
NOT_JUDGED = "not judged"
EARLIER = "earlier"
"""What was judged before rows said by what."""
HEAD = """\
Planted bugs
============

Whether tests would notice a bug is shown by bugs. Each of these was planted in the machines, one at a time
(``tests/simulation/mutant_table.py`` has their text), and judged by schedules of faults, from seed 1 on. If none of
them broke a law, it was judged by what all cost, by figure runs, and then by the pure tests of the machines and the
stories.

{summary}

``python -m tests.simulation.mutants --write docs/mutants.rst`` judges all bugs and writes this table. With ``--only
NAME``, or ``--again`` for those that the simulator alone has not noticed, it judges these and leaves the other rows as
they are. The last column names the commit and the number of schedules by which a bug was judged.

.. list-table::
   :header-rows: 1
   :widths: 20 38 22 12 12

   * - Bug
     - What it does
     - Noticed by
     - First
     - Judged by
"""
_ROW = re.compile(r"^   \* - ([a-z-]+)\n     - .*\n     - (.*)\n     - (.*)\n(?:     - (.*)\n)?", re.MULTILINE)


class Row(NamedTuple):
    """What noticed a bug: a law or a test; where: a seed or the name of the test; and what it was judged by."""

    by: str
    where: str
    judged: str

    @property
    def by_simulator(self) -> bool:
        """Whether the simulator alone notices it."""
        return bool(self.by) and self.by not in (BY_TESTS, NOT_JUDGED) and not self.by.startswith("nothing")


def read_page(text: str) -> dict[str, Row]:
    """Return the rows of a page by the names of the bugs."""
    return {name: Row(by, where, judged or EARLIER) for name, by, where, judged in _ROW.findall(text)}


def summary(rows: Sequence[Row]) -> str:
    """Say how many are noticed."""
    count = len(rows)
    simulated = sum(row.by_simulator for row in rows)
    noticed = sum(row.by_simulator or row.by == BY_TESTS for row in rows)
    return (
        f"Of {count} bugs the simulator alone notices {simulated} ({simulated / count:.0%}), "
        f"together with the tests {noticed} ({noticed / count:.0%})."
    )


def write_page(mutants: Sequence[Mutant], rows: Mapping[str, Row]) -> str:
    """Return the page of these bugs."""
    found = [rows.get(mutant.name, Row(NOT_JUDGED, "-", EARLIER)) for mutant in mutants]
    lines = [HEAD.format(summary=summary(found)).rstrip("\n")]
    for mutant, row in zip(mutants, found):
        cells = (mutant.what, row.by, row.where, row.judged)
        lines += [f"   * - {mutant.name}", *(f"     - {cell}" for cell in cells)]
    return "\n".join(lines) + "\n"


def version() -> str:
    """Return the commit that is checked out; with a + if something has changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=7", "--exclude=*"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "-"
