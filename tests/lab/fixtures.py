"""Laboratories as fixtures: ``from lab.fixtures import rootless`` in a conftest makes one for each session.

Where a laboratory cannot be, tests that want it are skipped and say why. With FEDFUTURES_REQUIRE_HOSTS=1, which CI
sets, that is a failure: tests that are skipped for ever prove nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from . import machines
from .grid_engine import GridEngine
from .namespaces import NEEDS, Namespaces, Site
from .rootless import Rootless
from .slurm import Slurm


def need(*programs: str, root: bool = False) -> None:
    """Skip, or fail where hosts are required, unless the programs are here and, if so asked, this is root."""
    missing = [name for name in programs if machines.program(name) is None]
    missing += ["root"] if root and os.getuid() else []
    if missing:
        _without(f"hosts on one machine need {', '.join(missing)}")


def _without(why: str) -> None:
    if os.environ.get("FEDFUTURES_REQUIRE_HOSTS") == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def rootless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootless]:
    """Three hosts h1, h2, h3 on loopback addresses. A test that breaks one mends it, or makes its own laboratory."""
    need("sshd", "ssh", "ssh-keygen")
    with Rootless(3, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


Made = TypeVar("Made", Namespaces, Slurm, GridEngine)
Batch = TypeVar("Batch", Slurm, GridEngine)


def namespaces(make: Callable[[], Made]) -> Made:
    """Make a laboratory in namespaces; where there can be none, skip, or fail if hosts are required."""
    need(*NEEDS, root=True)
    try:
        return make()
    except machines.Failed as error:
        _without(f"no namespaces here: {error}")
        raise


@pytest.fixture(scope="session")
def one_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespaces]:
    """Three hosts h1, h2, h3 on one network; programs are launched in the place of h1."""
    with namespaces(lambda: Namespaces(3, tmp_path_factory.mktemp("lab"))) as lab:
        yield lab


@pytest.fixture(scope="session")
def two_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespaces]:
    """Two sites: h1 and h2, which nobody can dial from outside, and h4 and h5 behind their access host h3."""
    sites = [Site(["h1", "h2"], "gated"), Site(["h3", "h4", "h5"], "gated", door="h3")]
    with namespaces(lambda: Namespaces(sites, tmp_path_factory.mktemp("lab"))) as lab:
        yield lab


def _cluster(kind: type[Batch], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """Make a batch system of three hosts for a fixture."""
    need(*kind.needs)
    with namespaces(lambda: kind(3, tmp_path_factory.mktemp("cluster"))) as made:
        yield made


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A Slurm of three nodes, for the session; tests take the fixture ``slurm``."""
    yield from _cluster(Slurm, tmp_path_factory)


@pytest.fixture
def slurm(slurm_cluster: Slurm) -> Iterator[Slurm]:
    """A Slurm of three nodes on which nothing runs; what a test leaves there is cancelled and killed."""
    yield slurm_cluster
    slurm_cluster.end_all()


@pytest.fixture(scope="session")
def grid_engine_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GridEngine]:
    """A Grid Engine of three hosts, for the session; tests take the fixture ``grid_engine``."""
    yield from _cluster(GridEngine, tmp_path_factory)


@pytest.fixture
def grid_engine(grid_engine_cluster: GridEngine) -> Iterator[GridEngine]:
    """A Grid Engine of three hosts on which nothing runs; what a test leaves there is deleted and killed."""
    yield grid_engine_cluster
    grid_engine_cluster.end_all()
