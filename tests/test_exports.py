"""The public face: all of it is there, nothing is loaded before it is needed, and its examples are true."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest
from house import tree

import fedfutures

WITH_EXAMPLES = [name for name, module in tree.modules().items() if ">>>" in module.text]


@pytest.mark.parametrize("name", fedfutures.__all__)
def test_every_name_is_there(name: str) -> None:
    getattr(fedfutures, name)
    assert name in dir(fedfutures)


def test_the_list_is_sorted_and_without_doubles() -> None:
    assert sorted(set(fedfutures.__all__)) == sorted(fedfutures.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'fedfutures' has no attribute 'nothing'"):
        fedfutures.nothing  # noqa: B018


def test_without_a_federation() -> None:
    assert (fedfutures.IS_ORIGIN, fedfutures.IS_RUNNING, fedfutures.SIZE) == (True, False, 0)


@pytest.mark.parametrize("name", ["fedfutures.futures", "fedfutures.shared", "fedfutures.errors"])
def test_the_lists_of_the_parts(name: str) -> None:
    module = importlib.import_module(name)
    for exported in getattr(module, "__all__", []):
        getattr(module, exported)


@pytest.mark.host
@pytest.mark.parametrize("unwanted", ["zmq", "paramiko", "asyncio", "cloudpickle", "numpy"])
def test_an_import_loads_little(unwanted: str) -> None:
    program = f"import fedfutures, sys; sys.exit({unwanted!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={"pickle": __import__("pickle")})
    assert found.failed == 0
