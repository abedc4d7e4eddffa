"""Settings of a network namespace, and of a kernel that lacks some of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.kernel import netns, sysctl


@pytest.fixture
def kernel_without_ipv6(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What /proc/sys/net looks like after ``ipv6.disable=1``."""
    monkeypatch.setattr(sysctl, "_ROOT", tmp_path)


def test_a_list_is_emptied(spaces) -> None:
    """An empty value reaches the kernel as an empty list, and is read back as one."""
    (name,) = spaces("a")
    with netns.inside(name):
        before = sysctl.read("ipv6/icmp/ratemask")
        sysctl.write("ipv6/icmp/ratemask", "")

        assert ("0-1,3-127", "") == (before, sysctl.read("ipv6/icmp/ratemask"))


def test_ipv6_is_off_where_there_is_none(kernel_without_ipv6: None) -> None:
    """A lab of IPv4 turns it off everywhere; there that is done already, and not a difference."""
    sysctl.write("ipv6/conf/all/disable_ipv6", "1")

    assert "1" == sysctl.read("ipv6/conf/all/disable_ipv6")


@pytest.mark.parametrize(("name", "value"), [("ipv6/conf/all/disable_ipv6", "0"), ("ipv6/conf/all/forwarding", "1")])
def test_a_lab_of_ipv6_needs_a_kernel_that_has_it(kernel_without_ipv6: None, name: str, value: str) -> None:
    """The way out is told."""
    with pytest.raises(HostError, match=r"ipv6\.disable=1"):
        sysctl.write(name, value)
