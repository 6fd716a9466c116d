"""``pp.Server`` and what it returns."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fedfutures.compat import pp

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def server() -> Iterator[pp.Server]:
    found = pp.Server(2)
    yield found
    found.destroy()


def says(word: str) -> str:
    print("said", word)
    return word.upper()


def fails(number: int) -> float:
    return 1 / number


def shout(text: str) -> str:
    return f"{text}!"


def uses_names(text: str) -> str:
    return json.dumps(shout_by_another_name(text))  # type: ignore[name-defined, no-any-return]  # noqa: F821


def test_what_a_call_prints_is_printed_once_when_it_is_asked(
    server: pp.Server, capsys: pytest.CaptureFixture[str]
) -> None:
    job = server.submit(says, ("a",))
    job.wait()
    assert job.finished
    assert capsys.readouterr().out == ""
    assert (job(), job()) == ("A", "A")
    assert capsys.readouterr().out == "said a\n "
    assert pickle.loads(job(raw_result=True)) == ("A", "said a\n")


def test_an_error_is_printed_and_its_result_is_none(server: pp.Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert server.submit(fails, (0,))() is None
    out = capsys.readouterr().out
    assert out.startswith("An error has occured during the function execution\nTraceback")
    assert "in fails\n" in out
    assert "ZeroDivisionError" in out
    assert "_called" not in out, "our own frame is none of the program's"


def test_modules_and_functions_are_given_by_name(server: pp.Server) -> None:
    namespace = {"shout_by_another_name": shout, "number": 3}
    assert server.submit(uses_names, ("x",), modules=("json",), globals=namespace)() == '"x!"'


def test_a_method_is_a_function(server: pp.Server) -> None:
    assert server.submit("a,b".split, (",",))() == ["a", "b"]


def test_a_callback_gets_its_arguments_and_the_result(server: pp.Server) -> None:
    got: list[Any] = []
    jobs = [server.submit(says, (word,), callback=lambda *all: got.append(all), callbackargs=(word,)) for word in "ab"]
    server.wait()
    assert sorted(got) == [("a", "A"), ("b", "B")]
    assert [job.finished for job in jobs] == [True, True]


def test_a_group_is_waited_for_alone(server: pp.Server) -> None:
    slow = server.submit(time.sleep, (0.7,), group="slow")
    quick = server.submit(abs, (-1,), group="quick")
    server.wait("quick")
    assert (quick.finished, slow.finished) == (True, False)
    server.wait()
    assert slow.finished


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda server: server.submit(abs, [1]), TypeError, "args argument must be a tuple"),
        (lambda server: server.submit(abs, (1,), [abs]), TypeError, "depfuncs argument must be a tuple"),
        (lambda server: server.submit(abs, (1,), (), "json"), TypeError, "modules argument must be a tuple"),
        (lambda server: server.submit(abs, (1,), (), (3,)), TypeError, "modules argument must be a list of strings"),
        (lambda server: server.submit(abs, (1,), callbackargs=1), TypeError, "callbackargs argument must be a tuple"),
        (lambda server: server.submit(abs, (1,), globals=[]), TypeError, "globals argument must be a dictionary"),
        (lambda server: server.set_ncpus("2"), TypeError, "ncpus must have 'int' type"),
        (lambda server: server.set_ncpus(-2), ValueError, "ncpus must be an integer > 0"),
        (lambda server: pp.Server(2, ppservers=["a"]), TypeError, "ppservers argument must be a tuple"),
        (lambda server: pp.Server(2, secret=3), TypeError, "secret must be of a string type"),
        (lambda server: pp.Server(0, ppservers=(3,)), TypeError, "must be a tuple of strings"),
        (lambda server: pp.Server(0, ppservers=("a b",)), ValueError, "is no address"),
    ],
)
def test_bad_input(server: pp.Server, make: Callable[[pp.Server], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make(server)
    assert server.submit(abs, (-4,))() == 4


def test_restart_is_a_new_worker_for_each_call() -> None:
    server = pp.Server(1, restart=True)
    pids = [server.submit(os.getpid)() for _ in range(3)]
    assert len(set(pids)) == 3
    server.destroy()


def test_a_worker_that_dies_costs_no_call_but_one_that_always_kills_it(capsys: pytest.CaptureFixture[str]) -> None:
    server = pp.Server(2)
    jobs = [server.submit(abs, (-number,)) for number in range(20)]
    poison = server.submit(os._exit, (3,))
    assert [job() for job in jobs] == list(range(20))
    assert poison() is None
    assert "A fatal error has occured during the function execution" in capsys.readouterr().out
    server.destroy()


def test_a_destroyed_server_lets_nobody_wait() -> None:
    server = pp.Server(1)
    jobs = [server.submit(time.sleep, (0.2,)) for _ in range(30)]
    threading.Timer(0.3, server.destroy).start()
    with pytest.raises(pp.DestroyedServerError, match="destroyed before the job completion"):
        _ = [job() for job in jobs]
    server.wait()
    server.destroy()
    with pytest.raises(pp.DestroyedServerError, match="Cannot submit jobs"):
        server.submit(abs, (1,))


def test_the_number_of_workers_changes() -> None:
    server = pp.Server(1)
    assert server.get_ncpus() == 1
    server.set_ncpus(3)
    assert server.get_active_nodes() == {"local": 3}
    server.set_ncpus(0)
    with pytest.raises(RuntimeError, match="nobody to run this"):
        server.submit(abs, (1,))
    server.set_ncpus(1)
    assert server.submit(abs, (-1,))() == 1
    server.destroy()


def test_what_pathos_reads(server: pp.Server) -> None:
    assert (server.ppservers, server.auto_ppservers, server.is_exiting) == ([], [], False)
    job = server.submit(time.sleep, (0.2,))
    assert job.lock.locked()
    job.wait()
    assert not job.lock.locked()
    assert pickle.loads(job.sresult) == (None, "")
    setattr(server, "_exiting", True)  # noqa: B010 (its close)
    with pytest.raises(pp.DestroyedServerError):
        server.submit(abs, (1,))
    setattr(server, "_exiting", False)  # noqa: B010 (its restart)
    assert server.submit(abs, (-1,))() == 1
