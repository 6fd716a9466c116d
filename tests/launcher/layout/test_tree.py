"""The plan of a run: every Broker has one place, where it can be reached, and no Broker has too many below it."""

from __future__ import annotations

from collections import Counter

import pytest
from effort import scaled
from hypothesis import given, settings, strategies as st

from fedfutures_launcher.layout.tree import HostPlan, Tree, plan


@st.composite
def runs(draw: st.DrawFn) -> list[HostPlan]:
    """Hosts, some behind others: a host's way leads over one that was drawn before it."""
    hosts = [HostPlan("h0", draw(st.integers(0, 5)), draw(st.integers(1, 5)))]
    for number in range(1, draw(st.integers(1, 60))):
        site = draw(st.none() | st.sampled_from(hosts).map(lambda host: host.name))
        hosts.append(HostPlan(f"h{number}", draw(st.integers(0, 9)), draw(st.integers(1, 5)), site))
    head, *others = hosts
    return [head, *draw(st.permutations(others))]


def depth_of(tree: Tree) -> int:
    return max(node.depth for node in tree.nodes.values())


def above(tree: Tree, name: str) -> list[str]:
    """The hosts on the way from a Broker to the root, each once, its own first."""
    found: list[str] = []
    at: str | None = name
    while at is not None:
        host = tree.nodes[at].host
        if not found or found[-1] != host:
            assert host not in found, "the way leaves a host and comes back to it"
            found.append(host)
        at = tree.nodes[at].parent
    return found


@settings(max_examples=scaled(40), deadline=None)
@given(runs(), st.integers(2, 40))
def test_everyone_has_one_place_where_it_can_be_reached(hosts: list[HostPlan], fan_out: int) -> None:
    tree = plan(hosts, fan_out)
    by_name = {host.name: host for host in hosts}
    assert tree.root == "h0.broker"
    assert tree.nodes[tree.root].parent is None
    assert Counter(node.host for node in tree.nodes.values()) == {host.name: host.brokers for host in hosts}
    assert sum(node.workers for node in tree.nodes.values() if node.host == "h0") == hosts[0].workers
    for name, node in tree.nodes.items():
        assert node.name == name
        assert len(node.children) <= fan_out
        assert all(tree.nodes[child].parent == name for child in node.children)
        assert node.depth == (0 if node.parent is None else tree.nodes[node.parent].depth + 1)
        way = above(tree, name)
        assert way[-1] == "h0"
        site = by_name[node.host].site
        behind = way.index(site) if site is not None else len(way) - 1
        # Between a host and its access host, or the Origin's, there are only hosts that are reached the same way.
        assert all(by_name[host].site == site for host in way[:behind])
    assert sum(len(node.children) for node in tree.nodes.values()) == len(tree.nodes) - 1


@settings(max_examples=scaled(40), deadline=None)
@given(runs(), st.integers(2, 40))
def test_a_plan_is_the_same_each_time(hosts: list[HostPlan], fan_out: int) -> None:
    assert plan(hosts, fan_out) == plan(hosts, fan_out)


@settings(max_examples=scaled(40), deadline=None)
@given(st.integers(1, 3000), st.integers(2, 40))
def test_a_flat_list_becomes_a_shallow_and_even_tree(count: int, fan_out: int) -> None:
    tree = plan([HostPlan(f"h{number}", 1) for number in range(count)], fan_out)
    least, room = 0, 1
    while room < count:
        least += 1
        room += fan_out**least
    assert depth_of(tree) == least
    assert len(tree.nodes) == count
    for depth in range(least + 1):
        counts = [len(node.children) for node in tree.nodes.values() if node.depth == depth]
        assert max(counts) - min(counts) <= 1


@settings(max_examples=scaled(40), deadline=None)
@given(st.integers(1, 200), st.integers(2, 40))
def test_dials_and_links_are_the_edges_of_the_tree(brokers: int, fan_out: int) -> None:
    tree = plan([HostPlan("a", 7, brokers), HostPlan("b", 7, brokers, "a")], fan_out)
    assert len(tree.dials("a")) == len(tree.dials("b")) == brokers - 1
    assert len(tree.links()) == 1
    assert tree.links()[0][1] == "b.broker"
    assert tree.dials("none") == []


def test_access_hosts_hang_high_and_carry_nobody_else() -> None:
    hosts = [HostPlan("origin", 1)]
    hosts += [HostPlan(f"plain{number}", 1) for number in range(50)]
    hosts += [HostPlan(f"door{number}", 1) for number in range(5)]
    hosts += [HostPlan(f"inner{number}.{door}", 1, 1, f"door{door}") for number in range(40) for door in range(5)]
    tree = plan(hosts)
    for door in range(5):
        assert tree.nodes[f"door{door}.broker"].parent == "origin.broker"
        assert all(child.endswith(f".{door}.broker") for child in tree.nodes[f"door{door}.broker"].children)
        assert len(tree.nodes[f"door{door}.broker"].children) == 32
    assert depth_of(tree) == 3


def test_access_hosts_carry_others_where_nobody_else_can() -> None:
    hosts = [HostPlan("origin", 1)]
    for door in range(100):
        hosts += [HostPlan(f"door{door}", 1), HostPlan(f"inner{door}", 1, 1, f"door{door}")]
    tree = plan(hosts)
    assert len(tree.nodes) == 201
    assert depth_of(tree) == 3


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ([], "no hosts"),
        ([HostPlan("a", 1), HostPlan("a", 1)], "two hosts have one name"),
        ([HostPlan("a", 1, 1, "b"), HostPlan("b", 1)], "host a is the Origin's: it cannot be behind b"),
        ([HostPlan("a", 1), HostPlan("b", 1, 1, "c")], "host b is behind c, which is none of the hosts"),
        ([HostPlan("a", 1), HostPlan("b", 1, 1, "b")], "host b is behind itself"),
        ([HostPlan("a", 1), HostPlan("b", 1, 1, "c"), HostPlan("c", 1, 1, "b")], "host b is behind itself"),
        ([HostPlan("a", 1, 0)], "host a has no Broker"),
    ],
)
def test_what_cannot_be_planned(hosts: list[HostPlan], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plan(hosts)


def test_a_fan_out_of_one_is_no_tree() -> None:
    with pytest.raises(ValueError, match="at least 2 children"):
        plan([HostPlan("a", 1)], 1)


@given(hosts=st.integers(1, 12), late=st.lists(st.integers(1, 5), max_size=12), fan_out=st.integers(2, 4))
def test_a_tree_grows_at_its_leaves(hosts: int, late: list[int], fan_out: int) -> None:
    tree = plan([HostPlan(f"h{number}", 1) for number in range(hosts)], fan_out)
    for number, brokers in enumerate(late):
        before = tree.links()
        tree.grow(HostPlan(f"late{number}", brokers, brokers), fan_out)
        assert [link for link in tree.links() if link in before] == before
        assert len(tree.links()) == len(before) + 1, "a host that comes has one link to those that are there"
        assert len(tree.dials(f"late{number}")) == brokers - 1
    assert all(len(node.children) <= fan_out for node in tree.nodes.values())
    assert all(node.parent is None or node.depth == tree.nodes[node.parent].depth + 1 for node in tree.nodes.values())
