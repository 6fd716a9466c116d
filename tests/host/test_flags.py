"""Options of the program's interpreter, and its environment, are those of its Workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from launching import launch, python, write

from fedfutures.host.flags import for_another, interpreter_flags, main_command, shown
from fedfutures_launcher.remote.hello import HelloReader
from fedfutures_launcher.ssh.texts.command import remote_command

ALL = ["-OO", "-bb", "-s", "-W", "error::UserWarning", "-X", "dev", "-X", "int_max_str_digits=5000", "-u"]


def flags_of(*options: str, env: dict[str, str] | None = None) -> list[str]:
    code = "from fedfutures.host.flags import interpreter_flags; print(interpreter_flags())"
    ended = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, env=env, check=True)
    found: list[str] = eval(ended.stdout)
    return found


@pytest.mark.host
@pytest.mark.parametrize(
    "options",
    [
        [], ["-O"], ["-I"], ["-I", "-B"],
        ["-E", "-s"], ["-b"], ["-bb", "-Wignore"], ["-Werror", "-Wignore::UserWarning"],
        ["-X", "dev", "-X", "utf8"], ["-X", "utf8=0"], ["-X", "ours=5"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_process_with_the_same_flags_has_the_same_flags(options: list[str]) -> None:
    flags = flags_of(*options, env={})
    assert flags == flags_of(*flags, env={})
    assert len(flags) >= len(options)


def test_what_is_shown() -> None:
    assert shown(main_command("a.b", ["python3"], ["-W", "a b"], "/root")) == "python3 -W 'a b' -m a.b"
    assert for_another(["-I", "-P", "-O"]) == ["-I", "-O"]
    assert for_another(["-I", "-P", "-O"], host=True) == ["-O"]
    assert isinstance(interpreter_flags(), list)


PROGRAM = """\
import sys, warnings
from fedfutures import Executor, futures

def look():
    return (str(sys.flags), sys.warnoptions, sys._xoptions, str(warnings.filters), sys.get_int_max_str_digits(),
            sys.stdout.write_through, sys.stdout.line_buffering or sys.stdout.write_through, hash("text"))
def raises():
    try: warnings.warn("now")
    except UserWarning: return "raised"
if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    if "executor" in sys.argv:
        with Executor(2) as ex: found = ex.submit(look).result(), ex.submit(raises).result()
    else:
        found = futures.submit(look).result(), futures.submit(raises).result()
    print(found == (look(), raises()) or (found, look()), found[1])
"""


@pytest.mark.host
@pytest.mark.parametrize("way", ["launched", "executor"])
def test_workers_have_them(tmp_path: Path, way: str) -> None:
    program = write(tmp_path / "prog.py", PROGRAM)
    env = {"PYTHONHASHSEED": "7"}
    if way == "launched":
        ended = launch("-n", "2", str(program), flags=ALL, env=env)
    else:
        ended = python(str(program), "executor", flags=ALL, env=env)
    assert (ended.out, ended.err, ended.code) == ("True raised\n", "", 0)


@pytest.mark.host
@pytest.mark.parametrize("flags", [["-I"], ["-W", "error", "-X", "dev", "-bb"], ["-E", "-s", "-O"]], ids=" ".join)
def test_neither_host_process_nor_broker_minds(tmp_path: Path, flags: list[str]) -> None:
    write(
        tmp_path / "prog.py",
        """\
        import warnings
        from fedfutures import futures
        def work(x): return x + sum(futures.map(abs, range(x)))
        def data(x): return bytes(x)
        if __name__ == "__main__":
            print(sum(futures.map(work, range(50))), len(futures.submit(data, 3_000_000).result()))
        """,
    )
    write(
        tmp_path / "path" / "msgpack" / "__init__.py",
        f"""\
        import importlib, sys, warnings
        if sys.argv[0] == "-c":
            warnings.warn("of what a host process loads")
        del sys.modules["msgpack"]
        sys.path.remove({str(tmp_path / "path")!r})
        importlib.import_module("msgpack")
        """,
    )
    env = {"PYTHONPATH": str(tmp_path / "path")}
    ended = launch("-n", "2", "-b", "2", "prog.py", cwd=tmp_path, flags=flags, env=env)
    assert (ended.out, ended.err, ended.code) == ("20825 3000000\n", "", 0)


@pytest.mark.host
def test_those_of_another_host() -> None:
    """The remote command passes them on, whatever a shell would make of them."""
    flags = ["-O", "-Werror:it's $HOME:UserWarning", "-X", "dev"]
    plain = remote_command([sys.executable], flags=flags, hash_seed="5")
    ended = subprocess.run(["sh", "-c", plain], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    reader = HelloReader()
    reader.feed(ended.stdout)
    assert reader.hello is not None
    assert reader.hello.error is None
    assert (ended.returncode, b"Invalid -W" in ended.stderr) == (0, False), ended
