"""The documentation builds without warnings, its programs run and print what it says, and it names what exists."""

from __future__ import annotations

import dataclasses
import html
import importlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
from launching import launch, python, write

from fedfutures.wire import messages
from fedfutures.wire.control import CONTROL_CODES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES_WITH_PROGRAMS = ("tutorial", "program", "random", "checkpoints", "limits", "known", "api")
WITH_PROGRAMS = [ROOT / "README.rst", *(DOCS / f"{name}.rst" for name in PAGES_WITH_PROGRAMS)]
PAGES = [ROOT / "README.rst", *sorted(DOCS.rglob("*.rst"))]
BUILD_SECONDS = 100.0

BLOCK = re.compile(
    r"^\.\. code-block:: (?P<kind>\w+)\n(?P<options>(?:   :.*\n)*)\n(?P<text>(?:   .*\n|\n)+)", re.MULTILINE
)


@dataclass(frozen=True)
class Program:
    """A program of a page: how it is to be run, and what the page says it prints (None: says nothing)."""

    name: str
    ways: tuple[str, ...]
    text: str
    output: str | None


def programs() -> Iterator[Program]:
    """Every Python block, with the block of class ``output`` that follows it."""
    for page in WITH_PROGRAMS:
        blocks = list(BLOCK.finditer(page.read_text(encoding="utf-8")))
        for block, following in itertools.zip_longest(blocks, blocks[1:]):
            if block["kind"] == "python":
                line = page.read_text(encoding="utf-8")[: block.start()].count("\n") + 1
                says = following is not None and "output" in classes(following)
                output = dedent(following["text"]).strip() if says else None
                yield Program(f"{page.stem}:{line}", tuple(classes(block)), dedent(block["text"]), output)


def classes(block: re.Match[str]) -> list[str]:
    found = re.search(r":class: (.*)", block["options"])
    return found[1].split() if found else []


PROGRAMS = list(programs())


@pytest.mark.host
@pytest.mark.parametrize(
    ("program", "way"),
    [(program, way) for program in PROGRAMS for way in program.ways],
    ids=[f"{program.name}-{way}" for program in PROGRAMS for way in program.ways],
)
def test_programs_run_and_print_what_the_page_says(program: Program, way: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", program.text)
    ended = launch("-n", "2", "prog.py", cwd=tmp_path) if way == "launched" else python("prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out.strip() == (program.output or "")


def test_every_program_says_how_it_is_run() -> None:
    assert len(PROGRAMS) > 12
    for program in PROGRAMS:
        assert program.ways, f"{program.name}: give it the class launched, plain, or both"
        assert set(program.ways) <= {"launched", "plain"}, program.name


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as HTML; a warning is an error."""
    pytest.importorskip("sphinx")
    target = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(target / "trees")]
    done = subprocess.run(
        [*command, str(DOCS), str(target / "html")], cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return target / "html"


@pytest.mark.host
def test_the_documentation_builds_without_warnings(built: Path) -> None:
    for page in DOCS.rglob("*.rst"):
        assert (built / page.relative_to(DOCS).with_suffix(".html")).is_file()


@pytest.mark.host
def test_the_wire_page_lists_every_message_and_field(built: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", (built / "wire.html").read_text(encoding="utf-8")))
    sections = re.split(r"\bCode (?=\d+, (?:sequenced|outside the numbering)\.)", text)[1:]
    assert len(sections) == len(messages.CODES)
    for section, (code, kind) in zip(sections, messages.CODES.items()):
        assert section.startswith(f"{code}, {'outside' if kind in messages.UNSEQUENCED else 'sequenced'}")
        assert letters(kind.__doc__ or "") in letters(section)
        for field in dataclasses.fields(kind):
            assert re.search(rf"\b{field.name}\b", section), (kind, field.name)


@pytest.mark.host
def test_the_control_page_lists_every_frame_and_field(built: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", (built / "control.html").read_text(encoding="utf-8")))
    sections = re.split(r"\bCode (?=\d+\. )", text)[1:]
    assert len(sections) == len(CONTROL_CODES)
    for section, (code, kind) in zip(sections, CONTROL_CODES.items()):
        assert section.startswith(f"{code}. ")
        assert letters(kind.__doc__ or "") in letters(section)
        for field in dataclasses.fields(kind):
            assert re.search(rf"\b{field.name}\b", section), (kind, field.name)


def letters(text: str) -> str:
    """Leave out what typography may change."""
    return re.sub(r"\W", "", text)


@pytest.mark.host
def test_drawings_stand_in_their_pages(built: Path) -> None:
    for page, count in (("architecture", 4), ("federation", 3), ("states", 4), ("hosts", 1)):
        assert (built / f"{page}.html").read_text(encoding="utf-8").count("<svg") == count


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("_tools.figures")


def test_drawings_name_code_that_exists(figures: ModuleType) -> None:
    named = {
        name for figure in figures.DRAWINGS.values() for arrow in getattr(figure, "arrows", ()) for name in arrow.by
    }
    assert len(named) > 20
    for name in named:
        module, _, path = name.partition(":")
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        assert callable(found), name


def test_nothing_in_a_drawing_covers_anything_else(figures: ModuleType) -> None:
    collisions = importlib.import_module("_tools.drawing").collisions
    for name, figure in figures.DRAWINGS.items():
        assert not (hasattr(figure, "arrows") and collisions(figure)), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"``((?:tests|docs|fedfutures|launcher|benchmarks)/[\w./-]*)``", text)):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_a_test_of_faults_is_named_in_each_row() -> None:
    rows = re.split(r"\n   \* - ", (DOCS / "faults.rst").read_text(encoding="utf-8"))[1:]
    assert len(rows) > 25
    for row in rows:
        what, *_, shown = re.split(r"\n     - ", row)
        assert what == "What happens" or shown.startswith("``tests/"), what
