"""Suites of tests that are run in one process and in Workers."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from launching import Ended, Running

MIXED = {
    "conftest.py": """
        import pytest

        @pytest.fixture(scope="module")
        def place(request):
            yield request.module.__name__
            print("the module ends")

        def pytest_runtest_makereport(item, call):
            if call.when == "call":
                item.user_properties.append(("made", True))
    """,
    "test_many.py": """
        import logging, os, sys, unittest, warnings
        import pytest

        class TestUnit(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.value = 1
            def test_one(self):
                self.assertEqual(self.value, 1)
            def test_two(self):
                self.assertEqual(self.value, 2)
            @unittest.skip("not now")
            def test_three(self):
                pass

        @pytest.fixture
        def broken():
            raise ValueError("in the fixture")

        def test_error(broken):
            pass

        def test_output(place):
            logging.getLogger("of.test").warning("logged")
            print("printed", file=sys.stderr)
            os.write(1, b"written\\n")
            assert {"a": [1, 2]} == {"a": [1, 3]}

        @pytest.mark.xfail(strict=True)
        def test_strict():
            pass

        @pytest.mark.xfail(reason="known")
        def test_known():
            assert False

        def test_warning():
            warnings.warn("of a test", DeprecationWarning)

        @pytest.mark.parametrize("text", ["a", "b/c", "d::e", "\\u00e9", "x" * 300])
        def test_text(text, place):
            assert place == "test_many"
    """,
    "sub/test_more.py": """
        import pytest

        @pytest.fixture(scope="class")
        def value():
            yield 1

        class TestClass:
            @pytest.mark.parametrize("number", range(30))
            def test_number(self, number, value):
                assert number % 10 != 9
    """,
    "sub/test_same.py": """
        def test_number(place, tmp_path, capsys):
            print("kept")
            assert capsys.readouterr().out == "kept\\n"
    """,
}


def lay_out(directory: Path, files: dict[str, str]) -> Path:
    """Write the files of a suite."""
    for name, text in {"pytest.ini": "[pytest]\n", **files}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return directory


def run(directory: Path, *words: str) -> Ended:
    """Run pytest in a directory."""
    running = start(directory, *words)
    ended = running.end()
    assert running.gone()
    return ended


def start(directory: Path, *words: str) -> Running:
    own = ("-p", "no:hypothesispytest", "-p", "no:randomly", "--color=no")
    return Running(["-m", "pytest", *own, *words], cwd=directory, fedfutures=False, env={"PYTEST_ADDOPTS": ""})


def both(directory: Path, files: dict[str, str], *words: str) -> tuple[Ended, Ended]:
    """Run a suite in one process and in two Workers, each in a directory of its own."""
    one = run(lay_out(directory / "one", files), *words)
    return one, run(lay_out(directory / "two", files), *words, "--fed", "2")


def without_places(text: str) -> str:
    """Leave out of an output what differs from one run to the next."""
    text = re.sub(r"\bin \d+\.\d+s\b", "", text)
    text = re.sub(r"pytest-of-\w+/pytest-\d+(/popen-gw\d+)?", "BASE", text)
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    return "\n".join(line.strip("= ") for line in text.splitlines() if not line.startswith("fedfutures: "))
