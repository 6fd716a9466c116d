"""What is defined anywhere runs on the Workers, and gives there what it gives here."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Ended, launch, python, write

pytestmark = pytest.mark.host

LIBRARY = """
    import collections

    FACTOR = 3

    def function(x):
        return x * FACTOR

    class Thing:
        def __init__(self, n):
            self.n = n
        def method(self, x):
            return self.n + x
        def __eq__(self, other):
            return type(other) is type(self) and other.n == self.n
        __hash__ = None

    def create(name, base):
        globals()[name] = type(name, (base,), {"__module__": __name__, "weight": 5})
"""
PROGRAM = """
    import functools, operator
    from fedfutures import futures
    import library

    LEVEL = 1
    TABLE = {"a": [1, 2]}

    class Point:
        def __init__(self, x, y=0):
            self.x, self.y = x, y
        def __repr__(self):
            return f"Point({self.x}, {self.y})"
        def __eq__(self, other):
            return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)
        def __hash__(self):
            return hash(self.x)
        def moved(self, by):
            return Point(self.x + by, self.y)
        @classmethod
        def origin(cls):
            return cls(0)
        @staticmethod
        def double(x):
            return 2 * x
        def __call__(self, x):
            return self.x * x

    class Odd(ValueError):
        def __init__(self, a, b):
            super().__init__(f"{a} and {b}")
            self.a, self.b = a, b

    def function(x):
        return helper(x) + LEVEL

    def helper(x):
        return 10 * x

    def fail(x):
        raise Odd(x, x + 1)

    def table(key):
        return TABLE[key]

    def same(point):
        return isinstance(point, Point), point == Point(1, 2), type(point) is Point

    def adder(n):
        def add(x):
            return x + n
        return add

    def counter():
        count = 0
        def up(x):
            nonlocal count
            count += x
            return count
        return up

    def main():
        global LEVEL, helper
        run = lambda f, *args: futures.submit(f, *args).result()
        print(run(function, 1), run(library.function, 2), run(operator.mul, 6, 7), run("{}-{}".format, 1, 2))
        print(run(lambda x: x + LEVEL, 5), list(futures.map(lambda x: x * x, range(5))))
        print(run(functools.partial(pow, 2), 5), run(functools.partial(function), 3))
        print(run(functools.partial(adder(2)), 3))
        print(run(Point(1).moved, 5), run(Point.origin), run(Point.double, 4), run(Point(3), 4), run(Point, 7))
        print(run(library.Thing(1).method, 2), run(library.Thing, 3) == library.Thing(3), run([3, 1].index, 1))
        print(run(adder(10), 5), run(adder("a"), "b"), run(counter(), 3))
        print(run(same, Point(1, 2)), list(futures.map(Point, [1, 2])), {Point(1): 2} == run(dict, [(Point(1), 2)]))
        try:
            run(fail, 1)
        except Odd as error:
            print("odd", error, error.a, error.b, type(error) is Odd)
        LEVEL = 7
        TABLE["a"] = "changed"
        print(run(function, 1), run(table, "a"), list(futures.map(function, range(3))))
        def local(x):
            return x + 1
        print(run(local, 1))
        def local(x):
            return x + 100
        print(run(local, 1))
        helper = lambda x: -x
        print(run(function, 1))
        class Inner:
            def __init__(self, x):
                self.x = x
        print(run(lambda i: i.x, Inner(5)), run(Inner, 6).x)
        def recursive(n):
            return 1 if n == 0 else n * recursive(n - 1)
        print(run(recursive, 5))
        def nested(n):
            return sum(futures.map(lambda x: x + n, range(3)))
        print(run(nested, 1), list(futures.map(nested, range(3))))
        print(futures.map_reduce(lambda x: str(x), lambda a, b: a + b, range(30)))

"""
GUARDED = PROGRAM + '    if __name__ == "__main__":\n        main()\n'
UNGUARDED = PROGRAM + "    main()\n"
REDEFINED = """
    from fedfutures import futures

    def f(x):
        return x + 1

    print(futures.submit(f, 1).result(), list(futures.map(f, range(3))))

    def f(x):
        return x + 1000

    print(futures.submit(f, 1).result(), list(futures.map(f, range(3))))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "library.py", LIBRARY)
    write(tmp_path / "guarded.py", GUARDED)
    write(tmp_path / "unguarded.py", UNGUARDED)
    write(tmp_path / "redefined.py", REDEFINED)
    write(tmp_path / "package" / "__init__.py", "")
    write(tmp_path / "package" / "program.py", GUARDED)
    write(tmp_path / "package" / "__main__.py", GUARDED)
    return tmp_path


def _serially(*arguments: str, place: Path, stdin: str | None = None) -> Ended:
    ended = python(*arguments, cwd=place, stdin=stdin)
    assert ended.code == 0, ended.err
    ended.err = ""
    return ended


@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize("line", ["guarded.py", "unguarded.py", "redefined.py", "-m package.program", "-m package"])
def test_a_program_gives_what_it_gives_serially(place: Path, line: str, count: str) -> None:
    expected = _serially(*line.split(), place=place)
    assert launch("-n", count, *line.split(), cwd=place) == expected


@pytest.mark.parametrize("name", ["guarded.py", "unguarded.py", "redefined.py"])
def test_code_without_a_file(place: Path, name: str) -> None:
    code = (place / name).read_text()
    assert launch("-n", "2", "-c", code, cwd=place) == _serially("-c", code, place=place)
    assert launch("-n", "2", "-", cwd=place, stdin=code) == _serially("-", place=place, stdin=code)


def test_a_folder_and_a_zip(place: Path) -> None:
    import zipapp

    write(place / "folder" / "__main__.py", GUARDED)
    write(place / "folder" / "library.py", LIBRARY)
    zipapp.create_archive(place / "folder", place / "archive.pyz")
    for name in ("folder", "archive.pyz"):
        assert launch("-n", "2", name, cwd=place) == _serially(name, place=place)


def test_an_executor_gives_what_the_launcher_gives(place: Path) -> None:
    text = GUARDED.replace("\n        main()", "\n        futures = Executor(max_workers=2)\n        main()")
    text = text.replace("from fedfutures import futures", "from fedfutures import futures, Executor")
    text = "\n".join(line for line in text.splitlines() if "nested" not in line and "lambda x: x + n" not in line)
    text = text.replace("futures.map_reduce(lambda x: str(x), lambda a, b: a + b, range(30))", "'end'")
    write(place / "executor.py", text)
    ended = python("executor.py", cwd=place)
    assert (ended.code, ended.err) == (0, "")
    found = ended.out.splitlines()
    assert found.pop() == "end"
    assert found == launch("-n", "2", "guarded.py", cwd=place).out.splitlines()[:-2]


MADE = """
    from fedfutures import futures
    import library

    library.create("Made", list)

    def made(value):
        return library.Made([value, library.Made.weight])

    def main():
        value = futures.submit(made, 4).result()
        print(type(value) is library.Made, value, value.weight)
        print(futures.submit(len, library.Made([1])).result(), list(futures.map(library.Made, [[1], [2]])))

    if __name__ == "__main__":
        main()
"""


def test_a_class_made_at_import_in_another_module(place: Path) -> None:
    write(place / "making.py", MADE)
    for line in ("making.py", "-m making"):
        assert launch("-n", "2", *line.split(), cwd=place) == _serially(*line.split(), place=place)


@pytest.mark.parametrize("form", ["code", "unguarded"])
def test_a_class_made_in_another_module_by_a_program_that_workers_do_not_import(place: Path, form: str) -> None:
    write(place / "making.py", MADE.replace('if __name__ == "__main__":', "if True:"))
    line = ["-c", (place / "making.py").read_text()] if form == "code" else ["making.py"]
    assert launch("-n", "2", *line, cwd=place) == _serially(*line, place=place)


SIMPLE = """
    import math
    from fedfutures import futures

    def is_prime(n):
        return n > 1 and all(n % d for d in range(2, math.isqrt(n) + 1))

    def main(map=map):
        print(sum(map(is_prime, range(2000))))
        print(list(map(lambda a, b: a * b, range(10), range(5))))
        print(next(iter(map(str.upper, ["x"]))))

    if __name__ == "__main__":
        {start}
"""


def test_one_program_under_everything(tmp_path: Path) -> None:
    write(tmp_path / "plain.py", SIMPLE.format(start="main()"))
    write(tmp_path / "prog.py", SIMPLE.format(start="main(futures.map)"))
    executor = "from fedfutures import Executor\n        with Executor({0}) as e: main(e.map)"
    write(tmp_path / "serial.py", SIMPLE.format(start=executor.format("mode='serial'")))
    write(tmp_path / "parallel.py", SIMPLE.format(start=executor.format("2")))
    expected = python("plain.py", cwd=tmp_path)
    assert expected.out == "303\n[0, 1, 4, 9, 16]\nX\n"
    for count in ("1", "2", "8"):
        assert launch("-n", count, "prog.py", cwd=tmp_path) == expected
    assert launch("-n", "2", "plain.py", cwd=tmp_path) == expected
    assert python("prog.py", cwd=tmp_path).out == expected.out
    assert python("serial.py", cwd=tmp_path) == expected
    assert python("parallel.py", cwd=tmp_path) == expected
    assert launch("-n", "2", "parallel.py", cwd=tmp_path) == expected


def test_a_program_that_submits_without_a_guard_ends(tmp_path: Path) -> None:
    """Workers never run it a second time."""
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import futures
        print("the program runs")
        def f(x):
            return x + 1
        print(list(futures.map(f, range(3))))
        """,
    )
    assert launch("-n", "2", "prog.py", cwd=tmp_path) == Ended(0, "the program runs\n[1, 2, 3]\n", "")


def test_an_interactive_session() -> None:
    code = """
import fedfutures
e = fedfutures.Executor(max_workers=1)
def f(x):
    return x + 1

print("=", e.submit(f, 1).result())
def f(x):
    return x + 2

print("=", e.submit(f, 1).result())
class C:
    n = 5

print("=", e.submit(lambda c: c.n, C()).result(), e.submit(C).result().n)
e.shutdown()
"""
    ended = python("-i", "-q", stdin=code)
    assert ended.code == 0, ended.err
    lines = [line.rpartition("= ")[2] for line in ended.out.splitlines() if "= " in line]
    assert lines == ["2", "3", "5 5"]
    assert "Traceback" not in ended.err
