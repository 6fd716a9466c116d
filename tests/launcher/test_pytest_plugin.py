"""The options of pytest: what they mean, and what does not go together."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest
from suites import lay_out, run

import fedfutures_launcher.pytest_plugin as ours

pytestmark = pytest.mark.host
SUITE = {"test_it.py": "def test_it(worker_id, testrun_uid): assert worker_id == 'master'\n"}


def number(text: str) -> Any:
    return vars(ours)["_number"](text)


def hosts(words: list[str], options: str = "") -> Any:
    return vars(ours)["_hosts"](words, options)


def test_numbers_of_workers() -> None:
    assert [number(text) for text in ("8", "auto")] == [8, 0]
    for text in ("0", "-1", "many", "1.5", ""):
        with pytest.raises(ArgumentTypeError, match="write one from 1 on, or auto"):
            number(text)


def test_hosts() -> None:
    assert hosts([]) is None
    assert list(hosts(["h1,h2", "h3"]).names) == ["h1", "h2", "h3"]
    found = hosts([], "--hostfile 'my hosts' --allow-root")
    assert (found.file, found.allow_root, list(found.names)) == ("my hosts", True, [])


@pytest.mark.parametrize("word", [__file__, "tests/test_a.py", "test_a.py::test_b"])
def test_a_file_is_no_host(word: str) -> None:
    with pytest.raises(pytest.UsageError, match="write the hosts last, or --fed-hosts=h1,h2"):
        hosts([word])


@pytest.mark.parametrize(("words", "said"), [
    (["--fed", "2", "--pdb"], "--pdb and --trace debug tests in this process"),
    (["--fed", "none"], "argument --fed: 'none' is no number of Workers"),
    (["--fed", "2", "nowhere.py"], "file or directory not found: nowhere.py"),
])  # fmt: skip
def test_what_does_not_go_together(tmp_path: Path, words: list[str], said: str) -> None:
    lay_out(tmp_path, SUITE)
    ended = run(tmp_path, *words)
    assert ended.code == 4
    assert (ended.out + ended.err).count(said) == 1


def test_xdist_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    lay_out(tmp_path, SUITE)
    assert "choose one" in run(tmp_path, "--fed", "2", "-n", "2").err


def test_what_is_only_shown_needs_no_workers(tmp_path: Path) -> None:
    lay_out(tmp_path, SUITE)
    one, many = (run(tmp_path, "--collect-only", "-q", *more).out for more in ([], ["--fed", "2"]))
    assert "test_it.py::test_it" in one
    assert one.splitlines()[0] == many.splitlines()[0]
    assert "passed" in run(tmp_path, "-q").out  # worker_id is there, with and without Workers
