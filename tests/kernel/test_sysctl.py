"""Settings of a network namespace, and of a kernel that lacks some of them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from netlab.errors import HostError, KernelError
from netlab.kernel import netns, sysctl
from netlab.kernel.sysctl import Tree


@pytest.fixture
def tree() -> Iterator[Tree]:
    with closing(Tree()) as opened:
        yield opened


@pytest.fixture
def no_procfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which no instance of procfs can be made."""

    def refuse(kind: str) -> int:
        raise KernelError("system call 431", errno.EPERM)

    monkeypatch.setattr("netlab.kernel.libc.detached_mount", refuse)


@pytest.fixture
def kernel_without(no_procfs: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What /proc/sys/net looks like where neither IPv6 nor any module is."""
    monkeypatch.setattr(sysctl, "_ROOT", tmp_path)


def test_a_list_is_emptied(spaces, tree: Tree) -> None:
    """An empty value reaches the kernel as an empty list, and is read back as one."""
    (name,) = spaces("a")
    with netns.inside(name):
        before = tree.read("ipv6/icmp/ratemask")
        tree.write("ipv6/icmp/ratemask", "")

        assert ("0-1,3-127", "") == (before, tree.read("ipv6/icmp/ratemask"))


def rewritten(names: list[str], tree: Tree) -> list[str | None]:
    """Write another value in each namespace, then read them all, and what the test's own namespace has."""
    for number, name in enumerate(names):
        with netns.inside(name):
            tree.write("ipv4/ip_default_ttl", str(100 + number))
    found = []
    for name in names:
        with netns.inside(name):
            found.append(tree.read("ipv4/ip_default_ttl"))
    return [*found, tree.read("ipv4/ip_default_ttl")]


def test_each_namespace_has_its_own_settings(spaces, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree is of the namespace that its thread is in, also where it is made anew on the way."""
    monkeypatch.setattr(sysctl, "_FRESH", 3)
    here = tree.read("ipv4/ip_default_ttl")

    assert ["100", "101", "102", "103", here] == rewritten(spaces("a", "b", "c", "d"), tree)


def test_without_an_instance_of_procfs_the_hosts_serves(spaces, no_procfs: None, tree: Tree) -> None:
    """An ordinary user may not make one."""
    here = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text().strip()

    assert ["100", "101", here] == rewritten(spaces("a", "b"), tree)


def test_nothing_is_left_open(spaces, tree: Tree) -> None:
    """An instance goes with its tree, and a tree that is closed serves again."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    tree.read("ipv4/ip_default_ttl")
    opened = len(list(Path("/proc/self/fd").iterdir()))
    tree.close()

    assert (before + 1, before) == (opened, len(list(Path("/proc/self/fd").iterdir())))
    assert tree.read("ipv4/ip_default_ttl") is not None


def test_ipv6_is_off_where_there_is_none(kernel_without: None, tree: Tree) -> None:
    """A lab of IPv4 wants it off, and a kernel without IPv6 has no difference."""
    tree.write("ipv6/conf/all/disable_ipv6", "1")

    assert "1" == tree.read("ipv6/conf/all/disable_ipv6")


@pytest.mark.parametrize(("name", "value"), [("ipv6/conf/all/disable_ipv6", "0"), ("ipv6/conf/all/forwarding", "1")])
def test_a_lab_of_ipv6_needs_a_kernel_that_has_it(kernel_without: None, tree: Tree, name: str, value: str) -> None:
    """The message says what to do."""
    with pytest.raises(HostError, match=r"ipv6\.disable=1"):
        tree.write(name, value)


def test_a_missing_setting_of_a_module_says_which_module(kernel_without: None, tree: Tree) -> None:
    """The message names br_netfilter and how to load it."""
    with pytest.raises(HostError, match="modprobe br_netfilter"):
        tree.write("bridge/bridge-nf-call-iptables", "1")
