"""A file of options (TOML): each key is the name of a long option, as ``idle = "30m"`` for ``--idle 30m``."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Collection, Mapping
from typing import Any

from fedfutures.errors import StartFailed


def usual_path(name: str) -> str:
    """Return where the file of a standing Federation is looked for."""
    place = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(place):
        place = os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(place, "fedfutures", f"{name}.toml")


def words_of(path: str, options: Mapping[str, type], without: Collection[str] = ()) -> list[str]:
    """Return the words of a command line that say what a file says. Raises StartFailed: bad input.

    options: the long options, without dashes at the beginning, and what each takes: `str` a value, `list` several,
    `bool` none. `without`: those of the file that do not count.
    """
    words: list[str] = []
    for written, value in _loaded(path).items():
        key = written.replace("_", "-")
        if key not in options:
            close = difflib.get_close_matches(key, options, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(sorted(options))}"
            raise StartFailed(f"{path} has {key}, which is no option{hint}", 2)
        found = _words(path, key, value, options[key])
        words += found if key not in without else []
    return words


def _words(path: str, key: str, value: Any, kind: type) -> list[str]:
    if kind is bool and isinstance(value, bool):
        return [f"--{key}"] if value else []
    values = value if kind is list and isinstance(value, list) else [value]
    if kind is not bool and all(isinstance(one, (str, int, float)) and not isinstance(one, bool) for one in values):
        return [f"--{key}={one}" for one in values]
    wanted = {bool: "true or false", list: "a text or a list of texts"}.get(kind, "a number or a text")
    raise StartFailed(f"{path} has {key} = {value!r}, which is not {wanted}", 2)


def _loaded(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            found: dict[str, Any] = _toml(path).load(file)
    except OSError as error:
        raise StartFailed(f"{path} cannot be read: {error.strerror}", 2) from None
    except ValueError as error:
        raise StartFailed(f"{path} is no TOML: {error}", 2) from None
    return found


def _toml(path: str) -> Any:
    """Return the module that reads TOML: Python has one from 3.11 on."""
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise StartFailed(f"to read {path} takes Python 3.11, or a module: pip install tomli", 2)
