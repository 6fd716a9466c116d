"""Large arguments and results are as small ones: private, and writable where they were; whoever runs the Future."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python, write

pytestmark = pytest.mark.host
pytest.importorskip("numpy")

PROGRAM = """
import ctypes, gc, os, sys, threading, time
from itertools import repeat
import numpy as np
from fedfutures import Executor, futures, shared

SIZE = int(sys.argv[1])
CACHE = {}

def first(a): return float(a[0])
def double(a):
    a *= 2
    return float(a[0]), float(a[-1])
def sort(a):
    a.sort()
    return float(a[0])
def add(a, i):
    a += i
    return float(a[0])
def add_now_and_then(a, i):
    if i % 7 == 3:
        a[0] += 100
    return float(a[0]) + i
def writable(a): return a.flags.writeable
def by_c(a):
    ctypes.cast(a.ctypes.data, ctypes.POINTER(ctypes.c_double))[3] = 7.0
    return float(a[3]), float(a[4])
def itself(a): return a
def added(a, i):
    a += i
    return a
def nested(a, depth):
    if not depth:
        return [double(a)]
    both = [futures.submit(nested, a, depth - 1) for _ in range(2)]
    a *= 0
    return [value for future in both for value in future.result()]
def nested_map(a):
    found = list(futures.map(add, repeat(a), range(1, 30)))
    return found == [float(i + 1) for i in range(1, 30)], float(a[0])
def flags(a):
    found = {writable(a), futures.submit(writable, a).result(), futures.submit(lambda: writable(a)).result()}
    return found | set(futures.map(writable, [a] * 20))
def passed_on(a):
    found = [futures.submit(first, a)]
    for i in range(3):
        a[0] = i
        found.append(futures.submit(first, a))
        found += [futures.submit(first, x) for x in futures.map(itself, [a])]
    return [future.result() for future in found]
def keep(a, i):
    CACHE[i] = a
    return os.getpid()
def kept(i):
    return {key: float(value[-1]) for key, value in CACHE.items()}
def constant():
    table = shared.get("table")
    found = {writable(table), futures.submit(writable, table).result(), *futures.map(writable, [table] * 5)}
    try:
        table[0] = 5
    except ValueError:
        found.add("refused")
    return found
def refilled(count):
    buffer = np.empty(SIZE)
    for i in range(count):
        buffer[:] = i
        yield buffer

if __name__ == "__main__":
    ones = np.ones(SIZE)
    print("once", futures.submit(double, ones).result(), ones[0])
    print("sort", futures.submit(sort, np.arange(SIZE, 0.0, -1)).result())
    print("many", {future.result() for future in [futures.submit(double, ones) for _ in range(8)]})
    print("map", set(futures.map(double, repeat(ones, 30))), set(futures.map(double, repeat(ones, 30), chunksize=6)))
    print("add", list(futures.map(add, repeat(ones), range(30))) == [1.0 + i for i in range(30)])
    for chunksize in (None, 30):
        found = futures.map(add_now_and_then, repeat(ones), range(60), chunksize=chunksize)
        print("some", list(found) == [1.0 + i + 100 * (i % 7 == 3) for i in range(60)])
    print("c", futures.submit(by_c, ones).result())
    print("nested", set(futures.submit(nested, ones, 3).result()), futures.submit(nested_map, ones).result())
    fixed = ones.copy()
    fixed.flags.writeable = False
    print("flags", futures.submit(flags, ones).result(), futures.submit(flags, fixed).result())
    print("passed on", futures.submit(passed_on, ones).result())
    result = futures.submit(itself, ones).result()
    result += 1
    print("result", first(result), futures.submit(first, result).result(), ones[0])
    found = list(futures.map(added, repeat(ones), range(20), chunksize=5))
    print("results", [first(a) for a in found] == [1.0 + i for i in range(20)])
    print("passed back", first(futures.submit(itself, futures.submit(itself, ones).result()).result()))
    if SIZE > 100_000:
        for i in range(20):
            futures.submit(keep, np.full(SIZE, float(i)), i).result()
        found = futures.submit(kept, 0).result()
        print("kept", len(found) > 0 and all(key == value for key, value in found.items()))
        shared.set(table=ones)
        print("constant", sorted(map(str, futures.submit(constant).result())))
    print("refilled", list(futures.map(first, refilled(30))) == list(map(float, range(30))))
    buffer = np.zeros(SIZE)
    found = []
    for i in range(8):
        buffer[0] = i
        found.append(futures.submit(first, buffer))
    print("submitted", [future.result() for future in found] == list(map(float, range(8))))
    data = bytearray(buffer.tobytes())
    view = np.frombuffer(memoryview(data).toreadonly())
    before = futures.submit(first, view)
    data[:8] = np.array([44.0]).tobytes()
    print("view", before.result(), futures.submit(first, view).result())
"""
EXPECTED = """\
once (2.0, 2.0) 1.0
sort 1.0
many {(2.0, 2.0)}
map {(2.0, 2.0)} {(2.0, 2.0)}
add True
some True
some True
c (7.0, 1.0)
nested {(2.0, 2.0)} (True, 1.0)
flags {True} {False}
passed on [1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
result 2.0 2.0 1.0
results True
passed back 1.0
kept True
constant ['False', 'refused']
refilled True
submitted True
view 7.0 44.0
"""
OF_SMALL = "".join(line for line in EXPECTED.splitlines(True) if not line.startswith(("kept", "constant")))


@pytest.mark.parametrize(("size", "workers"), [(1000, 2), (500_000, 1), (500_000, 3)])
def test_values_of_any_size_behave_alike(tmp_path: Path, size: int, workers: int) -> None:
    program = write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", str(workers), str(program), str(size), cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, EXPECTED if size > 100_000 else OF_SMALL, "")


@pytest.mark.once
def test_a_map_that_is_over_while_it_pickles_leaves_nothing(tmp_path: Path) -> None:
    """What its items need is let go after the call that is under way."""
    write(
        tmp_path / "prog.py",
        """
        import os
        import numpy as np
        from fedfutures import Executor

        class Closer:
            def __reduce__(self):
                submitter.close()
                return int, (5,)

        def first(a, i): return float(a[0]), i

        if __name__ == "__main__":
            with Executor(1) as executor:
                node = executor._ready()
                submitter = node.submitter(first)
                array = np.ones(500_000)
                for last in (3, Closer(), Closer(), 4):
                    print(submitter((array, last))[0].result())
                print([name for name in os.listdir(node.payloads.segments.path) if name.startswith("origin")])
        """,
    )
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "(1.0, 3)\n(1.0, 5)\n(1.0, 5)\n(1.0, 4)\n[]\n", "")


def test_many_workers_share_the_pages_of_an_array(tmp_path: Path) -> None:
    """Eight Workers that read an array of 64 MB have one copy of it between them."""
    write(
        tmp_path / "prog.py",
        """
        import os, re, time
        from pathlib import Path
        import numpy as np
        from fedfutures import futures

        WORKERS, SIZE = 8, 8_000_000
        HERE = Path("here")

        def pss():
            \"\"\"Kilobytes of maps of segments, each page divided by how many processes have it.\"\"\"
            text = Path("/proc/self/smaps").read_text()
            entries = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M)
            found = [entry for entry in entries if "fedfutures" in entry.partition("\\n")[0]]
            return sum(int(re.search(r"^Pss: *(\\d+)", entry, re.M)[1]) for entry in found)

        def wait(stage, i):
            (HERE / f"{stage}-{i}").touch()
            while len(list(HERE.glob(f"{stage}-*"))) < WORKERS:
                time.sleep(0.01)

        def read(array, i):
            total = float(array.sum())
            wait("read", i)
            found = pss()
            wait("seen", i)
            return total, found

        if __name__ == "__main__":
            HERE.mkdir()
            array = np.ones(SIZE)
            found = list(futures.map(read, [array] * WORKERS, range(WORKERS)))
            print({total for total, _ in found}, 0.9 < sum(size for _, size in found) * 1024 / array.nbytes < 1.05)
        """,
    )
    ended = launch("-n", "8", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "{8000000.0} True\n", "")


@pytest.mark.once
def test_a_worker_without_room_for_writing_says_so(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import resource
        import numpy as np
        from fedfutures import Executor

        def limit(): resource.setrlimit(resource.RLIMIT_DATA, (150_000_000, -1))
        def total(a): return float(a.sum()), a.flags.writeable
        def double(a): a *= 2

        if __name__ == "__main__":
            with Executor(2, initializer=limit) as executor:
                array = np.ones(25_000_000)
                print({executor.submit(total, array).result() for _ in range(4)})
                try:
                    executor.submit(double, array).result()
                except ValueError as error:
                    print(error)
        """,
    )
    ended = python("prog.py", cwd=tmp_path)
    assert ended.out == "{(25000000.0, False)}\noutput array is read-only\n"
    assert ended.code == 0
    [line] = ended.err.splitlines()
    assert "may not have 200,000,000 bytes more that can be written to" in line
    assert "ulimit -d" in line
