"""What may be said of other hosts, and mistakes that are noticed at once."""

from __future__ import annotations

import pytest

from fedfutures import Hosts


def test_one_name_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match=r"such as \['node7'\], not a str"):
        Hosts("node7")


def test_a_policy_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="'reject' or 'accept-new', not 'yes'"):
        Hosts(["node7"], host_key_policy="yes")
    assert Hosts(["node7"], host_key_policy="accept-new").grace > 0
