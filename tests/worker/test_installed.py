"""What people are told about a package that another host lacks: whether an index has it, and under which name."""

from __future__ import annotations

import doctest
import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fedfutures.worker import installed
from fedfutures.worker.installed import advice
from fedfutures.worker.providing import NotToBeHad, find_module


def test_examples() -> None:
    assert doctest.testmod(installed).failed == 0


def test_an_index_has_it_under_a_name_of_its_own() -> None:
    assert advice("zmq") == f"install it there: ssh {{host}} {{python}} -m pip install pyzmq=={version('pyzmq')}"


@pytest.fixture(params=["", "src"])
def own(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that was installed by ``pip install -e``, found by a hook; its sources are elsewhere."""
    sources = tmp_path / "my lab" / request.param
    (sources / "mylab").mkdir(parents=True)
    (sources / "mylab" / "__init__.py").write_text("VALUE = 7\n")
    metadata = tmp_path / "place" / "mylab-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    (metadata / "top_level.txt").write_text("mylab\n")
    url = (tmp_path / "my lab").as_uri()
    (metadata / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}, "url": url}))
    monkeypatch.syspath_prepend(str(tmp_path / "place"))
    return sources


def test_a_package_of_ones_own_is_on_no_index_and_may_travel(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotToBeHad) as caught:
        find_module("mylab.inner", "vm")
    assert "pip install" not in str(caught.value)
    assert f"start the program with PYTHONPATH='{own}', and fedfutures sends it" in str(caught.value)
    monkeypatch.setattr(sys, "path", [str(own), *sys.path])  # which is what was said
    assert find_module("mylab", "vm").source == b"VALUE = 7\n"
