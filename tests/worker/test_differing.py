"""What a program asks for at its top level that differs between Workers."""

from __future__ import annotations

import subprocess
import sys

import pytest

TEXT = """
import sys, os, random
from fedfutures.worker import current
from fedfutures.worker.differing import Differing
plain = os.getpid
differing = Differing(lambda: print("node"))
differing.begin()
exec(compile(sys.argv[1], "program.py", "exec"), {"__name__": "prog"})
differing.end()
assert os.getpid is plain and random.Random.seed.__module__ == "random"
print(differing.why.rpartition(" in ")[0] or differing.why)
state = random.getstate()
if os.fork() == 0:
    differing.begin_worker()
    print(random.getstate() == state, flush=True)
    os._exit(0)
os.wait()
"""
NUMBERS = "the top level of the program makes or uses random numbers without a seed,"


def said(program: str) -> list[str]:
    command = [sys.executable, "-uc", TEXT, program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import random; random.random()", NUMBERS[:-1]),
        ("import random; A = random.Random()", NUMBERS[:-1]),
        ("import uuid; A = uuid.uuid4()", NUMBERS[:-1]),
        ("import secrets; A = secrets.token_hex()", NUMBERS[:-1]),
        ("import os; A = os.getpid()", "the top level of the program asks for the number of its process"),
    ],
)
def test_what_is_asked_for_is_named(program: str, why: str) -> None:
    assert said(program)[0].rstrip(",") == why.rstrip(",")


@pytest.mark.parametrize("program", ["A = 1", "import random; A = random.Random(3)", "import tempfile, logging, uuid"])
def test_other_programs_have_states_of_their_own_in_each_worker(program: str) -> None:
    assert said(program) == ["", "False"]


def test_a_seed_is_kept() -> None:
    assert said("import random; random.seed(3)") == ["", "True"]


def test_who_asks_for_the_node_is_heard() -> None:
    assert said("from fedfutures.worker import current; current.node")[0] == "node"


@pytest.mark.parametrize("call", ["np.random.rand()", "np.random.default_rng()"])
def test_numpy(call: str) -> None:
    pytest.importorskip("numpy")
    assert "random numbers" in said(f"import numpy as np; A = {call}")[0]
    assert said("import numpy as np, numpy.random; np.random.seed(3); A = np.random.default_rng(3)")[0] == ""
