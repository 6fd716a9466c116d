"""The functions of pieces: they may run when those are here."""

from __future__ import annotations

from fedfutures.node import events as rules
from fedfutures.node.definitions import Definitions
from fedfutures.node.workload import Workload
from fedfutures.wire.messages import Batch, Function, Want


def batch(piece: int, function: bytes = b"f") -> Batch:
    return Batch(piece, "o", function, 1, 0, 0, False, [piece], [b""])


def test_pieces_run_when_their_function_is_here() -> None:
    workload = Workload("w")
    definitions = Definitions(workload)
    assert definitions.hold(batch(1)) == Want(b"f")
    assert definitions.hold(batch(2, b"g")) == Want(b"g")
    assert workload.lacking == {1, 2}
    assert definitions.come(Function(b"f", "name", b"body")) == [rules.Run(1, b"body")]
    assert definitions.hold(batch(3)) == rules.Run(3, b"body")
    assert (workload.pieces[1].name, workload.pieces[3].name, len(definitions)) == ("name", "name", 1)
    definitions.forget(b"f")
    definitions.forget(b"f")
    assert definitions.hold(batch(4)) == Want(b"f")
