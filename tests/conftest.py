"""What all tests share: how hypothesis works here, the laboratories, and what CI runs on one Python only."""

import gc
import signal
from pathlib import Path

import pytest
from effort import EXAMPLES
from hypothesis import settings
from lab.fixtures import one_network, rootless, two_sites

__all__ = ["one_network", "rootless", "two_sites"]

# No deadline for one example: tests run on busy machines, and bounds of time have tests of their own. Few examples:
# the pure tests are to take less than half a minute. `make gate` tries more (--hypothesis-profile=deep).
settings.register_profile("fedfutures", deadline=None, print_blob=True, max_examples=EXAMPLES // 3)
settings.register_profile("deep", settings.get_profile("fedfutures"), max_examples=2 * EXAMPLES)
settings.load_profile("fedfutures")

# Programs are interrupted and hung up by tests, also where pytest was started by nohup, cron or a shell's "&", which
# have these signals ignored by all that is started below.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

TESTS = Path(__file__).parent
ONCE = (
    "ecosystem", "federation_live", "hosts", "lab", "launcher/ssh", "security", "simulation", "test_docs.py",
    "test_layers.py", "test_packages.py", "futures/test_patience.py", "futures/test_progress.py",
    "futures/test_repeats.py", "futures/test_seeds.py",
)  # fmt: skip
"""Hosts, networks, attacks, lossy links, words, streams: what they show does not depend on the version of Python."""
ALWAYS = {"hosts/test_battery.py": "loopback-paramiko", "federation_live/test_code.py": ""}
"""But one battery runs on each: on loopback addresses, with the built-in client. And code that travels does depend."""


def pytest_collection_finish() -> None:
    """Have the collector pass over what was made so far: with three thousand tests it takes half a second each time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what CI runs once."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        if place in ALWAYS and ALWAYS[place] in item.name:
            continue
        if place.startswith(ONCE):
            item.add_marker(pytest.mark.once)
