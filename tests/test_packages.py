"""The packages listed in setup.cfg are those of the tree: one that is not listed vanishes from the wheel."""

from configparser import ConfigParser
from pathlib import Path

import pytest

import fedfutures

ROOT = Path(__file__).parent.parent
FOLDERS = {"fedfutures": "fedfutures", "fedfutures_launcher": "launcher"}


@pytest.fixture
def setup_cfg() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def packages_of_the_tree() -> list[str]:
    """Every folder with a module in it: one that merely lacks its `__init__.py` has to be found as well."""
    return sorted(
        ".".join((name, *module.parent.relative_to(ROOT / folder).parts))
        for name, folder in FOLDERS.items()
        for module in {path.with_name("__init__.py") for path in (ROOT / folder).rglob("*.py")}
    )


def test_every_package_is_listed(setup_cfg: ConfigParser) -> None:
    listed = setup_cfg["options"]["packages"].split()
    assert sorted(listed) == packages_of_the_tree()


def test_every_package_has_an_init() -> None:
    for name in packages_of_the_tree():
        top, *below = name.split(".")
        assert ROOT.joinpath(FOLDERS[top], *below, "__init__.py").is_file()


def test_the_launcher_is_imported_by_another_name(setup_cfg: ConfigParser) -> None:
    assert setup_cfg["options"]["package_dir"].split() == ["fedfutures_launcher", "=", "launcher"]


def test_the_package_is_marked_as_typed(setup_cfg: ConfigParser) -> None:
    assert setup_cfg["options.package_data"]["fedfutures"] == "py.typed"
    assert (ROOT / "fedfutures" / "py.typed").is_file()


def test_the_texts_about_errors_are_shipped(setup_cfg: ConfigParser) -> None:
    assert setup_cfg["options.package_data"]["fedfutures_launcher.verbs"] == "errors.rst"


def test_the_version_is_the_same_everywhere(setup_cfg: ConfigParser) -> None:
    assert fedfutures.__version__ == setup_cfg["metadata"]["version"]
