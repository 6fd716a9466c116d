"""The public face: all of it is there, nothing is loaded before it is needed, and its examples are true."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

import fedfutures

PURE = [
    "fedfutures.broker.audit",
    "fedfutures.broker.definitions",
    "fedfutures.broker.dispatch",
    "fedfutures.broker.events",
    "fedfutures.broker.exchange",
    "fedfutures.broker.files",
    "fedfutures.broker.inbound",
    "fedfutures.broker.inquiries",
    "fedfutures.broker.keeping",
    "fedfutures.broker.ledger",
    "fedfutures.broker.losses",
    "fedfutures.broker.machine",
    "fedfutures.broker.neighbourhood",
    "fedfutures.broker.orphans",
    "fedfutures.broker.queue",
    "fedfutures.broker.roles",
    "fedfutures.broker.transfers",
    "fedfutures.broker.window",
    "fedfutures.federation.channel",
    "fedfutures.federation.events",
    "fedfutures.federation.link",
    "fedfutures.federation.schedule",
    "fedfutures.federation.sessions",
    "fedfutures.host.blackbox",
    "fedfutures.host.brokers",
    "fedfutures.host.flags",
    "fedfutures.host.machine",
    "fedfutures.host.output",
    "fedfutures.host.settings",
    "fedfutures.program.callables",
    "fedfutures.program.generators",
    "fedfutures.program.shadows",
    "fedfutures.wire.codec",
    "fedfutures.wire.failures",
    "fedfutures.wire.functions",
    "fedfutures.wire.manifest",
    "fedfutures.wire.messages",
    "fedfutures.wire.modules",
    "fedfutures.wire.payload",
    "fedfutures.wire.seal",
    "fedfutures.wire.segments",
    "fedfutures.worker.events",
    "fedfutures.worker.machine",
    "fedfutures.worker.pace",
    "fedfutures.worker.requests",
    "fedfutures.worker.slices",
    "fedfutures.worker.streams",
    "fedfutures_launcher.assembly",
    "fedfutures_launcher.hello",
    "fedfutures_launcher.hostfile",
    "fedfutures_launcher.hosts",
    "fedfutures_launcher.links",
    "fedfutures_launcher.plan",
    "fedfutures_launcher.preflight",
    "fedfutures_launcher.schedulers",
    "fedfutures_launcher.ssh.command",
    "fedfutures_launcher.ssh.failures",
    "fedfutures_launcher.streams",
]


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


@pytest.mark.parametrize("name", PURE)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={"pickle": __import__("pickle")})
    assert found.failed == 0
