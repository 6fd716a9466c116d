"""Programs under ``python -m fedfutures`` look, print, fail and end as under plain ``python``."""

from __future__ import annotations

import os
import pstats
import re
import signal
import sys
import textwrap
import time
import zipapp
from pathlib import Path

import pytest
from launching import LIMIT_SECONDS, Ended, Running, eventually, launch, python, write

from fedfutures.host.system import processors

pytestmark = pytest.mark.host

PROBE = """
    import os, sys
    print(__name__, globals().get("__file__", "no file"), __doc__, __package__)
    print(__spec__ and __spec__.name, sys.modules["__main__"].__dict__ is globals())
    print(sys.argv, os.getcwd(), sys.path)
    print(os.path.basename(sys.orig_argv[0]), sys.flags.interactive)
"""
FUTURES = "from fedfutures import futures\n"


def same(*arguments: str, cwd: Path, stdin: str | None = None, options: tuple[str, ...] = ("-n", "1")) -> Ended:
    """Run under plain ``python`` and under fedfutures; see that nothing differs."""
    plain = python(*arguments, cwd=cwd, stdin=stdin)
    ours = launch(*options, *arguments, cwd=cwd, stdin=stdin)
    assert _without_dots(ours.out) == _without_dots(plain.out)
    assert _without_runpy(ours.err) == _without_runpy(plain.err)
    assert ours.code == plain.code
    return ours


def _without_dots(text: str) -> str:
    return text.replace("/./", "/")  # some versions of Python keep them


def _without_runpy(text: str) -> str:
    """What stands above the program is not compared, nor how deep a recursion went before it was too deep."""
    text = re.sub(r"repeated \d+ more times", "repeated", text)
    text = re.sub(r'  File ".*[/\\]runpy\.py", .*\n    .*\n', "", text)  # Python 3.10 has it as a file
    return re.sub(r'  File "<frozen runpy>", .*\n', "", text)


# -- what the program sees -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("programs").resolve()
    write(top / "prog.py", PROBE)
    write(top / "below" / "prog.py", '"""Its text."""\nimport neighbour\nprint(neighbour.name)\n')
    write(top / "below" / "neighbour.py", 'name = __name__ + " found"\n')
    (top / "link.py").symlink_to(top / "below" / "prog.py")
    write(top / "package" / "__init__.py", "")
    write(top / "package" / "__main__.py", PROBE)
    write(top / "package" / "module.py", PROBE)
    write(top / "folder" / "__main__.py", PROBE)
    (top / "empty").mkdir()
    zipapp.create_archive(top / "folder", top / "archive.pyz")
    return top


@pytest.mark.parametrize(
    "line",
    [
        "prog.py a -n 3",
        "./prog.py",
        "below/prog.py",
        "link.py",
        "-m prog --help",
        "-m package x",
        "-m package.module",
        "folder 1",
        "./folder/",
        "archive.pyz -v",
    ],
)
def test_a_program_finds_itself_as_under_plain_python(place: Path, line: str) -> None:
    assert same(*line.split(), cwd=place).out


def test_an_absolute_path_from_elsewhere(place: Path, tmp_path: Path) -> None:
    same(str(place / "prog.py"), "x", cwd=tmp_path)
    same(str(place / "below" / "prog.py"), cwd=tmp_path)


def test_code_from_the_command_line(place: Path) -> None:
    same("-c", PROBE.replace("\n    ", "\n"), "x", "-y", cwd=place)


def test_code_from_standard_input(place: Path) -> None:
    same("-", "x", "-y", cwd=place, stdin=PROBE.replace("\n    ", "\n"))


def test_options_may_stand_against_their_values(place: Path) -> None:
    same("-cimport sys; print(sys.argv)", "x", cwd=place)
    same("-mprog", "x", cwd=place)


def test_the_program_may_read_standard_input(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "import sys\nprint(input(), sys.stdin.read())\n")
    assert same("prog.py", cwd=tmp_path, stdin="first\nsecond\n").out == "first second\n\n"


def test_a_safe_path_stays_safe(place: Path) -> None:
    for line in ("prog.py", "-m this", "-c pass"):
        plain = python(*line.split(), cwd=place, flags=["-I"])
        assert launch("-n", "1", *line.split(), cwd=place, flags=["-I"]) == plain


def test_atexit_and_output_without_newline(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "import atexit\natexit.register(print, 'last')\nprint('first, ', end='')\n")
    assert same("prog.py", cwd=tmp_path).out == "first, last\n"


# -- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('it went wrong')", 1),
        ("sys.exit(('a', 1))", 1),
        ("sys.exit(256 + 7)", 7),
        ("raise SystemExit(True)", 1),
        ("exit(4)", 4),
        ("os._exit(5)", 5),
        ("os.kill(os.getpid(), 9)", -9),
        ("os.abort()", -6),
    ],
)
def test_exit_codes(end: str, code: int, tmp_path: Path) -> None:
    program = f"import os, sys\n{FUTURES}print(futures.submit(pow, 2, 5).result(), flush=True)\n{end}\n"
    write(tmp_path / "prog.py", program)
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    plain = python("prog.py", cwd=tmp_path)
    assert ended.code == plain.code == code
    assert ended.out == "32\n"
    assert ended.err == _without_serial_note(plain.err)


def _without_serial_note(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if "run serially" not in line)


FAILING = {
    "plain": "def f():\n    return 1 / 0\n\nf()\n",
    "chained": "def f():\n    try:\n        {}['x']\n    except KeyError as e:\n        raise ValueError('é') from e\n"
    + "f()\n",
    "own class": "class Odd(Exception):\n    pass\nclass Uses:\n    def __call__(self): raise Odd(1, 2)\nUses()()\n",
    "base": "raise BaseException('base')\n",
    "group": "import sys\nif sys.version_info < (3, 11):\n    raise OSError(2)\n"
    + "raise ExceptionGroup('g', [ValueError(1), OSError()])\n",
    "syntax": "x = 1\ny = = 2\n",
    "indent": "if True:\nprint(1)\n",
    "hook": "import sys\nsys.excepthook = lambda *a: print('hooked', a[0].__name__)\n1 / 0\n",
    "import": "import there_is_no_such_module\n",
    "recursion": "def f(n):\n    return f(n + 1)\nf(0)\n",
    "interrupt": "raise KeyboardInterrupt\n",
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_program_prints_the_traceback_of_plain_python(name: str, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(FAILING[name])
    ended = same("prog.py", cwd=tmp_path)
    assert ended.code in (1, -signal.SIGINT)
    assert ended.err or name == "hook"


def test_failing_code_from_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "failing.py", "def f():\n    1 / 0\nf()\n")
    write(tmp_path / "wrong.py", "x = = 1\n")
    same("-m", "failing", cwd=tmp_path)
    same("-c", "1 / 0", cwd=tmp_path)
    same("-c", "x = = 1", cwd=tmp_path)
    same("-", cwd=tmp_path, stdin="import os\nos.nothing\n")
    same("-", cwd=tmp_path, stdin="x = = 1\n")


def test_the_exception_of_a_future_shows_where_it_was_raised(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import futures

        def inverse(x):
            return 1 / x

        if __name__ == "__main__":
            futures.submit(inverse, 0).result()
        """,
    )
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert ended.code == 1
    assert "return 1 / x" in ended.err
    assert re.search(r"\nZeroDivisionError: division by zero\n(in inverse\(x=0\), on .*\n)?$", ended.err)
    assert "fedfutures_launcher" not in ended.err
    assert "launcher/" not in ended.err


def test_what_was_submitted_is_done_before_the_end(tmp_path: Path) -> None:
    program = f"import time, os\n{FUTURES}"
    program += "def touch(n):\n    time.sleep(0.05)\n    open(f'done-{n}', 'w').close()\n"
    program += "for n in range(6): futures.submit(touch, n)\n"
    write(tmp_path / "prog.py", program)
    assert launch("-n", "2", "prog.py", cwd=tmp_path).code == 0
    assert len(list(tmp_path.glob("done-*"))) == 6


# -- signals ---------------------------------------------------------------------------------------------------------

BUSY = """
    import os, sys, time
    from fedfutures import futures

    def busy():
        os.system("sleep 100 & echo started; wait")

    if __name__ == "__main__":
        fs = [futures.submit(busy) for _ in range(4)]
        {waits}
"""


def _stop(tmp_path: Path, number: int, waits: str, started: int = 2) -> Ended:
    write(tmp_path / "prog.py", BUSY.format(waits=waits))
    running = Running(["-n", "2", "prog.py"], cwd=tmp_path)
    try:
        assert running.process.stdout is not None
        for _ in range(started):
            assert "started" in running.process.stdout.readline()
        time.sleep(0.1)
        os.kill(running.process.pid, number)
        began = time.monotonic()
        ended = running.end(seconds=10)
        assert time.monotonic() - began < 5
        assert running.gone(), running.processes()
    finally:
        running.kill()
    return ended


@pytest.mark.fault("E8")
@pytest.mark.parametrize("waits", ["fs[0].result()", "futures.wait(fs)", "time.sleep(60)", "while True: pass"])
def test_ctrl_c_ends_everything(waits: str, tmp_path: Path) -> None:
    ended = _stop(tmp_path, signal.SIGINT, waits)
    assert ended.code == -signal.SIGINT
    lines = ended.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{tmp_path / "prog.py"}", line 10, in <module>' in lines[1] or "prog.py" in lines[1]
    assert lines[2].strip() == waits
    assert lines[-2:] == ["KeyboardInterrupt", "fedfutures: the program was interrupted: 4 Futures were cut off"]


def test_ctrl_c_looks_as_under_plain_python(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    seen = []
    for fedfutures in (False, True):
        running = Running(["prog.py"], cwd=tmp_path, fedfutures=fedfutures)
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == "up\n"
        time.sleep(0.2)
        os.kill(running.process.pid, signal.SIGINT)
        seen.append(running.end(seconds=5))
        assert running.gone()
    assert seen[0] == seen[1]
    assert seen[1].code == -signal.SIGINT


@pytest.mark.fault("E9")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_other_signals_end_everything(number: int, tmp_path: Path) -> None:
    ended = _stop(tmp_path, number, "futures.wait(fs)")
    assert ended.code == -number
    assert ended.err == ""


def test_a_program_may_handle_signals_itself(tmp_path: Path) -> None:
    waits = "\n        ".join([
        "try:", "    time.sleep(60)", "except KeyboardInterrupt:", "    print('caught', flush=True)", "    sys.exit(9)",
    ])  # fmt: skip
    ended = _stop(tmp_path, signal.SIGINT, waits)
    assert (ended.code, ended.out.splitlines()[-1]) == (9, "caught")
    assert ended.err == "fedfutures: the program exited with code 9: 4 Futures were cut off\n"


def test_futures_go_on_after_a_ctrl_c_that_was_caught(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import time
        from fedfutures import futures

        def slow(n):
            time.sleep(0.6)
            return n

        if __name__ == "__main__":
            f = futures.submit(slow, 7)
            print("up", flush=True)
            try:
                f.result()
            except KeyboardInterrupt:
                print("caught")
            print(f.result(), futures.submit(slow, 8).result())
        """,
    )
    running = Running(["-n", "2", "prog.py"], cwd=tmp_path)
    assert running.process.stdout is not None
    assert running.process.stdout.readline() == "up\n"
    time.sleep(0.15)
    os.kill(running.process.pid, signal.SIGINT)
    ended = running.end()
    assert (ended.code, ended.out, ended.err) == (0, "caught\n7 8\n", "")
    assert running.gone()


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def spy(tmp_path: Path) -> Path:
    """An interpreter that leaves a file ``started`` when it is used."""
    script = tmp_path / "spy"
    script.write_text(f'#!/bin/sh\necho >"{tmp_path}/started"\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return script


def test_the_interpreter_of_the_workers(spy: Path, tmp_path: Path) -> None:
    ended = launch(
        "-n", "1", "--python-interpreter", str(spy), "-c", FUTURES + "print(futures.submit(abs, -3).result())"
    )
    assert ended == Ended(0, "3\n", "")
    assert (tmp_path / "started").exists()


def test_a_dry_run_starts_nothing(spy: Path, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('it ran')\n")
    line = ["-n", "3", "--dry-run", "--python-interpreter", str(spy), "prog.py", "x"]
    ended = launch(*line, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "3 Workers" in ended.out
    assert "prog.py x" in ended.out
    assert "it ran" not in ended.out
    assert not (tmp_path / "started").exists()


def test_a_dry_run_shows_the_tree_of_brokers() -> None:
    ended = launch("-n", "5", "-b", "3", "--dry-run", "-c", "pass")
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"host: +(\S+): 3 Brokers, 5 Workers\n", ended.out)
    assert re.search(
        r"brokers: +(\S+).broker: 2 Workers\n +\|-- \1.broker2: 2 Workers\n +`-- \1.broker3: 1 Worker\n", ended.out
    )


def _on_a_worker(expression: str, *options: str, cwd: Path, **more: object) -> Ended:
    code = f"import os, sys, fedfutures\n{FUTURES}print(futures.submit(lambda: {expression}).result())"
    return launch("-n", "1", *options, "-c", code, cwd=cwd, **more)


def test_nice(tmp_path: Path) -> None:
    ended = _on_a_worker("os.nice(0)", "--nice", "5", cwd=tmp_path)
    assert ended == Ended(0, f"{os.nice(0) + 5}\n", "")


def test_pythonpath(tmp_path: Path) -> None:
    write(tmp_path / "one" / "tool.py", "print(__name__)\n")
    assert launch("--pythonpath", "one", "-m", "tool", cwd=tmp_path) == Ended(0, "__main__\n", "")
    write(tmp_path / "one" / "first_module.py", "def f():\n    return 'first'\n")
    write(
        tmp_path / "two" / "second_module.py",
        "import first_module\ndef f(): return first_module.f() + ' second'\n",
    )
    code = f"{FUTURES}import second_module\nprint(second_module.f(), futures.submit(second_module.f).result())"
    ended = launch("-n", "1", "--pythonpath", "one", "--pythonpath", "two", "-c", code, cwd=tmp_path)
    assert ended == Ended(0, "first second first second\n", "")


def test_path(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    code = f"import os\n{FUTURES}print(os.getcwd(), futures.submit(os.getcwd).result())"
    ended = launch("-n", "1", "--path", "there", "-c", code, cwd=tmp_path)
    assert ended == Ended(0, f"{tmp_path} {tmp_path / 'there'}\n", "")


def test_prolog(tmp_path: Path) -> None:
    write(tmp_path / "my prolog.sh", "SET_BY_PROLOG='a b'; export SET_BY_PROLOG\n")
    ended = _on_a_worker("os.environ['SET_BY_PROLOG']", "--prolog", "my prolog.sh", cwd=tmp_path)
    assert ended == Ended(0, "a b\n", "")


def test_a_prolog_that_fails(tmp_path: Path) -> None:
    write(tmp_path / "prolog.sh", "echo no licence >&2; exit 3\n")
    ended = _on_a_worker("1", "--prolog", "prolog.sh", cwd=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    said = ended.err.splitlines()
    assert said[0] == "no licence"
    assert said[1].startswith("fedfutures: the host process on ")
    assert said[2:] == ["About this error: python -m fedfutures error StartFailed"]


def test_profile(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import futures

        def profiled(n):
            return sum(range(n))

        if __name__ == "__main__":
            print(sum(futures.map(profiled, range(100))))
        """,
    )
    ended = launch("-n", "2", "--profile=profiles", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "161700\n", "")
    written = list((tmp_path / "profiles").glob("*.prof"))
    assert 1 <= len(written) <= 2  # a Worker that ran nothing writes none
    names = {name for file in written for _, _, name in pstats.Stats(str(file)).stats}
    assert "profiled" in names


def test_debug_changes_no_result(tmp_path: Path) -> None:
    ended = launch("-n", "2", "--debug", "-c", FUTURES + "print(sum(futures.map(abs, range(-500, 0))))")
    assert ended == Ended(0, "125250\n", "")


@pytest.mark.parametrize("brokers", ["2", "3"])
def test_several_brokers(brokers: str) -> None:
    program = """
        import os, time
        from fedfutures import futures

        def process(number):
            time.sleep(0.02)
            return os.getpid()

        print(len(set(futures.map(process, range(100)))), sum(futures.map(abs, range(-500, 0))))
    """
    ended = launch("-n", "4", "-b", brokers, "-v", "-c", textwrap.dedent(program))
    assert (ended.code, ended.out) == (0, "4 125250\n")
    last = r"fedfutures: \d+ Futures in .* s; 4 Workers were busy \d+ % of that time\n"
    assert re.fullmatch(rf"fedfutures: {brokers} Brokers, 4 Workers on \S+\n{last}", ended.err)


def test_verbose_and_quiet(tmp_path: Path) -> None:
    code = FUTURES + "print(futures.submit(abs, -1).result())"
    for option in ("-v", "-vv"):
        ended = launch("-n", "2", option, "-c", code)
        assert (ended.code, ended.out) == (0, "1\n")
        assert re.match(r"fedfutures: 1 Broker, 2 Workers on \S+\n", ended.err)
    assert launch("-n", "2", "-q", "-c", code) == launch("-n", "2", "-vq", "-c", code) == Ended(0, "1\n", "")


# -- what Futures print ----------------------------------------------------------------------------------------------

PRINTING = """
    import os, sys
    from fedfutures import futures

    def talk(n):
        for line in range(50):
            print("line", n, line, "x" * (line * 7), flush=line % 9 == 0)
            print("error", n, line, "y" * line, file=sys.stderr)
        sys.stdout.flush()
        os.system(f"for i in 1 2 3 4 5; do echo shell {n} $i; done")

    if __name__ == "__main__":
        fs = [futures.submit(talk, n) for n in range(40)]
        print("the program's own")
        futures.wait(fs)
"""


@pytest.mark.parametrize("prefix", [True, False])
def test_output_arrives_in_unbroken_lines(prefix: bool, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PRINTING)
    ended = launch("-n", "4", *([] if prefix else ["--no-prefix"]), "prog.py", cwd=tmp_path)
    assert ended.code == 0
    mark = r"\[[\w-]+\.\d\] " if prefix else ""
    out, err = ended.out.splitlines(), ended.err.splitlines()
    out.remove("the program's own")
    found = [re.fullmatch(mark + r"(line|shell) (\d+) (\d+)( x*)?", line) for line in out]
    assert None not in found, [line for line, match in zip(out, found) if match is None][:3]
    texts = [(match[1], int(match[2]), int(match[3])) for match in found if match is not None]
    expected = {("line", n, line) for n in range(40) for line in range(50)}
    expected |= {("shell", n, i) for n in range(40) for i in range(1, 6)}
    assert len(texts) == len(set(texts))
    assert set(texts) == expected
    assert len(err) == 2000
    assert all(re.fullmatch(mark + r"error \d+ \d+ y*", line) for line in err)


def test_what_a_future_printed_comes_before_its_result(tmp_path: Path) -> None:
    code = (
        f"{FUTURES}\nfor n in range(20):\n    print(futures.submit(lambda: print('in', n) or n).result(), flush=True)"
    )
    ended = launch("-n", "2", "--no-prefix", "-c", code)
    assert sorted(ended.out.splitlines()) == sorted([f"in {n}" for n in range(20)] + [str(n) for n in range(20)])


def test_text_without_a_newline_and_odd_bytes(tmp_path: Path) -> None:
    code = (
        f"import os\n{FUTURES}futures.submit(lambda: os.write(1, b'caf\\xc3\\xa9 \\xff no newline') and None).result()"
    )
    ended = launch("-n", "1", "--no-prefix", "-c", code, env={"PYTHONIOENCODING": "utf-8"})
    assert (ended.code, ended.out.rstrip("\n"), ended.err) == (0, "café \\xff no newline", "")


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("missing.py", 2, r"can't open file 'missing.py': \[Errno 2\] No such file or directory"),
        ("missing/prog.py", 2, r"can't open file 'missing/prog.py': \[Errno 2\]"),
        ("prog.py/x.py", 2, r"can't open file 'prog.py/x.py': \[Errno 20\]"),
        ("empty", 1, r"can't find '__main__' module in 'empty'"),
        ("-m missing_module", 1, r"[Nn]o module named '?missing_module"),
        ("-m empty_package", 1, r"[Nn]o module named '?empty_package.__main__"),
        ("-m missing.module", 1, r"[Nn]o module named '?missing"),
        ("-m broken.module", 1, r"broken is broken"),
        ("-n 0 prog.py", 2, "-n: 0 is not at least 1"),
        ("-n x prog.py", 2, "-n: 'x' is not a number"),
        ("-n prog.py", 2, "-n"),
        ("-n 2 -b 3 prog.py", 2, "-b 3: more Brokers than Workers"),
        ("--unknown prog.py", 2, "--unknown"),
        ("--path missing prog.py", 2, "--path 'missing'"),
        ("--path prog.py prog.py", 2, "--path 'prog.py' is not a directory"),
        ("--prolog missing.sh prog.py", 2, "--prolog 'missing.sh'"),
        ("--profile=prog.py prog.py", 2, "--profile 'prog.py'"),
        ("", 2, "no program given"),
    ],
)
def test_bad_input_is_one_clear_line_and_starts_nothing(
    line: str, code: int, says: str, spy: Path, tmp_path: Path
) -> None:
    write(tmp_path / "prog.py", "open('ran', 'w')\n")
    write(tmp_path / "broken" / "__init__.py", "raise ImportError('broken is broken')\n")
    write(tmp_path / "empty_package" / "__init__.py", "")
    (tmp_path / "empty").mkdir()
    ended = launch("--python-interpreter", str(spy), *line.split(), cwd=tmp_path)
    assert ended.code == code
    assert ended.out == ""
    assert re.search(says, ended.err)
    assert ended.err.startswith("fedfutures: ")
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "started").exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("line", ["missing.py", "empty", "-m missing_module", "-m empty_package"])
def test_bad_programs_have_the_exit_code_of_plain_python(line: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty_package" / "__init__.py", "")
    assert launch(*line.split(), cwd=tmp_path).code == python(*line.split(), cwd=tmp_path).code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_program(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "").chmod(0)
    ended = launch("prog.py", cwd=tmp_path)
    assert ended == Ended(2, "", "fedfutures: can't open file 'prog.py': [Errno 13] Permission denied\n")


def test_an_interpreter_that_does_not_exist(tmp_path: Path) -> None:
    ended = launch("-n", "1", "--python-interpreter", "/no/such/python", "-c", "print('it ran')")
    assert (ended.code, ended.out) == (1, "")
    said = r"fedfutures: cannot start /no/such/python -m fedfutures.host_process: .*\n"
    assert re.fullmatch(said + "About this error: python -m fedfutures error StartFailed\n", ended.err)


# -- how many, and how many threads each -----------------------------------------------------------------------------


def test_as_many_workers_as_processors_may_be_used() -> None:
    code = "import fedfutures; print(fedfutures.SIZE)"
    assert launch("-c", code).out == f"{processors()}\n"
    narrowed = "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    narrowed += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    ended = python("-c", narrowed, "-m", "fedfutures", "-c", code)
    assert ended == Ended(0, "1\n", "")


def test_threads_are_shared_out_unless_the_user_says() -> None:
    code = f"import os\n{FUTURES}print(futures.submit(lambda: os.environ['OMP_NUM_THREADS']).result())"
    assert launch("-n", "1", "-c", code).out == f"{processors()}\n"
    assert launch("-n", "2", "-c", code).out == f"{max(1, processors() // 2)}\n"
    assert launch("-n", "64", "--dry-run", "-c", code).out.count("1 for BLAS") == 1
    assert launch("-n", "2", "-c", code, env={"OMP_NUM_THREADS": "7"}).out == "7\n"


# -- without the launcher --------------------------------------------------------------------------------------------


def test_plain_python_runs_serially_and_says_so_once(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import os
        import fedfutures
        from fedfutures import futures
        print(list(futures.map(pow, [2, 3], [5, 2])), futures.submit(os.getpid).result() == os.getpid())
        print(futures.map_reduce(abs, max, [-3, 2]), fedfutures.IS_ORIGIN, fedfutures.IS_RUNNING, fedfutures.SIZE)
        """,
    )
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "[32, 9] True\n3 True False 0\n")
    assert ended.err.count("serially") == 1
    assert ended.err.count("\n") == 1


def test_the_console_script(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("fedfutures")
    if not script.exists():
        pytest.skip("not installed")
    write(tmp_path / "prog.py", PROBE)
    run = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], timeout=30).returncode)"
    ended = python("-c", run, str(script), "-n", "1", "prog.py", "x", cwd=tmp_path)
    plain = python("prog.py", "x", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:3] == plain.out.splitlines()[:3]


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run")[:60], "TMPDIR": "/tmp"}
    ended = launch("-n", "2", "-c", FUTURES + "print(len(futures.submit(bytes, 1 << 21).result()))", env=env)
    assert ended == Ended(0, f"{1 << 21}\n", "")
    assert list((tmp_path / "run").iterdir()) == []
    if before:
        assert eventually(lambda: not _new_segments(before), LIMIT_SECONDS)


def _new_segments(before: set[str]) -> list[str]:
    """Directories of fedfutures that are new and belong to nobody who lives."""
    return [name for name in set(os.listdir("/dev/shm")) - before if name.startswith("fedfutures-")]


ENVIRONMENT = """
import os
from fedfutures import futures


def found(_):
    return os.environ.get("OF_WORKERS"), os.environ.get("FROM_HERE"), os.environ.get("OMP_NUM_THREADS")


if __name__ == "__main__":
    print(*set(futures.map(found, range(20))), os.environ.get("OF_WORKERS"))
"""


def test_workers_have_variables_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", ENVIRONMENT)
    write(tmp_path / "env", "OMP_NUM_THREADS=7\n")
    words = ["-n", "2", "--env", "OF_WORKERS=a b", "--env", "FROM_HERE", "--env-file", "env", "prog.py"]
    ended = launch(*words, cwd=tmp_path, env={"FROM_HERE": "there"})
    assert (ended.out, ended.code) == ("('a b', 'there', '7') None\n", 0), ended.err
    ended = launch("--env", "NO_SUCH_ONE", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.code) == ("", 2)
    assert "NO_SUCH_ONE is not set here: export it, or say NO_SUCH_ONE=VALUE" in ended.err
