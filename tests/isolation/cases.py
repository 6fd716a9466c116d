"""How the programs of this folder run their cases: a line for each, which ends in "right" if it is."""

from __future__ import annotations

import contextlib
import sys

import fedfutures
from fedfutures import futures


def run_all(cases):
    """Run cases, each with what submits: an Executor of two Workers if the program was asked for one."""
    with fedfutures.Executor(2) if sys.argv[1:] == ["executor"] else contextlib.nullcontext(futures) as face:
        for name, case in cases.items():
            try:
                wrong = case(face)
            except BaseException as error:
                wrong = repr(error)
            print(f"{name}: {'right' if wrong is None else wrong}", flush=True)
