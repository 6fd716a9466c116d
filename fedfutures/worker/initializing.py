"""The initializer of an Executor on its way: a call with all that it sees of the program, in one piece.

It is packed before there is an Origin that Workers could ask, so the values of the variables that it reaches travel
with it, and none of them in segments.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from ..program.process import ProcessChanges
from ..program.reach import Reach
from ..program.tokens import MISSING_TOKEN
from ..program.variables import described
from ..wire.functions import FunctionCache
from ..wire.payload import Payloads
from .definer import Definer
from .inheriting import advice, spawning

BYTES_AT_MOST = 48 << 20


class Initializer(NamedTuple):
    """What a Worker needs to run it."""

    definition: bytes
    payload: bytes
    digest: bytes  # of the snapshot that it sees, b"" for none
    snapshot: bytes
    values: dict[bytes, bytes]


def pack(function: Callable[..., object], arguments: tuple[Any, ...], descriptors: list[int] | None = None) -> bytes:
    """Return an initializer for the settings; add to `descriptors` those that the host process is to inherit for it.

    Raises what pickling raises, and PicklingError for one too large and for what cannot be given to Workers.
    """
    try:
        with spawning() as heirs:
            packed = _pack(function, arguments)
    except Exception as error:
        hint = advice(error)
        if not hint:
            raise
        raise pickle.PicklingError(f"the initializer's arguments cannot be pickled: {error}. {hint}") from error
    if descriptors is not None:
        descriptors += heirs.descriptors
    return packed


def _pack(function: Callable[..., object], arguments: tuple[Any, ...]) -> bytes:
    payloads = Payloads()
    definer = Definer(payloads, FunctionCache(payloads), ProcessChanges())
    definition = definer.define(function)
    reached = Reach()
    payload = payloads.dump((arguments, {}), reached=reached)
    if reached:
        definition = definer.with_arguments(definition, reached)
    snapshot = definition.snapshot
    values = {}
    for version in (*snapshot.versions.values(), *snapshot.callables) if snapshot is not None else ():
        body = definer.body_of("value", version.address)
        if body is not None and version.token != MISSING_TOKEN:
            values[version.address] = body
    if sum(map(len, values.values())) + len(payload) > BYTES_AT_MOST:
        what = described(snapshot.versions) if snapshot is not None else "its arguments"
        raise pickle.PicklingError(
            f"the initializer's arguments and the variables that it reaches are more than {BYTES_AT_MOST >> 20} MiB: "
            f"{what}. Load large data in the initializer itself, or from Futures."
        )
    digest, body = (snapshot.digest, snapshot.body) if snapshot is not None else (b"", b"")
    return pickle.dumps(tuple(Initializer(definition.body, payload, digest, body, values)))


def unpack(body: bytes) -> Initializer:
    """Return what :func:`pack` has packed."""
    return Initializer(*pickle.loads(body))
