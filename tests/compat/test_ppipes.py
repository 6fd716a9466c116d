"""``zeppy.ppipes``, beside what its program shows (test_seeds.py)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.compat import zeppy
from fedfutures.compat.zeppy import ppipes


def test_small_functions(capsys: pytest.CaptureFixture[str]) -> None:
    assert (ppipes.waitsome(0.01), ppipes.wait_add(0, 0.01), ppipes.wait_add_mult(0.01, mult=2)) == (0.01, 0.01, 0.02)
    assert len(ppipes.randstr(5)) == 5
    assert ppipes.randstr(12) != ppipes.randstr(12)
    assert ppipes.measure(abs)(-3) == 3
    assert capsys.readouterr().out.startswith("Total execution time: 0 ms")


@pytest.mark.parametrize(
    ("item", "call"),
    [
        ({"args": (1,), "kwargs": {"a": 2}}, {"args": (1,), "kwargs": {"a": 2}}),
        ((1, 2), {"args": (1, 2), "kwargs": {}}),
        ([], {"args": [], "kwargs": {}}),
        (11, {"args": (11,), "kwargs": {}}),
        ("ab", {"args": ("ab",), "kwargs": {}}),
    ],
)
def test_an_item_is_arguments(item: Any, call: Any) -> None:
    assert ppipes.clean_args_kwargs(item) == call
    assert ppipes.args_kwargs_helper([item, item]) == [call, call]


def test_nothing_is_nothing() -> None:
    assert zeppy.zmq_parallelpipe(abs, []) == []


def test_models_of_eppy() -> None:
    runs: list[dict[str, str]] = []
    version = SimpleNamespace(Version_Identifier="9.1")
    idf = SimpleNamespace(
        idfobjects={"version": [version]}, idfname="/models/a b.idf", run=lambda **all: runs.append(all)
    )
    assert ppipes.idfversion(idf) == "9.1"
    options = ppipes.make_options(idf)
    ppipes.idf_multirun({"args": idf, "kwargs": options})
    assert runs == [
        {"ep_version": "9-1-0", "output_prefix": "a", "output_suffix": "C", "output_directory": "/models"}
    ]  # fmt: skip
