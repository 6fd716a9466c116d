"""The tree says what is pure and who starts whom."""

from __future__ import annotations

import configparser

from . import figures, tree

COMPOSITION = {"fedfutures/__init__.py", "fedfutures/host_process.py"}
"""What puts the product together: it may name modules that it loads when they are needed."""


def test_nobody_below_the_composition_names_a_module_in_a_string() -> None:
    assert [place for place in figures.named_modules() if place.split(":")[0] not in COMPOSITION] == []


def test_contracts_name_folders() -> None:
    found = configparser.ConfigParser()
    found.read(tree.ROOT / "setup.cfg", encoding="utf-8")
    for section in found.sections():
        if section.startswith("importlinter:contract:"):
            for name in found[section].get("source_modules", "").split():
                assert tree.modules()[name].is_package, f"{section} names the module {name}"
            assert "ignore_imports" not in found[section], f"{section} has exceptions"
    assert not found["importlinter"].getboolean("exclude_type_checking_imports", False)
