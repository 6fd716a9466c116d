"""The example of each error really raises it, and ends with the line that names its section."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from textwrap import dedent

import pytest
from launching import Ended, launch, python, write

from fedfutures.errors import ABOUT
from fedfutures_launcher.verbs.error import sections

WITHOUT = {
    "FedfuturesError", "FutureError", "SealBroken", "RemoteTraceback", "RepeatedRandomNumbers",
    "LimitsNotKept",
    "LocalProtocolError", "RemoteProtocolError", "MalformedMessage",
}  # fmt: skip
"""Those that no short program of one machine raises. tests/security/test_forged.py has SealBroken."""
BLOCKS = re.compile(
    r"\.\. code-block:: python\n   :class: (launched|plain)\n\n((?:   .*\n|\n)+)"
    r"\.\. code-block:: text\n   :class: output\n\n((?:   .*\n|\n)+)"
)
EXAMPLES = {name: found.groups() for name, text in sections().items() if (found := BLOCKS.search(text + "\n"))}
AT_ONCE = 3


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Ended]]]:
    """How each example ends; a few run at a time."""
    place = tmp_path_factory.mktemp("examples")

    def run(name: str) -> Ended:
        way, program, _ = EXAMPLES[name]
        write(place / f"{name}.py", program)
        if way == "plain":
            return python(f"{name}.py", cwd=place)
        return launch("-n", "1", f"{name}.py", cwd=place)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run, name) for name in EXAMPLES}


def test_every_error_but_a_few_has_an_example() -> None:
    assert set(EXAMPLES) == set(sections()) - WITHOUT


@pytest.mark.host
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_raises_what_it_explains(name: str, ends: dict[str, Future[Ended]]) -> None:
    ended = ends[name].result()
    assert ended.code == (0 if name == "FederationLost" else 1), ended.err  # that is the end of the forked process
    said = re.escape(" ".join(dedent(EXAMPLES[name][2]).split())).replace(r"\.\.\.", ".*?")
    assert re.search(said, " ".join(ended.err.split())), ended.err
    if f"fedfutures.errors.{name}" in said.replace("\\", "") and sys.version_info >= (3, 11):
        last = [line for line in ended.err.splitlines() if line.startswith(("fedfutures.errors.", ABOUT))][-1]
        assert last == ABOUT + name
        assert ended.err.count(ABOUT) == 1, "a traceback says it twice"
