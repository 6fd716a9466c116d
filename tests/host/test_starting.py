"""Nothing below the composition names what stands above it."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

import fedfutures.host_process
from fedfutures.host import starting
from fedfutures.host.handle import command_here
from fedfutures.host.here import settings_here


def test_the_package_says_what_a_host_process_is() -> None:
    assert starting.host_module == fedfutures.host_process.__name__
    command = command_here(settings_here(1))
    assert command[0] == sys.executable
    assert any("from fedfutures.host_process import main; gc.enable(); main()" in word for word in command)


def test_the_launcher_is_loaded_when_it_is_asked_for() -> None:
    loaded = starting.load_launcher()
    assert callable(loaded.start_for_executor)


def test_another_composition(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("host_module", "keeper_module", "keeper_connector_module", "page_module", "load_launcher"):
        monkeypatch.setattr(starting, name, None)
    starting.compose("a.b", "a.c", "a.d", "a.e", lambda: 7)
    modules = starting.host_module, starting.keeper_module, starting.keeper_connector_module, starting.page_module
    assert (modules, starting.load_launcher()) == (("a.b", "a.c", "a.d", "a.e"), 7)


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_rests_and_is_then_as_it_was(is_enabled: bool) -> None:
    found = []

    def load() -> None:
        with starting.LoadingModules():
            found.append(gc.isenabled())
            raise ImportError

    before = gc.isenabled()
    (gc.enable if is_enabled else gc.disable)()
    try:
        with pytest.raises(ImportError):
            load()
        found.append(gc.isenabled())
    finally:
        (gc.enable if before else gc.disable)()
    assert found == [False, is_enabled]


@pytest.mark.parametrize("first", ["pass", "gc.disable()"])
def test_the_face_leaves_the_collector_as_it_was(first: str) -> None:
    text = f"import gc; {first}; before = gc.isenabled(); from fedfutures import Executor, futures\n"
    text += "print(before is gc.isenabled())"
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"
