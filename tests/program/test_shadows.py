"""Modules of the working directory, or beside the program, that have names of ours or of the standard library."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from launching import launch, python, write

from fedfutures.program.shadows import before_the_standard_library, loaded, make_room, shadowed

OURS = ("msgpack", "zmq", "greenlet", "cloudpickle", "paramiko", "launcher", "host", "program", "settings")
STANDARD = (
    "argparse", "dataclasses", "inspect", "json", "logging", "multiprocessing", "pickle", "queue", "random", "secrets",
    "select", "shlex", "signal", "socket", "subprocess", "tempfile", "threading", "typing", "uuid",
)  # fmt: skip
WORK = """\
from fedfutures import futures
def more(x): return x + 1
if __name__ == "__main__":
    print(sum(futures.map(more, range(9))), futures.submit(lambda: 3).result())
"""


@pytest.mark.host
def test_nothing_of_ours_comes_from_the_working_directory(tmp_path: Path) -> None:
    program = write(tmp_path / "program" / "prog.py", WORK)
    here = tmp_path / "here"
    for name in OURS + STANDARD:
        write(here / f"{name}.py", f"raise SystemExit('{name} of the working directory')")
    ended = launch("-n", "2", str(program), cwd=here)
    assert (ended.out, ended.err, ended.code) == ("45 3\n", "", 0)


@pytest.mark.host
def test_the_host_process_of_an_executor(tmp_path: Path) -> None:
    """The program has its own modules, and the host process ours. (Its own process is the program's affair.)"""
    text = WORK.replace("import futures", "import Executor").replace(
        "    print", "    with Executor(2) as futures: print"
    )
    program = write(tmp_path / "program" / "prog.py", text)
    here = tmp_path / "here"
    for name in OURS + STANDARD:
        write(here / f"{name}.py", f"raise SystemExit('{name} of the working directory')")
    ended = python(str(program), cwd=here)
    assert (ended.out, ended.err, ended.code) == ("45 3\n", "", 0)


BESIDE = """\
import sys
import greenlet, json, launcher, msgpack, random, secrets, select
from fedfutures import futures

MODULES = [greenlet, json, launcher, msgpack, random, secrets, select]
def names(): return [module.NAME for module in MODULES]
def later():
    import queue, tempfile
    return queue.NAME, tempfile.NAME, hasattr(random, "choice"), hasattr(select, "poll")
def is_of(thing): return type(thing) is random.Thing
def run(submit):
    print(*names())
    print(submit(names).result() == names(), *submit(later).result(), submit(is_of, random.Thing()).result())
    random.NAME = "changed"
    print(submit(random.value).result(), submit(lambda: random.NAME).result(), sum(futures.map(abs, range(9))))
{guard}
    run(futures.submit)
"""


@pytest.mark.host
@pytest.mark.parametrize("guard", ["if __name__ == '__main__':", "if True:"], ids=["guarded", "unguarded"])
def test_the_program_sees_its_own_first(tmp_path: Path, guard: str) -> None:
    for name in ("greenlet", "launcher", "msgpack", "random", "secrets", "select", "queue", "tempfile"):
        write(tmp_path / f"{name}.py", f"NAME = 'own-{name}'\nclass Thing: pass\ndef value(): return NAME\n")
    write(tmp_path / "json" / "__init__.py", "NAME = 'own-json'")
    write(tmp_path / "prog.py", BESIDE.format(guard=guard))
    names = "own-greenlet own-json own-launcher own-msgpack own-random own-secrets own-select"
    if "select" in sys.builtin_module_names:
        pytest.skip("nobody can have a select.py here")
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.err, ended.code) == (
        f"{names}\nTrue own-queue own-tempfile False False True\nchanged changed 36\n", "", 0,
    )  # fmt: skip


def test_what_a_process_is_made_of_is_not_to_be_replaced() -> None:
    """A package has a ``__main__.py`` beside its programs, and a checkout of this project has ``fedfutures``."""
    found = loaded()
    assert "pytest" in found
    assert not {"__main__", "fedfutures", "os", "sys", "cloudpickle"} & found


def test_what_is_shadowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "json.py", "")
    write(tmp_path / "shlex" / "__init__.py", "")
    write(tmp_path / "logging" / "data.txt", "a directory that is no package of that name")
    for name in ("os.py", "sys.py", "fedfutures.py", "cloudpickle.py", "not_loaded.py", "token.txt"):
        write(tmp_path / name, "")
    import json
    import logging
    import shlex

    places = before_the_standard_library([str(tmp_path), *sys.path])
    assert places[0] == str(tmp_path)
    assert os.path.dirname(os.__file__) not in places
    names = shadowed([str(tmp_path), str(tmp_path / "none")])
    assert names == ["json", "shlex"]
    assert shadowed([os.path.dirname(os.__file__)]) == []
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    make_room(names)
    assert not {"json", "json.decoder", "shlex"} & sys.modules.keys()
    assert sys.modules["logging"] is logging
    assert (json, shlex) != (None, None)
