"""What programs that were written for other executors expect of this one, and mistakes that are said at the call."""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
import operator
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import interface_functions as made
import pytest
from launching import launch, write

from fedfutures import Executor, Hosts, futures
from fedfutures.worker.future_fields import home_of, priority_of

LIMIT = 20.0


@pytest.fixture(scope="module")
def two() -> Iterator[Executor]:
    """Two Workers."""
    with Executor(2) as executor:
        yield executor


@pytest.fixture(params=["serial", pytest.param("two Workers", marks=pytest.mark.host)])
def face(request: pytest.FixtureRequest) -> Any:
    """An Executor without and with Workers."""
    return Executor(mode="serial") if request.param == "serial" else request.getfixturevalue("two")


# -- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [4, None, "f", [1], made.price(3)])
def test_what_is_no_function_is_said_at_the_call(face: Any, wrong: Any) -> None:
    shown = "None" if wrong is None else type(wrong).__name__
    for submit in (face.submit, face.options(priority=1).submit, face.group("g").submit, futures.submit):
        with pytest.raises(TypeError, match=rf"submit\(\) takes a function first, got {shown}.*submit\(f, 3\)"):
            submit(wrong)
    for mapped in (face.map, face.options(priority=1).map, face.group("g").map, futures.map, futures.map_as_completed):
        with pytest.raises(TypeError, match=rf"map\(\) takes a function first, got {shown}.*map\(f, items\)"):
            mapped(wrong, [1])
    for mapped in (face.starmap, futures.starmap):
        with pytest.raises(TypeError, match=r"starmap\(\) takes a function first"):
            mapped(wrong, [(1,)])


@pytest.mark.host
def test_nor_in_a_future(two: Executor) -> None:
    for seed in (None, 1):
        with pytest.raises(TypeError, match=r"submit\(\) takes a function first, got int 4"):
            two.options(seed=seed).submit(made.submit_wrongly).result(LIMIT)


def test_a_coroutine_is_no_function() -> None:
    async def f() -> None: ...

    with pytest.raises(TypeError, match=r"asyncio\.run\(f\(\)\)"):
        futures.submit(f())  # type: ignore[arg-type]


def test_a_value_that_cannot_be_shown() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(TypeError, match=r"got .*Shy; did you mean"):
        futures.submit(Shy())  # type: ignore[arg-type]


def test_a_future_is_no_argument(face: Any) -> None:
    future = face.submit(made.price, 4)
    for arguments in ((future,), ([future],), ({"a": (future,)},)):
        if arguments[0] is not future and face.num_workers == 1:
            continue  # serially nothing is looked into
        with pytest.raises(Exception, match=r"[Pp]ass future\.result\(\), or submit inside a Future"):
            face.submit(made.all_of_it, *arguments)
    with pytest.raises(Exception, match=r"[Pp]ass future\.result\(\)"):
        face.submit(made.all_of_it, x=future)
    assert future.result(LIMIT) == 2


@pytest.mark.host
def test_nor_inside_a_future(two: Executor) -> None:
    assert "pass future.result(), or submit inside a Future" in two.submit(made.with_future_as_argument).result(LIMIT)


def test_hosts_that_cannot_be_meant() -> None:
    with pytest.raises(TypeError, match=r"^names of Hosts must be a sequence of names, such as \['h1'\], not a str$"):
        Hosts("h1")
    with pytest.raises(ValueError, match=r"^host_key_policy must be 'reject' or 'accept-new', not 'accept_new'$"):
        Hosts(["h1"], host_key_policy="accept_new")


def test_numbers_of_a_map_that_are_none(face: Any) -> None:
    for name, said in [("chunksize", "an integer"), ("timeout", "a number of seconds")]:
        for mapped in (face.map, face.starmap, face.options().map):
            with pytest.raises(TypeError, match=f"^{name} must be {said} or None, not str 'x'$"):
                mapped(made.price, [1], **{name: "x"})


def test_an_item_of_starmap_that_holds_no_arguments(face: Any) -> None:
    with pytest.raises(TypeError) as caught:
        list(face.starmap(made.price, [(1,), 2]))
    assert str(caught.value) == "'int' object is not iterable"  # as itertools.starmap says
    assert re.match(r"in price\(\.\.\.\), item 1 of map", caught.value.__notes__[0])


def test_options_of_map_that_there_are_not(face: Any) -> None:
    for mapped in (face.group("g").map, face.options().map, face.starmap, futures.map_as_completed, futures.starmap):
        with pytest.raises(TypeError, match=r"map\(\) got an unexpected keyword argument 'retry'"):
            mapped(made.price, [1], retry=3)


# -- names that others have ------------------------------------------------------------------------------------------


def test_the_order_of_a_process_pool() -> None:
    context = multiprocessing.get_context("spawn")
    seen: list[Any] = []
    with Executor(None, context, seen.append, ("started",), mode="serial") as executor:
        assert executor.submit(made.price, 3).result() == 1.5
    assert seen == ["started"]
    with pytest.raises(TypeError, match="mp_context must be a context of multiprocessing"):
        Executor(2, print)


@pytest.mark.host
def test_what_an_executor_says_of_itself(two: Executor) -> None:
    assert operator.attrgetter("num_workers", "_max_workers")(two) == (2, 2)
    assert two.bootup() is two.bootup(wait=False) is two
    assert repr(two).startswith("<Executor 2 Workers on ")
    with Executor(1) as one:
        assert repr(one).startswith("<Executor 1 Worker on ")
    assert repr(one).endswith(", shut down>")
    assert one.num_workers == 1


def test_what_a_serial_one_says_of_itself() -> None:
    with Executor(mode="serial") as serial:
        assert (repr(serial), serial.num_workers) == ("<Executor serial, in this process>", 1)
    assert repr(serial) == "<Executor serial, in this process, shut down>"
    assert isinstance(serial, concurrent.futures.Executor)


@pytest.mark.host
def test_what_a_joined_one_says_of_itself(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import Executor, futures

        def inside():
            executor = Executor()
            return repr(executor), executor.num_workers

        if __name__ == "__main__":
            with Executor() as executor:
                print(repr(executor), executor.num_workers)
                print(futures.submit(inside).result())
        """,
    )
    ended = launch("-n", "3", "prog.py", cwd=tmp_path)
    said = "<Executor 3 Workers of the Federation that runs this program>"
    assert (ended.out, ended.code) == (f"{said} 3\n('{said}', 3)\n", 0), ended.err


@pytest.mark.host
def test_what_a_future_says_of_itself(two: Executor, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    holding = [two.submit(made.hold, str(flag)) for _ in range(8)]
    last = two.submit(made.price, 3)
    assert repr(last) == "<Future price(…) pending>"
    assert last.cancel()
    assert repr(last) == "<Future price(…) cancelled>"
    flag.touch()
    for future in holding:
        future.result(LIMIT)
    assert repr(holding[0]) == "<Future hold(…) returned NoneType>"
    failed = two.submit(made.fail_odd, 1)
    assert isinstance(failed.exception(LIMIT), ValueError)
    assert repr(failed) == "<Future fail_odd(…) raised ValueError>"


def test_what_a_serial_future_says_of_itself() -> None:
    assert repr(Executor(mode="serial").submit(made.price, 3)) == "<Future price(…) returned float>"


# -- maps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item", [(1, 2), [1, 2], "ab", range(2), {"a": 1, "b": 2}, ((1,), {"b": 2}), ([1], {}), (), {1: 2}.items()]
)
@pytest.mark.filterwarnings("ignore:starmap:FutureWarning")
def test_starmap_takes_items_as_itertools_does(face: Any, item: Any) -> None:
    if type(item).__name__ == "dict_items" and face.num_workers == 2:
        pytest.skip("it cannot travel")
    expected = list(itertools.starmap(made.all_of_it, [item, item]))
    assert list(face.starmap(made.all_of_it, [item, item], timeout=LIMIT)) == expected
    assert list(face.options(priority=1).starmap(made.all_of_it, iter([item, item]))) == expected


def test_keywords_in_starmap(face: Any) -> None:
    items = [futures.Arguments(1, b=2), futures.Arguments(), (3,)]
    expected = [((1,), {"b": 2}), ((), {}), ((3,), {})]
    assert list(face.starmap(made.all_of_it, items, timeout=LIMIT)) == expected


def test_what_starmap_once_took_is_said() -> None:
    serial = Executor(mode="serial")
    for item in ({"a": 1}, ((1,), {"b": 2})):
        with pytest.warns(FutureWarning, match=r"futures\.Arguments\(\*args, \*\*kwargs\)"):
            list(serial.starmap(made.all_of_it, [item]))


def test_arguments() -> None:
    assert repr(futures.Arguments(1, b="x")) == "Arguments(1, b='x')"
    assert futures.Arguments(1, b=2) == futures.Arguments(1, b=2) != futures.Arguments(1)


def test_unordered(face: Any) -> None:
    found = list(face.map(made.slow_first, range(20), unordered=True, timeout=LIMIT))
    assert sorted(found) == list(range(20))
    if face.num_workers == 2:
        assert found[-1] == 0
    group = face.group("unordered")
    assert sorted(group.map(made.price, [4, 2], unordered=True, chunksize=1)) == [1, 2]
    assert group.statistics().done == 2


# -- subclasses ------------------------------------------------------------------------------------------------------


class Counting(Executor):
    """Sees what is submitted."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.seen = [*getattr(self, "seen", []), (fn, args, kwargs)]
        return super().submit(fn, *args, **kwargs)


@pytest.fixture(params=["serial", pytest.param("parallel", marks=pytest.mark.host)])
def counting(request: pytest.FixtureRequest) -> Iterator[Counting]:
    with Counting(1, mode=request.param) as executor:
        yield executor


def test_a_submit_of_a_subclass_sees_every_call(counting: Counting) -> None:
    f = made.all_of_it
    counting.submit(f, 1, priority=2)
    counting.options(priority=1).submit(f, 2, priority="its own")
    counting.group("g").submit(f, 3)
    assert list(counting.map(f, [4, 5], timeout=LIMIT)) == [((4,), {}), ((5,), {})]
    assert list(counting.starmap(pow, [(2, 3)])) == [8]
    assert sorted(counting.group("g").map(f, [6], [7], unordered=True)) == [((6, 7), {})]
    calls = [((1,), {"priority": 2}), ((2,), {"priority": "its own"}), ((3,), {}), ((4,), {}), ((5,), {})]
    assert [call[1:] for call in counting.seen][:5] == calls
    assert [call[0] for call in counting.seen[:5]] == [f] * 5
    assert len(counting.seen) == 7
    assert counting.group("g").statistics().done == 2


def test_maps_of_a_subclass(counting: Counting) -> None:
    found = counting.map(made.fail_odd, range(4), return_exceptions=True)
    assert [type(value) for value in found] == [int, ValueError, int, ValueError]
    found = counting.map(made.fail_odd, range(4))
    assert next(found) == 0
    with pytest.raises(ValueError, match="1"):
        next(found)
    counting.seen = []
    found = counting.map(made.price, itertools.count(), buffersize=3)
    assert [next(found) for _ in range(5)] == [0, 0.5, 1, 1.5, 2]
    assert len(counting.seen) == 8
    found.close()  # type: ignore[attr-defined]


def test_options_reach_past_a_submit_of_a_subclass(counting: Counting) -> None:
    usual = Executor(mode="serial")
    expected = list(usual.map(made.drawn, range(3), seed=5))
    assert list(counting.map(made.drawn, range(3), seed=5)) == expected
    options = counting.options(seed=5, priority=3)
    handles = [options.submit(made.drawn, item) for item in range(3)]
    assert [handle.result(LIMIT) for handle in handles] == expected
    assert {call[0] for call in counting.seen} == {made.drawn}
    if home_of(handles[0]) is not None:  # the calls of a serial one have run, and were never in a queue
        assert {priority_of(handle) for handle in handles} == {3}
        assert priority_of(counting.submit(made.price, 1)) == 0


# -- Ctrl-C ----------------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_a_block_left_by_an_interrupt_waits_for_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert made.interrupted(Executor(1), str(tmp_path / "never"))
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.host
def test_nor_one_in_a_launched_program_which_goes_on(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import interface_functions as made, pathlib
        from fedfutures import Executor, futures

        if __name__ == "__main__":
            print(made.interrupted(Executor(), "go"))
            print(futures.submit(made.price, 3).result())
            pathlib.Path("go").touch()
        """,
    )
    (tmp_path / "interface_functions.py").write_text(Path(made.__file__).read_text())
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.code) == ("True\n1.5\n", 0), ended.err
