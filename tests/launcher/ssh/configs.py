"""An ssh config and its known_hosts, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

KNOWN_HOSTS = """\
tower.lab.org,10.0.0.7 ssh-ed25519 AAAA
[rack1]:2222 ssh-ed25519 AAAA
|1|dGVzdA==|dGVzdA== ssh-ed25519 AAAA
*.wild ssh-ed25519 AAAA
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    """The path of a config that names hosts."""
    (tmp_path / "known").write_text(KNOWN_HOSTS)
    text = f"Host h1 h2 *.org !x\n  UserKnownHostsFile {tmp_path / 'known'}\n  User ann\n"
    (tmp_path / "config").write_text(text)
    return str(tmp_path / "config")
