"""Pickles the storages of torch's CPU tensors as buffers of protocol 5, as arrays have.

torch writes a storage into the pickle as an archive, which takes as long as five copies. torch itself pickles all else
of a tensor; tensors that share a storage share it afterwards. Nothing here imports torch: without it the program has no
tensors.
"""

from __future__ import annotations

import copyreg
import ctypes
import importlib
import io
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import Any

from .postponing import pickles_for_program

pickles_for_program(__name__)

Reducer = Callable[[Any], Any]  # returns what ``__reduce__`` of an object would
_NONE: dict[type, Reducer] = {}
_exporters: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def reducers() -> dict[type, Reducer]:
    """Return the reducers of torch's storages, by class; none where the program has not loaded torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return _NONE
    untyped = getattr(torch, "UntypedStorage", None)  # since torch 2.0; while it is being imported it has none
    typed = getattr(getattr(torch, "storage", None), "TypedStorage", None)
    if untyped is None or typed is None:
        return _NONE
    return {untyped: _reduce_untyped, typed: _reduce_typed}


def dumps(value: Any, keep_buffer: Callable[[pickle.PickleBuffer], Any] | None) -> bytes:
    """Pickle in C as ``pickle.dumps`` does, with the memory of tensors as buffers."""
    target = io.BytesIO()
    pickler(target, keep_buffer).dump(value)
    return target.getvalue()


def pickler(target: Any, keep_buffer: Callable[[pickle.PickleBuffer], Any] | None) -> pickle.Pickler:
    """Return the C pickler that writes to `target`, with the memory of tensors as buffers."""
    made = pickle.Pickler(target, 5, buffer_callback=keep_buffer)
    more = reducers()
    if more:
        made.dispatch_table = copyreg.dispatch_table | more
    return made


def _reduce_typed(storage: Any) -> Any:
    untyped = storage._untyped_storage  # the public ways warn that this class will be removed
    return storage.__reduce__() if untyped.device.type != "cpu" else (_typed, (untyped, storage.dtype))


def _reduce_untyped(storage: Any) -> Any:
    if storage.device.type != "cpu":
        return storage.__reduce__()
    return _untyped, (pickle.PickleBuffer(_exporter_of(storage)) if storage.nbytes() else None,)


def _exporter_of(storage: Any) -> Any:
    """Return an object whose buffer is the memory of a storage; the same one while it lives.

    After ``Tensor.numpy`` the storage could not be resized any more.
    """
    address, size = storage.data_ptr(), storage.nbytes()
    known = _exporters.get(address)
    if known is not None and known.storage is storage and len(known) == size:
        return known
    made: Any = (ctypes.c_char * size).from_address(address)
    made.storage = storage  # keeps the memory
    _exporters[address] = made
    return made


def _typed(untyped: Any, dtype: Any) -> Any:
    storage: Any = importlib.import_module("torch.storage")
    return storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)


def _untyped(buffer: Any) -> Any:
    """Return a storage on a buffer, or on a copy of a read-only one, which torch does not support."""
    torch: Any = importlib.import_module("torch")
    if buffer is None:
        return torch.UntypedStorage(0)
    if memoryview(buffer).readonly:
        buffer = bytearray(buffer)
    return torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()
