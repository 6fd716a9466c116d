"""Programs for one rule each: what a Future sees of the program, of its process, and of what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Ended, launch, python, write

pytestmark = pytest.mark.host


def prints(place: Path, text: str, *lines: str, count: str = "2", name: str = "prog.py") -> None:
    """Launch a program; see that it prints these lines and nothing else."""
    write(place / name, text)
    assert launch("-n", count, name, cwd=place) == Ended(0, "".join(f"{line}\n" for line in lines), "")


def test_names_below_the_guard_travel_in_anything(tmp_path: Path) -> None:
    prints(
        tmp_path,
        """
        import collections, functools
        from fedfutures import futures

        def total(point): return point.x + point.y
        def call(f, *args): return f(*args)
        def keep(value): return value

        if __name__ == "__main__":
            Pair = collections.namedtuple("Pair", "x y")
            class Point:
                unit = 10
                def __init__(self, x): self.x, self.y = x, Point.unit
                def size(self): return self.x * self.unit
            def twice(x): return 2 * x
            print(futures.submit(total, Pair(1, 2)).result(), list(futures.map(total, [Point(1), Point(2)])))
            print(futures.submit(call, functools.partial(twice, 4)).result(), list(futures.map(Point.size, [Point(3)])))
            found = futures.submit(keep, {"a": [Point(5)]}).result()
            print(type(found["a"][0]) is Point, type(futures.submit(keep, Pair(1, 2)).result()) is Pair)
            Point.unit = 20
            print(futures.submit(call, Point(1).size).result(), futures.submit(Point, 1).result().y)
        """,
        "3 [11, 12]",
        "8 [30]",
        "True True",
        "20 20",
    )


INITIALIZED = """
    import functools, sys
    from fedfutures import Executor

    MODEL, TABLE, BIG, CONFIG = None, {}, [0] * 100_000, type("Config", (), {})()

    def load(n):
        global MODEL
        MODEL = n
        TABLE["n"] = n
        BIG[:] = [n] * len(BIG)
        CONFIG.n = n
        Model.level = n

    class Model:
        level = 0
        def read(self): return MODEL, self.level
        def __call__(self, x): return MODEL + x

    def read(x): return MODEL, TABLE["n"], BIG[x], CONFIG.n
    @functools.lru_cache
    def cached(): return MODEL

    def main():
        with Executor(2, initializer=load, initargs=(7,)) as ex:
            print(list(ex.map(read, range(3))), ex.submit(Model().read).result(), ex.submit(cached).result())
            print(ex.submit(lambda: MODEL).result(), list(ex.map(Model(), [1, 2])))
"""


@pytest.mark.parametrize("start", ['if __name__ == "__main__": main()', "main()"], ids=["guarded", "unguarded"])
def test_what_an_initializer_sets_is_seen_by_all(tmp_path: Path, start: str) -> None:
    write(tmp_path / "prog.py", INITIALIZED + f"\n    {start}\n")
    expected = "[(7, 7, 7, 7), (7, 7, 7, 7), (7, 7, 7, 7)] (7, 7) 7\n7 [8, 9]\n"
    assert python("prog.py", cwd=tmp_path) == Ended(0, expected, "")


def test_captured_values_are_taken_at_the_submit_in_futures_too(tmp_path: Path) -> None:
    prints(
        tmp_path,
        """
        import functools
        from fedfutures import futures

        def add(a, b): return a + b
        class Acc:
            def __init__(self): self.items = []
            def total(self): return sum(self.items)

        def nested(_):
            fs = [futures.submit(lambda: i) for i in range(6)]
            box, acc, got = [0], Acc(), []
            for n in range(3):
                box[0] = n
                acc.items.append(n)
                got.append(futures.submit(lambda x=box: x[0]))
                got.append(futures.submit(functools.partial(len, acc.items)))
                got.append(futures.submit(acc.total))
            return [f.result() for f in fs], [f.result() for f in got]

        if __name__ == "__main__":
            print(futures.submit(nested, 0).result())
            print(*set(map(str, futures.map(nested, range(8)))))
            print([f.result() for f in [futures.submit(lambda: i) for i in range(6)]])
        """,
        "([0, 1, 2, 3, 4, 5], [0, 1, 0, 1, 2, 1, 2, 3, 3])",
        "([0, 1, 2, 3, 4, 5], [0, 1, 0, 1, 2, 1, 2, 3, 3])",
        "[0, 1, 2, 3, 4, 5]",
    )


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_child_sees_the_version_of_its_root(tmp_path: Path, count: str) -> None:
    """Futures of two versions wait on one Worker; each goes on with what it had, and so do their children."""
    prints(
        tmp_path,
        """
        import time
        from fedfutures import futures

        VALUE, TABLE = 0, {"a": 0}

        class Thing:
            level = 0

        def child(_):
            time.sleep(0.02)
            return VALUE, TABLE["a"], Thing.level

        def root(n):
            seen = [(VALUE, TABLE["a"], Thing.level)]
            for _ in range(3):
                fs = [futures.submit(child, k) for k in range(3)]
                futures.wait(fs)
                seen += [f.result() for f in fs]
                seen.append((VALUE, TABLE["a"], Thing.level))
            return set(seen) == {(n, n, n)} or seen

        if __name__ == "__main__":
            fs = []
            for n in range(1, 7):
                VALUE = TABLE["a"] = Thing.level = n
                fs.append(futures.submit(root, n))
            VALUE = TABLE["a"] = Thing.level = 100
            print([f.result() for f in fs])
        """,
        "[True, True, True, True, True, True]",
        count=count,
    )


def test_a_map_sees_the_program_as_at_its_call(tmp_path: Path) -> None:
    prints(
        tmp_path,
        """
        from fedfutures import futures

        FACTOR = 1
        OPTIONS = {"more": 1}

        def job(x): return x * FACTOR * OPTIONS["more"]

        def items():
            global FACTOR
            for i in range(3000):
                if i == 1500:
                    FACTOR = OPTIONS["more"] = 10
                yield 1

        if __name__ == "__main__":
            print(set(futures.map(job, items(), buffersize=100)))
            print(set(futures.map(job, [1] * 100)))
        """,
        "{1}",
        "{100}",
    )


SETTING = """
    import decimal, os
    os.environ["SET_BY_IMPORT"] = "yes"
    os.umask(0o027)
    decimal.getcontext().prec = 40
"""


def test_what_an_import_in_a_future_sets_holds_from_then_on(tmp_path: Path) -> None:
    write(tmp_path / "setting.py", SETTING)
    write(tmp_path / "setting2.py", "import os\nos.environ['SET_LATER'] = 'yes'\n")
    prints(
        tmp_path,
        """
        import decimal, os
        from fedfutures import futures

        def first():
            os.environ["OF_FUTURE"] = "gone"
            import setting
        def second():
            import setting2
        def look(_):
            umask = os.umask(0)
            os.umask(umask)
            digits = len(str(decimal.Decimal(1) / 3)) - 2
            found = [os.environ.get(name) for name in ("SET_BY_IMPORT", "OF_FUTURE", "SET_LATER", "OF_PROGRAM")]
            return *found, oct(umask), digits

        if __name__ == "__main__":
            futures.submit(first).result()
            print(set(futures.submit(look, i).result() for i in range(4)))
            os.environ["OF_PROGRAM"] = "1"
            futures.submit(second).result()
            os.environ["OF_PROGRAM"] = "2"
            print(set(futures.submit(look, i).result() for i in range(4)))
        """,
        "{('yes', None, None, None, '0o27', 40)}",
        "{('yes', None, 'yes', '2', '0o27', 40)}",
        count="1",
    )


PROCESS = """
    import os, sys, tempfile
    from fedfutures import futures

    def look(_):
        return os.path.basename(os.getcwd()), os.environ.get("LATE"), os.environ.get("HOME"), sys.path[0] == "/nowhere"

    def main():
        print(set(futures.map(look, range(4))))
        place = tempfile.mkdtemp() + "/late"
        os.mkdir(place)
        os.chdir(place)
        os.environ["LATE"] = "yes"
        del os.environ["HOME"]
        sys.path.insert(0, "/nowhere")
        print(set(futures.map(look, range(4))), futures.submit(os.getcwd).result() == place)
        os.chdir("..")
        del sys.path[0], os.environ["LATE"]
        print(futures.submit(look, 0).result()[1:])
"""


@pytest.mark.parametrize("start", ['if __name__ == "__main__": main()', "main()"], ids=["guarded", "unguarded"])
def test_directory_environment_and_path_are_known_at_the_next_submit(tmp_path: Path, start: str) -> None:
    write(tmp_path / "prog.py", PROCESS + f"\n    {start}\n")
    ended = launch("-n", "2", "prog.py", cwd=tmp_path, env={"HOME": "/home"})
    first = f"{{('{tmp_path.name}', None, '/home', False)}}"
    assert ended == Ended(0, f"{first}\n{{('late', 'yes', None, True)}} True\n(None, None, False)\n", "")


def test_a_program_without_a_guard_has_its_settings_in_workers(tmp_path: Path) -> None:
    prints(
        tmp_path,
        """
        import decimal, logging, os, signal, sys, warnings
        from fedfutures import futures

        def handler(number, frame): pass
        decimal.getcontext().prec = 50
        decimal.getcontext().traps[decimal.Inexact] = False
        sys.setrecursionlimit(4321)
        os.umask(0o077)
        os.environ["SETTING"] = "on"
        signal.signal(signal.SIGUSR1, handler)
        warnings.filterwarnings("error", message="on purpose")
        logging.getLogger("of.program").setLevel(logging.DEBUG)

        def look():
            umask = os.umask(0)
            os.umask(umask)
            try:
                warnings.warn("on purpose")
                warned = False
            except UserWarning:
                warned = True
            return (
                len(str(decimal.Decimal(1) / 3)) - 2, sys.getrecursionlimit(), oct(umask), os.environ["SETTING"],
                signal.getsignal(signal.SIGUSR1).__name__, warned, logging.getLogger("of.program").level,
            )
        print(futures.submit(look).result() == look(), futures.submit(look).result())
        """,
        "True (50, 4321, '0o77', 'on', 'handler', True, 10)",
    )


def test_what_no_process_can_hand_on_is_fresh_or_an_error(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("first\nsecond\n")
    prints(
        tmp_path,
        """
        import contextvars, socket, sqlite3, threading
        from fedfutures import errors, futures, Executor

        LOCK, EVENT, VAR = threading.RLock(), threading.Event(), contextvars.ContextVar("v")
        VAR.set(3)
        LOG, DATA = open("log.txt", "w"), open("data.txt")
        DATA.readline()
        DB = sqlite3.connect("file.db")
        DB.execute("create table t (n)")
        DB.execute("insert into t values (5)")
        DB.commit()
        SOCK, GEN, HOLDER = socket.socket(), (i for i in range(3)), {"sock": socket.socket(), "n": 7}

        def fresh():
            with LOCK:
                LOG.write("from a Future\\n")
                LOG.flush()
                return VAR.get(), EVENT.is_set(), DATA.readline(), DB.execute("select n from t").fetchall()
        def sock(): return SOCK.fileno()
        def gen(): return next(GEN)
        def part(): return HOLDER["n"]
        def other(): return HOLDER["sock"].fileno()
        def unused(flag): return SOCK if flag else "unused"

        print(futures.submit(fresh).result(), open("log.txt").read().strip())
        for f in (sock, gen, other):
            try:
                print(futures.submit(f).result())
            except errors.VariableNotCarried as error:
                print(f.__name__, error.variable, error.kind)
        print(futures.submit(part).result(), futures.submit(unused, False).result())
        """,
        "(3, False, 'second\\n', [(5,)]) from a Future",
        "sock SOCK socket.socket",
        "gen GEN generator",
        "other HOLDER socket.socket",
        "7 unused",
    )


def test_a_program_that_workers_cannot_import_says_why(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import math, sys
        from fedfutures import futures

        if __name__ != "__main__":
            raise RuntimeError("not here")
        VALUE = 1
        def f(): return VALUE

        if __name__ == "__main__":
            print(futures.submit(math.sqrt, 4).result())
            try:
                print(futures.submit(f).result())
            except ImportError as error:
                print(error)
        """,
    )
    expected = "2.0\nthe program cannot be imported by Workers: RuntimeError('not here')\n"
    assert launch("-n", "1", "prog.py", cwd=tmp_path) == Ended(0, expected, "")


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("x = __name__  # '__main__'", 1),
        ("'''if __name__ == \"__main__\": main()'''", 1),
        ("if '__main__' == __name__: pass", 3),
        ("try:\n    if __name__ == '__main__' and True: pass\nfinally: pass", 3),
    ],
)
def test_a_guard_is_an_if_of_the_top_level(tmp_path: Path, text: str, times: int) -> None:
    """Without one Workers do not import the program, whatever words are in it."""
    write(tmp_path / "prog.py", f"open('runs', 'a').write('x')\n{text}\n")
    assert launch("-n", "2", "prog.py", cwd=tmp_path).code == 0
    assert len((tmp_path / "runs").read_text()) <= times
    if times == 1:
        assert (tmp_path / "runs").read_text() == "x"


@pytest.mark.parametrize("guard", ["if __name__ == '__main__':", "if True:"])
def test_an_executor_of_the_program_is_the_one_that_is_there(tmp_path: Path, guard: str) -> None:
    write(
        tmp_path / "prog.py",
        f"""
        from fedfutures import Executor
        ex = Executor(2)
        def inner(x): return x + 1
        def outer(x): return ex.submit(inner, x).result() + 1
        {guard}
            print(list(ex.map(outer, range(3))))
            ex.shutdown()
        """,
    )
    assert python("prog.py", cwd=tmp_path) == Ended(0, "[2, 3, 4]\n", "")


def test_a_program_under_a_profiler(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import Executor
        LEVEL = 0
        class Thing:
            def run(self): return LEVEL
        if __name__ == "__main__":
            LEVEL = 5
            with Executor(1) as ex:
                print(ex.submit(Thing().run).result(), type(ex.submit(Thing).result()) is Thing)
        """,
    )
    ended = python("-m", "cProfile", "-o", "out", "prog.py", cwd=tmp_path)
    assert ended == Ended(0, "5 True\n", "")


def test_a_large_array_is_taken_once_for_each_version(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    prints(
        tmp_path,
        """
        import os
        import numpy as np
        import fedfutures
        from fedfutures import futures

        BIG = np.zeros(3_000_000)
        def total(i):
            BIG[0] = i  # of this Worker alone
            return float(BIG[1:].sum())
        def segments(_):
            shared = fedfutures.worker.current.node.payloads.segments.path
            return sum(name[0] not in "kf." for name in os.listdir(shared))

        if __name__ == "__main__":
            print(set(futures.map(total, range(20))), futures.submit(segments, 0).result())
            BIG += 1
            print(set(futures.map(total, range(20))))
            BIG = np.full(3_000_000, 2.0)
            print(set(futures.map(total, range(20))), BIG[0])
        """,
        "{0.0} 1",
        "{2999999.0}",
        "{5999998.0} 2.0",
    )
