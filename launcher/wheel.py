"""fedfutures as a wheel, made of the installed files: so it gets to hosts that no index has it for.

``python -m fedfutures_launcher.wheel | ssh h1 'cat > fedfutures-0.1.0-py3-none-any.whl && ...'`` writes it to standard
output, ``python -m fedfutures_launcher.wheel DIR`` into a directory. It needs no checkout, no network and no tools: the
files are those that run here, from wherever they were imported.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib
import importlib.metadata
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

PACKAGES = ("fedfutures", "fedfutures_launcher")
ENDINGS = (".py", "py.typed", "errors.rst")


def wheel_name(version: str) -> str:
    """Return the name of the file.

    >>> wheel_name("0.1.0")
    'fedfutures-0.1.0-py3-none-any.whl'
    """
    return f"fedfutures-{version}-py3-none-any.whl"


def build() -> tuple[str, bytes]:
    """Return the name and the bytes of the wheel. Raises ``PackageNotFoundError`` where nothing tells what it needs."""
    version = str(importlib.import_module("fedfutures").__version__)
    info = f"fedfutures-{version}.dist-info"
    files = {name: Path(path).read_bytes() for name, path in source_files()}
    files[f"{info}/METADATA"] = _metadata(version).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: fedfutures\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nfedfutures = fedfutures_launcher.cli.launch:main\n"
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return wheel_name(version), target.getvalue()


def source_files() -> Iterator[tuple[str, str]]:
    """Yield the files of fedfutures, as (path in a directory of ``sys.path``, path here)."""
    for package in PACKAGES:
        root = os.path.dirname(os.path.abspath(importlib.import_module(package).__file__ or ""))
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                if name.endswith(ENDINGS):
                    path = os.path.join(folder, name)
                    yield "/".join([package, *os.path.relpath(path, root).split(os.sep)]), path


def _metadata(version: str) -> str:
    made = Message()
    made["Metadata-Version"] = "2.1"
    made["Name"], made["Version"], made["Requires-Python"] = "fedfutures", version, ">=3.10"
    for requirement in _requirements():
        made["Requires-Dist"] = requirement
    return made.as_string()


def _requirements() -> list[str]:
    """Return what it needs: as it was installed; in a checkout that is only on the path, as ``setup.cfg`` says."""
    try:
        found = importlib.metadata.metadata("fedfutures").get_all("Requires-Dist") or []
    except importlib.metadata.PackageNotFoundError:
        parser = configparser.ConfigParser(interpolation=None)
        root = os.path.dirname(os.path.dirname(os.path.realpath(importlib.import_module("fedfutures").__file__ or "")))
        if not parser.read(os.path.join(root, "setup.cfg"), encoding="utf-8"):
            raise
        found = parser["options"]["install_requires"].split("\n")
    return [requirement for requirement in found if requirement and "extra ==" not in requirement]


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def main() -> None:
    """Write the wheel into the directory that is named, or to standard output."""
    if len(sys.argv) > 2 or (len(sys.argv) < 2 and sys.stdout.isatty()):
        sys.exit("usage: python -m fedfutures_launcher.wheel DIR   (without DIR: to standard output, for a pipe)")
    try:
        name, data = build()
    except importlib.metadata.PackageNotFoundError:
        sys.exit("nothing here says what fedfutures needs: install it, do not only put it on the path")
    if len(sys.argv) < 2:
        sys.stdout.buffer.write(data)
        return
    path = os.path.join(sys.argv[1], name)
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    print(path)


if __name__ == "__main__":
    main()
