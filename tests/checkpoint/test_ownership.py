"""Only a file of this user alone is trusted."""

from __future__ import annotations

import os
from pathlib import Path

from fedfutures.checkpoint.store import LARGE_BYTES

from .files import filled, keys, refused, whole


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    filled(path, 3, LARGE_BYTES + 1)
    path.chmod(0o660)
    assert "others may write it (mode 660), and what they write would run as you; if you trust" in refused(path)
    path.chmod(0o600)
    (tmp_path / "c.d").chmod(0o777)
    assert "others may write it" in refused(path)
    (tmp_path / "c.d").chmod(0o700)
    os.symlink(path, tmp_path / "link")
    assert whole(tmp_path / "link", keys(3)) == 3  # what it leads to is looked at
    next(iter((tmp_path / "c.d").iterdir())).chmod(0o622)
    assert whole(path, keys(3)) == 2
