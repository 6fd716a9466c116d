"""The graph of variables: what depends on what, and which token speaks for all of it."""

from __future__ import annotations

import types

from fedfutures.program.graph import combined, depends_on, is_cache
from fedfutures.program.modules import lookup
from fedfutures.program.reach import Reach
from fedfutures.program.tokens import Finding, Named, examine

from .test_variables import key, program

__all__ = ["program"]


def found(parts: set[str], reads: set[str] | None = None) -> Finding:
    reach = Reach()
    reach.reads, reach.parts = {key(name) for name in reads or ()}, {key(name) for name in parts}
    return Finding(b"", 0, reach)


def test_what_a_variable_depends_on() -> None:
    findings = {
        key("a"): found({"b"}, {"z"}),
        key("b"): found({"c"}),
        key("c"): found({"a", "gone"}),
        key("z"): found(set()),
    }
    assert depends_on(key("a"), findings.get, False) == [key("b"), key("c")]
    assert depends_on(key("z"), findings.get, False) == []
    assert depends_on(key("nothing"), findings.get, False) == []


def test_a_cache_depends_on_what_it_reads(program: types.ModuleType) -> None:
    named = Named()
    findings = {key(name): examine(lookup(key(name)), named, key(name)) for name in ("cached", "FACTOR", "uses")}
    assert depends_on(key("cached"), findings.get, is_cache(program.cached)) == [key("FACTOR")]
    assert depends_on(key("uses"), findings.get, is_cache(program.uses)) == []
    assert is_cache(staticmethod(program.cached))


def test_tokens_together() -> None:
    assert combined(b"own", []) == b"own"
    one, other = (key("a"), b"1"), (key("b"), b"2")
    tokens = {combined(own, parts) for own in (b"own", b"other") for parts in ([one], [other], [one, other])}
    assert len(tokens) == 6
    assert combined(b"own", iter([one, other])) == combined(b"own", [one, other])
