"""Calls that raise what is true of one host alone, on hosts of which one lacks a file or a module."""

from __future__ import annotations

import pytest

from .ground import Ground

pytestmark = pytest.mark.host

FUNCTIONS = """
    import importlib
    import os
    import time

    import fedfutures

    def host():
        return fedfutures.worker.name.rpartition(".")[0]

    def read(directory, number=0):
        time.sleep(0.02)
        with open(os.path.join(directory, host(), "data")) as file:
            return file.read() + str(number)

    def compute(number):
        time.sleep(0.02)
        return importlib.import_module("json" if host() != "h1" else "not_on_h1").dumps(number)

    def nowhere(path):
        time.sleep(0.02)
        return open(path)

    def where(number):
        time.sleep(0.02)
        return host()

    def wrong(number):
        time.sleep(0.02)
        raise ValueError(number)

    def parent(directory):
        from fedfutures import futures
        return [futures.submit(read, directory, number).result() for number in range(2)]
"""
PROGRAM = """
    import os
    import sys

    from fedfutures import futures, statistics
    from functions import compute, nowhere, parent, read, where, wrong

    directory = os.path.dirname(os.path.abspath(__file__))

    def notes(error):
        return [note for note in error.__notes__ if note.startswith("tried")]

    def main():
        while len(set(futures.map(where, range(30)))) < 3:
            pass  # a host that is not there yet is no other host
        calls = [futures.submit(read, directory, number) for number in range(12)]
        print([call.result() for call in calls])
        print(list(futures.map(compute, range(12))) == [str(number) for number in range(12)])
        print(sorted(set(futures.map(read, [directory] * 12, chunksize=3))))
        [said] = [found["avoided"] for name, found in statistics().items() if name.startswith("origin")]
        print(sorted({text.split("raised")[0] for text in said}))
        error = futures.submit(nowhere, "/not/anywhere").exception()
        print(type(error).__name__, len(notes(error)), notes(error)[0].rpartition(" on ")[0])
        found = list(futures.map(nowhere, ["/not/anywhere"] * 3, return_exceptions=True))
        print([(type(error).__name__, len(notes(error))) for error in found])
        print(notes(futures.submit(wrong, 1).exception()))
        print(notes(futures.options(idempotent=False).submit(nowhere, "/not/anywhere").exception()))
        print(sorted({tuple(futures.submit(parent, directory).result()) for _ in range(4)}))

    if __name__ == "__main__":
        main()
"""


def test_one_host_lacks_what_the_others_have(rootless, tmp_path):
    ground = Ground(rootless, ["h1", "h2", "h3"], str(tmp_path), "paramiko")
    ground.write("functions.py", FUNCTIONS)
    for host in ("h2", "h3"):
        ground.write(f"{host}/data", "here")
    ended = ground.launch("-n", "6", ground.write("prog.py", PROGRAM))
    assert ended.out.splitlines() == [
        str([f"here{number}" for number in range(12)]),
        "True",
        "['here0']",
        "['fedfutures: on host h1, compute() ', 'fedfutures: on host h1, read() ']",
        "FileNotFoundError 1 tried again",
        "[('FileNotFoundError', 1), ('FileNotFoundError', 1), ('FileNotFoundError', 1)]",
        "[]",
        "[]",
        "[('here0', 'here1')]",
    ], ended.err
    assert ended.code == 0, ended.err
    for name, error in (("read", "FileNotFoundError"), ("compute", "ModuleNotFoundError")):
        assert ended.err.count(f"fedfutures: on host h1, {name}() raised {error}") == 1, "once, though mapped, too"
