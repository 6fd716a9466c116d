"""Peers that are not of the standard library, on this host and its loopback; each is imported when it is opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def is_installed(package: str) -> bool:
    """Whether a peer can be opened; "": it needs no package."""
    return not package or importlib.util.find_spec(package) is not None


@contextmanager
def dask_client(workers: int) -> Iterator[Any]:
    """A client of Dask's distributed scheduler, with one thread for each worker process."""
    from distributed import Client, LocalCluster

    with LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


@contextmanager
def ray_session(workers: int) -> Iterator[Any]:
    """The module ``ray``, with so many processors."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    try:
        yield ray
    finally:
        ray.shutdown()
