"""``mpi4py.futures``; what its program prints: test_seeds.py."""

from __future__ import annotations

import pytest

from fedfutures.compat.mpi4py.futures import MPIPoolExecutor
from fedfutures.errors import NotSupportedHere

pytestmark = pytest.mark.host


@pytest.mark.parametrize("name", ["env", "wdir", "path", "globals"])
def test_what_would_change_a_result_is_refused(name: str) -> None:
    with pytest.raises(NotSupportedHere, match=f"{name}= says how MPI's Workers begin"):
        MPIPoolExecutor(1, **{name: {"A": "b"}})


def test_bad_input() -> None:
    with pytest.raises(TypeError, match="no_such"):
        MPIPoolExecutor(1, no_such=1)
    with MPIPoolExecutor(1) as executor:
        with pytest.raises(ValueError, match="chunksize"):
            executor.map(abs, [1], chunksize=0)
        with pytest.raises(ZeroDivisionError):
            list(executor.starmap(divmod, [(1, 0)]))
