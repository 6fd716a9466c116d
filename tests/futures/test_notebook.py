"""Interrupted cells: of what a node has submitted, what the cell has submitted from the main thread is cancelled."""

from __future__ import annotations

import itertools
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from fedfutures import Executor
from fedfutures.futures import ends
from fedfutures.futures.notebook import CellNumbers, attend
from fedfutures.worker.future import Future, settle
from fedfutures.worker.future_fields import number_of


class Shell:
    """Stands for IPython's shell, which is not installed with the package; tests/ecosystem has a real kernel."""

    def __init__(self) -> None:
        self.hooks: dict[str, Callable[..., Any]] = {}
        self.events = self

    def register(self, name: str, hook: Callable[..., Any]) -> None:
        assert name not in self.hooks
        self.hooks[name] = hook

    def begin(self) -> None:
        self.hooks["pre_run_cell"](None)

    def end(self, error: BaseException | None) -> None:
        self.hooks["post_run_cell"](types.SimpleNamespace(error_in_exec=error))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    made = Shell()
    module: Any = types.ModuleType("IPython")
    module.get_ipython = lambda: made
    monkeypatch.setitem(sys.modules, "IPython", module)
    yield made
    ends.listen(bool)


def in_thread(call: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_numbers_of_the_cell_are_those_of_the_main_thread() -> None:
    numbers = CellNumbers(itertools.count(1))
    assert [next(numbers), next(numbers), in_thread(lambda: next(numbers)), next(iter(numbers))] == [1, 2, 3, 4]
    futures = [Future(None, number) for number in range(1, 6)]
    settle(futures[0], 7)
    assert [number_of(future) for future in numbers.of_cell(futures)] == [2, 4]
    numbers.begin()
    next(numbers)
    assert [number_of(future) for future in numbers.of_cell(futures)] == [5]


def test_without_a_shell_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("IPython")
    module.get_ipython = lambda: None
    monkeypatch.setitem(sys.modules, "IPython", module)
    attend(None)  # it would be asked for its submissions


def wait_for(path: str) -> str:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)
    return path


@pytest.mark.host
def test_an_interrupted_cell_ends_what_it_has_submitted(
    shell: Shell, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = str(tmp_path / "gate")
    with Executor(3) as executor:
        early = executor.submit(wait_for, gate)
        shell.begin()
        late = [executor.submit(wait_for, gate) for _ in range(3)]
        other = in_thread(lambda: executor.submit(wait_for, gate))
        results = executor.map(wait_for, [gate] * 50)
        shell.end(KeyboardInterrupt())
        said = capsys.readouterr().err
        assert "the cell was interrupted" in said
        assert all(future.cancelled() for future in late)
        shell.begin()
        assert executor.submit(abs, -3).result(10) == 3
        shell.end(ValueError())
        assert (early.done(), other.done()) == (False, False), "others go on"
        open(gate, "w").close()
        assert (early.result(10), other.result(10)) == (gate, gate)
        with pytest.raises(CancelledError):  # a map that was cut off does not just end
            list(results)
        assert capsys.readouterr().err == ""
