"""Where the Workers of an Executor are."""

from __future__ import annotations

from pickle import PicklingError

import pytest

from fedfutures.errors import StartFailed
from fedfutures.futures.handles import joined, started
from fedfutures.host.here import settings_here
from fedfutures.host.hosts import Hosts


def test_more_workers_than_memory_are_refused() -> None:
    with pytest.raises(StartFailed, match=r"100,000 Workers on .* need at least"):
        started(settings_here(100_000), None, 100_000)


def test_what_only_passes_to_children_does_not_go_to_other_hosts() -> None:
    with pytest.raises(PicklingError, match="reach Workers of this host alone"):
        started(settings_here(1, descriptors=[5]), Hosts(("h1",)), 1)


def test_nobody_joins_what_does_not_stand() -> None:
    with pytest.raises(StartFailed, match="no Federation named nowhere stands"):
        joined("nowhere", settings_here(1), 1)
