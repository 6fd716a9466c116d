"""The self-test finds bound sockets that let strangers in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import zmq

from fedfutures.errors import StartFailed
from fedfutures.sockets import selftest
from fedfutures.sockets.keys import make_keys
from fedfutures.sockets.options import tcp
from fedfutures.sockets.remote import RemoteRouter
from fedfutures.sockets.sockets import Context, context
from fedfutures.sockets.zap import ZapHandler

pytestmark = pytest.mark.host
ADDRESS = "127.0.0.1"


@pytest.fixture
def owner() -> Iterator[Context]:
    made = context()
    yield made
    made.destroy(linger=0)


def run(owner: Context, zap: ZapHandler, change: Callable[[RemoteRouter], None] = lambda router: None) -> None:
    """Test a socket after something has been done to it."""
    own = make_keys()
    router = RemoteRouter(owner, ADDRESS, own, zap)
    try:
        change(router)
        targets = [(router.kind, tcp(ADDRESS, router.port))]
        selftest.check_refusals(owner, targets, own.public, None)
        zap.open()
        selftest.check_refusals(owner, targets, own.public, zap)
    finally:
        router.close()
        zap.close()


def bind_again(router: RemoteRouter, option: int, value: int) -> None:
    """Bind once more with an option changed, as if it had never been set."""
    router.raw.setsockopt(option, value)
    router.raw.bind("tcp://127.0.0.1:*")
    router.port = int(router.raw.getsockopt(zmq.LAST_ENDPOINT).rpartition(b":")[2])  # type: ignore[union-attr]


def test_a_socket_as_it_should_be_refuses_strangers(owner: Context) -> None:
    zap = ZapHandler(owner)
    run(owner, zap)
    assert (zap.admitted, zap.refused) == (0, 1), "the stranger without a key has not come so far"


def test_a_socket_that_lets_all_in_while_there_is_no_handler(owner: Context) -> None:
    with pytest.raises(StartFailed, match="the Main socket let a stranger in; nobody is told where it is"):
        run(owner, ZapHandler(owner), lambda router: bind_again(router, 93, 0))


def test_a_socket_without_encryption(owner: Context) -> None:
    with pytest.raises(StartFailed, match="the Main socket refused a stranger for a wrong reason"):
        run(owner, ZapHandler(owner), lambda router: bind_again(router, int(zmq.CURVE_SERVER), 0))


def test_a_handler_that_lets_all_in(owner: Context) -> None:
    class LetsAllIn(ZapHandler):
        def name_of(self, key: str) -> str | None:
            return "anybody"

    with pytest.raises(StartFailed, match="the Main socket let a stranger in; nobody is told where it is"):
        run(owner, LetsAllIn(owner))
