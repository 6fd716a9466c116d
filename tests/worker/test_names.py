"""Names that are no UTF-8: of the program, its directory, its arguments, of functions, in values and in output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = """\
import os, sys
import fedfutures
from fedfutures import Executor, explain, futures, shared, statistics
import helper

class Thing:
    def __init__(self, x): self.x = x
def see(*args): return sys.argv[1:], os.getcwd(), __file__, os.environ.get("ODD"), args
def use(x): return helper.more(x), Thing(x).x
def fail(): raise ValueError("caf\\udce9")
def odd(): return 5
def lone(): return 6
def say(): print("said caf\\udce9 \\ud800"); os.write(1, b"written caf\\xe9\\n")
def read(): return open(shared.file(sys.argv[0])).read(9)
def kill(): os._exit(3)
for function, name in (odd, "od\\udce9"), (lone, "lo\\ud800ne"), (kill, "ki\\udce9ll"):
    function.__name__ = function.__qualname__ = name
    globals()[name] = function

def run(submit):
    os.environ["ODD"] = "caf\\udce9"
    assert submit(see, "x\\udce9").result() == see("x\\udce9"), submit(see).result()
    assert submit(use, 3).result() == (4, 3)
    error = submit(fail).exception()
    assert (type(error), str(error)) == (ValueError, "caf\\udce9"), error
    assert [submit(odd).result(), submit(lone).result(), submit(lambda: odd() + lone()).result()] == [5, 6, 11]
    submit(say).result()
    explain(submit(lone)).encode("ascii", "backslashreplace")
    statistics()
    if "executor" not in sys.argv:
        shared.file(sys.argv[0])
        assert submit(read).result() == "import os"
    os.mkdir("sub\\udce9")
    os.chdir("sub\\udce9")
    assert submit(os.getcwd).result() == os.getcwd()
    print("right", type(submit(kill).exception()).__name__, submit(abs, -1).result())

{guard}
    if "executor" in sys.argv:
        with Executor(2) as executor: run(executor.submit)
    else:
        run(futures.submit)
"""


@pytest.mark.parametrize("way", ["launched", "executor"])
@pytest.mark.parametrize("guard", ["if __name__ == '__main__':", "if True:"], ids=["guarded", "unguarded"])
def test_names_that_are_no_utf8(tmp_path: Path, guard: str, way: str) -> None:
    place = os.fsencode(tmp_path) + b"/plac\xe9"
    os.mkdir(place)
    for name, text in ((b"/pr\xe9og.py", PROGRAM.format(guard=guard)), (b"/helper.py", "def more(x): return x + 1\n")):
        with open(place + name, "w") as file:
            file.write(text)
    launcher = ["-m", "fedfutures", "--no-prefix", "-n", "2"] if way == "launched" else []
    command = [sys.executable, *launcher, b"pr\xe9og.py", way, b"caf\xe9.txt"]
    ended = subprocess.run(command, cwd=place, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b""), ended
    lines = ended.stdout.decode().splitlines()
    assert sorted(lines) == ["right PoisonedFuture 1", r"said caf\udce9 \ud800", r"written caf\xe9"]


def test_a_plan(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/pr\xe9og.py", "w") as file:
        file.write("print(1)")
    command = [sys.executable, "-m", "fedfutures", "-n", "1", "--dry-run", b"pr\xe9og.py", b"caf\xe9"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert rb"pr\udce9og.py" in ended.stdout
