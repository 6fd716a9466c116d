"""Tensors of torch: what comes is what was sent, and large memory is beside the pickle. Skipped where torch is not."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fedfutures.program import tensors
from fedfutures.program.pickling import dump_by_value
from fedfutures.program.probes import large_probe
from fedfutures.program.tokens import Named, examine
from fedfutures.wire.manifest import segments_of
from fedfutures.wire.payload import Payloads, Written
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

pytestmark = pytest.mark.once


def test_torch_is_never_imported() -> None:
    code = (
        "import sys, fedfutures.wire.payload as p; from fedfutures.program import tensors\n"
        "p.Payloads().dump([1, lambda: 2]); print('torch' in sys.modules, tensors.reducers())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "False {}\n", ended.stderr


def test_a_torch_that_is_being_imported_has_no_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)  # a module without anything of torch's
    assert tensors.reducers() == {}
    assert pickle.loads(tensors.dumps([1], None)) == [1]


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Payloads, Payloads]:
    return Payloads(Segments(str(tmp_path), "ours")), Payloads(Segments(str(tmp_path), "theirs"))


def travelled(value: Any, sides: tuple[Payloads, Payloads], *, segments: int | None = None, take: bool = False) -> Any:
    body = sides[0].dump(value, alone=take)
    if segments is not None:
        assert len(segments_of(body)) == segments
    return sides[1].load(body, take=take)


@pytest.mark.parametrize("take", [True, False])
@pytest.mark.parametrize("count", [0, 1, 1000, SHARED_FROM_BYTES])
@pytest.mark.parametrize("kind", ["float64", "float32", "bfloat16", "float16", "int8", "bool", "complex64"])
def test_every_type_and_size(torch: Any, sides: Any, kind: str, count: int, take: bool) -> None:
    sent = torch.arange(count).remainder(2).to(getattr(torch, kind))
    large = sent.nbytes >= SHARED_FROM_BYTES
    came = travelled(sent, sides, segments=1 if large else 0, take=take)
    assert (came.dtype, came.shape, came.requires_grad) == (sent.dtype, sent.shape, False)
    assert torch.equal(came, sent)
    if count:
        came[0] = 1  # it can be written to, and the other one does not see it
        assert came[0] == 1
        assert sent[0] == 0


def test_strides_views_and_shared_storage(torch: Any, sides: Any) -> None:
    base = torch.arange(SHARED_FROM_BYTES, dtype=torch.float32).reshape(512, -1)
    parts = [base, base.T, base[3:7, 1::5], base[100], {"row": base[200]}]
    came = travelled(parts, sides, segments=1)
    for sent, got in zip([*parts[:4], parts[4]["row"]], [*came[:4], came[4]["row"]]):
        assert (got.stride(), got.storage_offset()) == (sent.stride(), sent.storage_offset())
        assert torch.equal(got, sent)
    came[0][200] = -1
    assert (came[4]["row"] == -1).all(), "they share their memory"
    assert not (base == -1).any()


def test_gradients_parameters_and_modules(torch: Any, sides: Any) -> None:
    leaf = torch.ones(SHARED_FROM_BYTES, requires_grad=True)
    assert travelled(leaf, sides).requires_grad
    model = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.ReLU(), torch.nn.Linear(300, 300, bias=False))
    came = travelled(model, sides, segments=2)
    for (name, sent), (same, got) in zip(model.named_parameters(), came.named_parameters()):
        assert name == same
        assert type(got) is torch.nn.Parameter
        assert got.requires_grad
        assert torch.equal(sent, got)
    came(torch.ones(300)).sum().backward()
    torch.optim.SGD(came.parameters(), 0.1).step()
    state = travelled(model.state_dict(), sides, segments=2)
    came.load_state_dict(state)
    assert torch.equal(came[0].weight, model[0].weight)


def test_other_layouts_go_as_torch_has_them_go(torch: Any, sides: Any) -> None:
    sparse = torch.eye(1000).to_sparse()
    assert torch.equal(travelled(sparse, sides).to_dense(), torch.eye(1000))
    assert travelled(torch.empty(7, device="meta"), sides).device.type == "meta"
    conjugate = torch.ones(3, dtype=torch.complex64).conj()
    assert travelled(conjugate, sides).is_conj()


def test_a_tensor_in_what_goes_by_value(torch: Any, sides: Any) -> None:
    large = torch.arange(SHARED_FROM_BYTES)
    assert travelled([lambda: 5, large], sides, segments=1)[0]() == 5
    function = travelled(lambda: int(large.sum()), sides, segments=1)
    assert function() == int(large.sum())


def test_a_buffer_is_the_same_as_long_as_somebody_holds_it(torch: Any, sides: Any) -> None:
    """So a constant of a map is written once."""
    large, written = torch.zeros(SHARED_FROM_BYTES), Written()
    first, second = sides[0].dump((1, large), written), sides[0].dump((2, large[5:]), written)
    assert segments_of(first) == segments_of(second)
    large.resize_(2 * SHARED_FROM_BYTES).fill_(7)  # which torch refuses for a storage that was given to others
    third = sides[0].dump(large)
    assert sides[1].load(third)[-1] == 7
    assert sides[1].load(first)[1].sum() == 0


def test_a_tensor_of_a_shared_memory_file_goes_as_any(torch: Any, sides: Any) -> None:
    shared = torch.ones(SHARED_FROM_BYTES).share_memory_()
    came = travelled(shared, sides, segments=1)
    assert not came.is_shared()
    assert torch.equal(came, shared)


def test_a_tensor_that_a_variable_holds_is_compared_by_its_memory(torch: Any) -> None:
    small, large = torch.ones(10), torch.zeros(1 << 20)
    token = examine(small, Named(None)).token
    assert token is not None
    assert examine(torch.ones(10), Named(None)).token == token
    small[3] = 2
    assert examine(small, Named(None)).token != token
    assert examine(large, Named(None)).token is None
    probe = large_probe(large)
    assert probe()
    large.fill_(1)
    assert not probe()


def test_as_it_is_pickled_by_the_program_itself(torch: Any) -> None:
    """What we do is ours: the program's own pickles stay as torch makes them."""
    before = pickle.dumps(torch.ones(5))
    Payloads().dump(torch.ones(5))
    dump_by_value(torch.ones(5))
    assert pickle.dumps(torch.ones(5)) == before
    assert b"fedfutures" not in before
