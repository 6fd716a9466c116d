"""Data files of packages that travel to hosts that have neither, and what is said of those that stay."""

from __future__ import annotations

import pytest

from .test_ends import one_client

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = """
import multiprocessing, os, pkgutil
from importlib.resources import files

import pack
from pack.inner import reading
from fedfutures import futures

def by_path(_):
    with open(os.path.join(os.path.dirname(pack.__file__), "table.txt")) as file:
        return file.read()

def of_a_child(_):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(by_path, [0])

def by_resources(_):
    return [files("pack").joinpath("table.txt").read_text(), files("pack.inner").joinpath("deep.txt").read_text()]

def beside_the_program(_):
    return open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "beside.txt")).read()

if __name__ == "__main__":
    for function in (by_path, of_a_child, by_resources, reading.own, beside_the_program):
        try:
            print(*futures.map(function, range(6), chunksize=1).__iter__().__next__(), sep="|")
        except OSError as error:
            print(type(error).__name__, *error.__notes__, sep="|")
    print(len(set(futures.map(reading.place, range(24), chunksize=1))) <= 2)
"""
READING = """
import os, time
def own(_):
    with open(os.path.join(os.path.dirname(__file__), "deep.txt")) as file:
        return file.read()
def place(_):
    time.sleep(0.02)
    return __file__
"""


@one_client
def test_files_of_a_package_are_where_it_looks_for_them(network) -> None:
    for name, text in (
        ("pack/__init__.py", ""), ("pack/table.txt", "42"), ("pack/inner/__init__.py", ""),
        ("pack/inner/deep.txt", "7"),
        ("pack/inner/reading.py", READING), ("beside.txt", "here alone"),
    ):  # fmt: skip
        network.write(name, text)
    prog = network.write("prog.py", PROGRAM)
    ended = network.launch("-n", "4", prog, hosts=["h2", "h3"])
    assert ended.code == 0, ended.err
    *lines, where, is_once = ended.out.splitlines()
    assert lines == ["4|2", "42", "42|7", "7"]
    assert where.startswith("FileNotFoundError|")
    assert "on host h" in where
    assert "call fedfutures.shared.file(" in where
    assert is_once == "True", "one copy for each host"
    for host in ("h2", "h3"):
        assert network.lab.run(host, "ls /tmp /dev/shm | grep -c fedfutures || true").strip() == "0"
