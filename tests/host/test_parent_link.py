"""What the kernel's tables say of connections to a port, read from tables and from this machine's own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.host.parent_link import parent_link, place_of
from fedfutures.supervision.contact import ParentLink

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, remote: str, state: str) -> str:
    return (
        f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0 20 4 30 10\n"
    )


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.socket(request.param) as here:
        try:
            here.bind(("127.0.0.1" if request.param == socket.AF_INET else "::1", 0))
        except OSError:
            pytest.skip("no IPv6")
        here.listen()
        yield here


def place(of: socket.socket) -> tuple[bytes, int]:
    return place_of(*of.getsockname()[:2])


def test_a_connection_lives_until_the_other_end_closes_it(listener: socket.socket) -> None:
    bound = [place(listener)]
    assert parent_link(bound, []) is ParentLink.GONE
    with socket.create_connection(listener.getsockname()[:2]) as other:
        accepted, _ = listener.accept()
        with accepted:
            assert parent_link(bound, []) is ParentLink.LIVES
            assert parent_link(bound, [place(other)]) is ParentLink.RELAYED
            assert parent_link([(b"", bound[0][1])], []) is ParentLink.LIVES, "an address that is a name is any"
            assert parent_link([(b"\1" * len(bound[0][0]), bound[0][1])], []) is ParentLink.GONE, "of another host"
            other.close()
            assert parent_link(bound, []) is ParentLink.GONE


def test_a_connection_that_this_host_has_closed_was_silent(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        accepted.close()
        assert parent_link([place(listener)], []) is ParentLink.SILENT


def test_nothing_is_said_where_no_port_is_bound_or_no_table_can_be_read(tmp_path: Path) -> None:
    assert parent_link([], []) is ParentLink.UNKNOWN
    assert parent_link([place_of("10.0.0.5", 7000)], [], [str(tmp_path / "none")]) is ParentLink.UNKNOWN


def test_of_several_connections_the_best_one_counts(tmp_path: Path) -> None:
    """A link that moves to other ports has two for a while."""
    local, far = "0100007F:1F90", "0500000A:C001"
    bound = [place_of("127.0.0.1", 8080)]
    table = tmp_path / "tcp"
    rows = [row("0100007F:1F91", far, "01"), row(local, far, "08"), row(local, far, "0A")]
    for state, remote, link in [
        ("08", far, ParentLink.GONE), ("05", far, ParentLink.SILENT), ("04", far, ParentLink.SILENT),
        ("01", "0100007F:C002", ParentLink.RELAYED), ("01", far, ParentLink.LIVES),
    ]:  # fmt: skip
        rows.append(row(local, remote, state))
        table.write_text(HEAD + "".join(rows))
        assert parent_link(bound, [place_of("127.0.0.1", 0xC002)], [str(table)]) is link


def test_ipv4_in_the_table_of_ipv6(tmp_path: Path) -> None:
    table = tmp_path / "tcp6"
    local = "0000000000000000FFFF00000100007F:1F90"
    table.write_text(HEAD + row(local, local, "01"))
    assert parent_link([place_of("127.0.0.1", 8080)], [], [str(table)]) is ParentLink.LIVES
    assert parent_link([place_of("::ffff:127.0.0.1", 8080)], [], [str(table)]) is ParentLink.LIVES
