"""What an Executor says of arguments that it does not take."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fedfutures import Executor


@pytest.mark.parametrize(
    ("name", "said"),
    [("env", "os.environ"), ("path", "pythonpath"), ("globals", "shared.set"), ("processes", "max_workers="),
     ("maxtasksperchild", "max_tasks_per_child="), ("nothing", "unexpected keyword argument 'nothing'$"),
     ("allow_root", r"write hosts=fedfutures\.Hosts\(names, allow_root=\.\.\.\)$")],
)  # fmt: skip
def test_keywords_of_others(name: str, said: str) -> None:
    with pytest.raises(TypeError, match=rf"Executor\(\) got an unexpected keyword argument '{name}'.*{said}|{said}"):
        Executor(**{name: 1, "mode": "serial"})


@pytest.mark.parametrize("given", ["4", 2.5])
def test_a_number_of_workers_that_is_none(given: Any) -> None:
    with pytest.raises(TypeError, match=rf"^max_workers must be an integer or None, not \w+ {re.escape(repr(given))}$"):
        Executor(max_workers=given)


@pytest.mark.parametrize(
    ("brokers", "error"), [(0, ValueError), (-1, ValueError), (9999, ValueError), (True, TypeError), ("2", TypeError)]
)
def test_a_number_of_brokers_that_makes_no_sense(brokers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="brokers must be"):
        Executor(mode="serial", brokers=brokers)
