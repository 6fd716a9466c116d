"""ezpool's Pool, beside what its programs show (test_seeds.py)."""

from __future__ import annotations

import pytest

from fedfutures.compat.ezpool import BaseWorker, EchoWorker, EzPool, Pool, build_worker
from fedfutures.compat.ezpool.pool import arguments_of
from fedfutures.compat.ezpool.worker import called, parser


def test_its_modes() -> None:
    assert EzPool is Pool
    with pytest.raises(ValueError, match="map can only be used if the pool has mode 'serial', 'parallel'"):
        Pool().map(abs, [1])
    with pytest.raises(TypeError, match="fun"):
        Pool(mode="serial").map(tasks=[1])


def test_an_error_is_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    with Pool(mode="serial") as pool:
        found = pool.map(divmod, [(1, 0), (7, 2)], msg="Dividing", workers=None)
    assert (type(found[1, 0]), found[7, 2]) == (ZeroDivisionError, (3, 1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Dividing for (1, 0) failed. ERROR: ")
    assert lines[1].startswith("Dividing (2/2 - 100.0%) - Elapsed time ")


@pytest.mark.parametrize(("item", "arguments"), [(3, (3,)), ((1, 2), (1, 2)), ([1], (1,)), ("ab", ("ab",))])
def test_what_an_item_stands_for(item: object, arguments: tuple[object, ...]) -> None:
    assert arguments_of(item) == arguments


def test_nothing_is_nothing() -> None:
    assert Pool().pmap(abs, []) == Pool().smap(abs, []) == {}


def test_a_class_of_a_function() -> None:
    kind = build_worker(abs)
    assert issubclass(kind, BaseWorker)
    assert kind().is_worker
    assert (called(kind, -3), called(EchoWorker, (1, 2)), called(build_worker(max), (1, 2))) == (3, (1, 2), 2)
    with pytest.raises(TypeError, match="abstract"):
        BaseWorker()  # type: ignore[abstract]


def test_options_of_a_worker() -> None:
    given = parser().parse_args(["-p", "21007", "-u", "PYRO:worker@localhost:21008", "-n", "w"])
    assert (given.port, given.uri) == (21007, "PYRO:worker@localhost:21008")
    assert BaseWorker.parse_args([]).port == 21000
