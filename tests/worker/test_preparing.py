"""What a Worker does before its first Future; in a process of its own, for it changes the process that it is in."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fedfutures.supervision.actions import INITIALIZER_EXIT_CODE
from fedfutures.worker import initializing

ROOT = Path(__file__).parents[2]
BEGINNING = """
import os, sys
from fedfutures.host.settings import Settings
from fedfutures.wire.payload import Payloads
from fedfutures.worker import driver
from fedfutures.worker.ground import Ground
from fedfutures.worker.preparing import Preparation
from fedfutures.worker.worker import Worker
from tests.worker.benches import Wire
driver.MainDealer = driver.MetaSubscriber = Wire
os.environ["BEFORE"] = "1"
ground = Ground()
places = {"main": "", "meta": "", "shared": ""}
worker = Worker(None, places, "w", Payloads(), 1, cells=[0] * 24, control=os.pipe()[0], ground=ground)

def prepare(**settings):
    Preparation(Settings("h", 1, 1, **settings), worker, ground).run()
"""


def prepared(text: str, place: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = BEGINNING + textwrap.dedent(text) + "\nsys.stdout.flush()\nos._exit(0)\n"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=place or ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip


def set_variable(value: str) -> None:
    os.environ["SET"] = value


def fail() -> None:
    raise ValueError("not today")


def test_what_is_set_before_the_first_future_is_what_each_begins_from() -> None:
    body = initializing.pack(set_variable, ("by the initializer",))
    ended = prepared(f"""
        prepare(initializer={body!r})
        environment = worker.state.base["environment"]
        print(environment[b"BEFORE"], environment[b"SET"])
        os.environ["SET"] = "by a Future"
        print(worker.state.dirty)
        worker.state.restore()
        print(os.environ["SET"])
        print(sorted(vars(sys.modules["__main__"]).keys() & {{"prepare", "__name__"}}))
    """)
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "b'1' b'by the initializer'", "{'environment'}", "by the initializer", "['__name__']",
    ]  # fmt: skip


def test_an_initializer_that_raises_ends_the_worker() -> None:
    body = initializing.pack(fail, ())
    ended = prepared(f"prepare(initializer={body!r})")
    assert ended.returncode == INITIALIZER_EXIT_CODE
    assert "ValueError: not today" in ended.stderr


PROGRAM = """
import os
import sys
os.environ["SET"] = __name__
if {raises}:
    raise RuntimeError("no program")
def answer():
    return 42
"""


@pytest.mark.parametrize(("raises", "found"), [(False, "42"), (True, "no answer")])
def test_the_program_is_imported_under_another_name_than_main(tmp_path: Path, raises: bool, found: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(raises=raises))
    ended = prepared(f"""
        prepare(program=("file", {str(tmp_path / "program.py")!r}))
        main = sys.modules["__main__"]
        print(os.environ["SET"], main is sys.modules["__mp_main__"])
        print(main.answer() if hasattr(main, "answer") else "no answer")
    """)
    assert ended.stdout.splitlines() == ["__mp_main__ True", found], ended.stderr


def test_what_a_module_sets_that_is_imported_in_a_future_stays(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("import os\nos.environ['LATE'] = 'set'\n")
    ended = prepared(
        """
        sys.path.insert(0, "")
        prepare()
        os.environ["OF_FUTURE"] = "set"
        import late
        worker.state.restore()
        print(os.environ.get("LATE"), os.environ.get("OF_FUTURE"))
        """,
        tmp_path,
    )
    assert ended.stdout.splitlines() == ["set None"], ended.stderr


def test_futures_are_asked_for_only_once_it_is_prepared() -> None:
    ended = prepared("""
        noted = []
        worker.duties.take_more = lambda more: noted.append((more, bool(worker.state.base)))
        prepare()
        print(noted)
    """)
    assert ended.stdout.splitlines() == ["[(True, True)]"], ended.stderr
