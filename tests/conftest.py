"""What all tests share: how hypothesis works here, the laboratories, and what CI runs on one Python only."""

import gc
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from effort import EXAMPLES
from hypothesis import settings
from lab.fixtures import grid_engine, grid_engine_cluster, one_network, rootless, slurm, slurm_cluster, two_sites

__all__ = ["grid_engine", "grid_engine_cluster", "one_network", "rootless", "slurm", "slurm_cluster", "two_sites"]

# No deadline for one example: tests run on busy machines, and bounds of time have tests of their own. Few examples:
# the pure tests are to take less than half a minute. `make gate` tries more (--hypothesis-profile=deep).
settings.register_profile("fedfutures", deadline=None, print_blob=True, max_examples=EXAMPLES // 3)
settings.register_profile("deep", settings.get_profile("fedfutures"), max_examples=EXAMPLES)
settings.load_profile("fedfutures")

# Programs are interrupted and hung up by tests, also where pytest was started by nohup, cron or a shell's "&", which
# have these signals ignored by all that is started below.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

TESTS = Path(__file__).parent
ONCE = (
    "broker/", "broker_process", "checkpoint/test_database.py", "checkpoint/test_store.py", "compat/", "ecosystem",
    "faults/test_at_most_once.py", "faults/test_busy_machine.py", "faults/test_cancels.py",
    "faults/test_crashing_children.py", "faults/test_endings.py", "faults/test_ends_in_order.py",
    "faults/test_journal_of_kills.py",
    "faults/test_killed_host_process.py", "faults/test_left_files.py", "faults/test_memory_limits.py",
    "faults/test_messages.py", "faults/test_orphans.py", "faults/test_resizing.py", "faults/test_retries.py",
    "faults/test_room.py",
    "faults/test_stops.py", "faults/test_system_limits.py", "faults/test_workers.py", "federation/",
    "federation_live",
    "browser", "futures/test_inquiry.py", "futures/test_page_process.py",
    "futures/test_keeping.py", "futures/test_nesting.py", "futures/test_nobody_waits.py",
    "futures/test_order.py", "futures/test_patience.py", "futures/test_pending_bytes.py", "futures/test_pools.py",
    "futures/test_progress.py",
    "futures/test_repeats.py", "futures/test_seeds.py", "futures/test_signals.py", "futures/test_timekeeper.py",
    "host/", "hosts", "house", "lab", "launcher/cli/test_launch.py", "launcher/cli/test_paging.py",
    "launcher/connector", "launcher/launchers",
    "launcher/page", "launcher/ssh", "launcher/test_pytest_plugin.py", "launcher/verbs/test_page.py",
    "launcher/verbs/test_error_examples.py",
    "pytest_runs/test_project.py", "pytest_runs/test_suite_run.py", "pytest_runs/test_suite_session.py",
    "security", "simulation", "sockets", "standing",
    "node/", "supervision/", "test_aio.py", "test_command_lines.py", "test_docs.py", "test_failpoints.py",
    "test_joblib.py", "test_keeper_process.py", "test_layers.py",
    "test_packages.py",
    "worker/test_large_values.py",
    "worker/test_leaving.py",
)  # fmt: skip
"""Hosts, networks, attacks, lossy links, signals, limits, words, the rules of Brokers, Workers and host processes: what
they show does not depend on Python's version."""
ALWAYS = {"hosts/test_battery.py": "loopback-paramiko", "federation_live/test_code.py": ""}
"""But one battery runs on each: on loopback addresses, with the built-in client. And code that travels does depend."""


_WRITES_NO_BYTECODE = sys.dont_write_bytecode
sys.dont_write_bytecode = False
"""Until all tests are collected: pytest rewrites their modules, which takes a quarter of a minute, and keeps them."""


def pytest_collection_finish() -> None:
    """Have the collector pass over what was made so far: with three thousand tests it takes half a second each time."""
    sys.dont_write_bytecode = _WRITES_NO_BYTECODE
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _made_so_far() -> Iterator[None]:
    """The same after each module: some import libraries with a million objects, which stay."""
    yield
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the option with which other Pythons share the tests that start processes."""
    parser.addoption("--share", metavar="N/M", help="of the tests with processes: the Nth of each M")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what CI runs once, and leave out what is no share of this Python."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        if place in ALWAYS and ALWAYS[place] in item.name:
            continue
        if place.startswith(ONCE):
            item.add_marker(pytest.mark.once)
    if share := config.getoption("--share"):
        number, of = map(int, share.split("/"))
        shared = [item for item in items if item.get_closest_marker("host") and not item.get_closest_marker("once")]
        left_out = {*shared} - {*shared[number - 1 :: of]}
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
