"""The page on several hosts: every reason for which a host is left out has a row, and every example can be read."""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from pathlib import Path

import pytest

from fedfutures_launcher.hosts.hostfile import from_hostfile
from fedfutures_launcher.hosts.resolve import in_run
from fedfutures_launcher.ssh.texts import failures

PAGE = (Path(__file__).parents[2] / "docs" / "deploying.rst").read_text(encoding="utf-8")

FROM_AN_INDEX = re.compile(r"pip install (?:\S+ )*?fedfutures\b(?!-).*")


def test_every_kind_of_failure_has_a_row_and_every_row_is_one() -> None:
    kinds = {row.kind for row in vars(failures).values() if isinstance(row, failures.Wording)}
    table = PAGE[PAGE.index("   * - State\n") : PAGE.index("What a login script prints")]
    rows = set(re.findall(r"^   \* - (.*)$", table, re.MULTILINE)) - {"State"}
    assert rows == kinds


def example(after: str) -> str:
    """The block that follows a line of the page."""
    found = re.search(rf"{re.escape(after)}\n\n((?:    .*\n|\n)+)", PAGE)
    assert found is not None, after
    return textwrap.dedent(found[1])


def test_the_plain_host_file_can_be_read() -> None:
    found = in_run(from_hostfile(example("may follow::"), "page"), ["here"])
    assert [(spec.name, spec.count) for spec in found] == [("here", None), ("tower", 8), ("rack1", 16), ("rack2", 16)]


@pytest.mark.skipif(
    sys.version_info < (3, 11) and importlib.util.find_spec("tomli") is None, reason="this Python reads no TOML"
)
def test_the_toml_host_file_can_be_read() -> None:
    found = in_run(from_hostfile(example(".. code-block:: toml"), "page"))
    assert [(spec.name, spec.count, spec.site) for spec in found] == [
        ("tower", 8, None), ("node1", 32, "login"), ("node2", 32, "login"), ("node3", 32, "login"), ("login", 0, None),
    ]  # fmt: skip


def test_no_command_takes_fedfutures_from_an_index_that_has_none() -> None:
    root = Path(__file__).parents[2]
    places = [root / "README.rst", *(root / "docs").rglob("*.rst")]
    places += [path for folder in ("fedfutures", "launcher") for path in (root / folder).rglob("*.py")]
    for path in places:
        found = FROM_AN_INDEX.findall(path.read_text(encoding="utf-8"))
        assert not found, (path, found)
    assert FROM_AN_INDEX.search("pip install -U fedfutures==0.1.0")
    assert FROM_AN_INDEX.search("pip install fedfutures numpy")
    assert not FROM_AN_INDEX.search("pip install ./fedfutures-*.whl numpy")
