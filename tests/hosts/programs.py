"""Programs that the battery launches. Texts: on the hosts there is no copy of them."""

CENSUS_OF_WORKERS = """
    import sys
    import time
    import fedfutures
    from fedfutures import futures

    def where(number):
        time.sleep(0.05)
        return fedfutures.worker.name.rpartition(".")[0]

    if __name__ == "__main__":
        wanted, names, end = int(sys.argv[1]), set(), time.monotonic() + 20
        while len(names) < wanted and time.monotonic() < end:
            names |= set(futures.map(where, range(24)))
        print("size", fedfutures.SIZE)
        print("hosts", *sorted(names))
"""

HELPERS = """
    SCALE = 3

    class Point:
        def __init__(self, x):
            self.x = x

    def scaled(point):
        return Point(point.x * SCALE)
"""

PACKAGE = """
    from . import inner

    def twice(value):
        return inner.double(value)
"""

INNER = """
    def double(value):
        return value * 2
"""

EVERYTHING = """
    import os
    import sys
    import time

    import fedfutures
    from fedfutures import futures, shared

    import helpers
    from package import twice

    class Own:
        def __init__(self, value):
            self.value = value

    class OwnError(Exception):
        pass

    def square(number):
        return number * number

    def own(value):
        return Own(value)

    def fails(text):
        raise OwnError(text)

    def late(number):
        import package.inner
        return package.inner.double(number)

    def lacking(_):
        import no_such_module_anywhere

    def tree(depth):
        if depth == 0:
            return 1
        return sum(futures.map(tree, [depth - 1] * 2))

    def large(data):
        time.sleep(0.02)
        return bytearray(reversed(data))

    def constant(_):
        time.sleep(0.02)
        return len(shared.get("big")), shared.get("small")

    def from_file(_):
        time.sleep(0.02)
        with open(shared.file(TABLE)) as file:
            return file.read()

    TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "table.csv")

    if __name__ == "__main__":
        print(list(futures.map(square, range(1000)))[-1])
        print(sum(point.x for point in futures.map(helpers.scaled, map(helpers.Point, range(100)))))
        print([twice(1), *futures.map(twice, ["a", "b"]), *futures.map(late, [1, 2])])
        print(type(futures.submit(own, 5).result()) is Own)
        try:
            futures.submit(fails, "so it is").result()
        except OwnError as error:
            print(error, "fails" in str(error.__cause__))
        try:
            futures.submit(lacking, 0).result()
        except ModuleNotFoundError as error:
            print("no_such_module_anywhere" in str(error))
        print(futures.submit(tree, 6).result())
        data = os.urandom(1 << 20)
        print(all(back == bytes(reversed(data)) for back in futures.map(large, [data] * 12)))
        shared.set(big=bytes(3 << 20), small="x")
        print(set(futures.map(constant, range(12))))
        shared.file(TABLE)
        print(set(futures.map(from_file, range(12))))
        print(sys.argv[1:])
"""

EVERYTHING_PRINTS = """\
998001
14850
[2, 'aa', 'bb', 2, 4]
True
so it is True
True
64
True
{(3145728, 'x')}
{'a,b\\n'}
['one', '--two']
"""

LONG = """
    import sys
    import time
    from fedfutures import futures

    def nap(number):
        time.sleep(0.1)
        return number

    if __name__ == "__main__":
        count = int(sys.argv[1])
        done = 0
        for number in futures.map(nap, range(count)):
            done += 1
            if done == 8:
                print("under way", flush=True)
        print("done", done, flush=True)
"""

UNTIL_TOLD = """
    import os
    import sys
    import time
    from fedfutures import futures

    def nap(number):
        time.sleep(0.1)
        return number

    if __name__ == "__main__":
        done = []
        while not os.path.exists(sys.argv[1]):
            for number in futures.map(nap, range(len(done), len(done) + 24)):
                done.append(number)
                if number == 8:
                    print("under way", flush=True)
        print("all right" if done == list(range(len(done))) else done, flush=True)
"""
"""It goes on until a file of that name is there."""

BYTES_BOTH_WAYS = """
    import os
    import signal
    from fedfutures import futures

    def turned(data):
        return os.uname().nodename, bytes(reversed(data))

    if __name__ == "__main__":
        ended, seen, right, wrong, number = [], set(), 0, 0, 0
        signal.signal(signal.SIGUSR1, lambda *about: ended.append(True))
        while not ended:
            given = [bytes([(number + item) % 256]) * 100_000 + b"end" for item in range(40)]
            for data, (host, back) in zip(given, futures.map(turned, given, chunksize=1)):
                right, wrong = right + (back == data[::-1]), wrong + (back != data[::-1])
                if host not in seen:
                    seen.add(host)
                    print(host, flush=True)
            number += 1
        print(right, "right,", wrong, "wrong", flush=True)
"""

DAEMONS = """
    import os
    import sys
    import time
    from fedfutures import futures

    def leave_a_daemon(number):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execvp("sleep", ["sleep", "7231"])
            os._exit(0)
        os.wait()
        time.sleep(0.2)
        return number

    if __name__ == "__main__":
        print(sum(futures.map(leave_a_daemon, range(12))), flush=True)
        sys.stdin = None
        time.sleep(600)
"""

LACKING = """
    from fedfutures import futures

    def lacking(_):
        import no_such_module_anywhere

    if __name__ == "__main__":
        try:
            futures.submit(lacking, 0).result()
        except ModuleNotFoundError as error:
            print(error)
"""

CLASH = """
    from fedfutures import futures
    from pluggy import MINE

    def value(_):
        import pluggy
        return pluggy.MINE + MINE

    if __name__ == "__main__":
        print(set(futures.map(value, range(4))))
"""

KILLS = """
    import glob
    import os
    import signal
    import sys
    import time
    import fedfutures
    from fedfutures import futures

    def call(number):
        time.sleep(0.003)
        return number, fedfutures.worker.name

    def children():
        pids = [pid for name in glob.glob("/proc/self/task/*/children") for pid in open(name).read().split()]
        return {int(pid): open(f"/proc/{pid}/comm").read().strip() for pid in pids}

    def kill(kinds):
        for pid, name in children().items():
            if ("connector" if name == "fedfut-connect" else "host") in kinds.split("+"):
                os.kill(pid, signal.SIGKILL)

    if __name__ == "__main__":
        wrong, hosts = 0, set()
        for kinds in sys.argv[2:]:
            calls = [futures.submit(call, number) for number in range(600)]
            time.sleep(0.3)
            kill(kinds)
            found = [call.result(60) for call in calls]
            wrong += [number for number, _ in found] != list(range(600))
            hosts |= {name.partition(".")[0] for _, name in found}
            end = time.monotonic() + 1.1
            while time.monotonic() < end or not os.path.exists(f"{sys.argv[1]}/{kinds}"):
                futures.submit(call, 1).result(60)
        print("hosts", len(hosts), "wrong", wrong)
"""

LARGE_RESULTS = """
import os, sys, time
from fedfutures import futures

def blob(seconds):
    time.sleep(seconds)
    return os.urandom(60_000)

if __name__ == "__main__":
    print(len([future.result() for future in [futures.submit(blob, 0.02) for _ in range(int(sys.argv[1]))]]))
"""
