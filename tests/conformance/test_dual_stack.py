"""IPv6 twins: a block's twin contains the twins of its addresses, and judges agree on the cases."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sizes import some

from netlab.conformance.dual_stack import NoTwinError, address, prefix
from netlab.conformance.run import Selection, judges, run

PODS = st.integers(0, 0xFFFF).map(lambda low: IPv4Address(0x0AF40000 | low))


@given(PODS, PODS, st.integers(16, 32))
def test_a_prefixs_twin_contains_the_twins_of_its_addresses(one: IPv4Address, other: IPv4Address, length: int) -> None:
    """This holds for every length in the pod network, and for no other address."""
    found = IPv4Network((one, length), strict=False)

    assert (other in found) == (address(other) in prefix(str(found)))


@pytest.mark.parametrize(
    ("written", "twin"),
    [
        ("10.244.0.0/16", "fd00:10:244::/56"),
        ("10.244.1.0/24", "fd00:10:244:1::/64"),
        ("10.244.1.32/28", "fd00:10:244:1::20/124"),
        ("10.244.0.17/32", "fd00:10:244::11/128"),
        ("192.0.2.10/32", "2001:db8::c000:20a/128"),
        ("10.0.0.0/8", "fd00:10::/32"),
        ("0.0.0.0/0", "::/0"),
    ],
)
def test_twins(written: str, twin: str) -> None:
    """Other addresses are the last 32 bits of 2001:db8::/96."""
    assert twin == str(prefix(written))


def test_a_block_across_the_border_has_no_twin() -> None:
    """No IPv6 block has the same members."""
    with pytest.raises(NoTwinError):
        prefix("8.0.0.0/5")


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_judges_agree_in_both_families(mode: str) -> None:
    """Evaluator and tracer agree on the upstream cases and on some random ones."""
    selection = Selection(("upstream/*", "random/*"), random=8, mode=mode, dual_stack=True)
    cases = list(selection.cases())
    with judges(selection.judges, mode, dual=True) as panel:
        results = list(run(some(cases), panel))

    assert [] == [result for result in results if not result.passed]
    assert len(cases) > 60


@pytest.mark.kernel
def test_packets_agree_in_both_families() -> None:
    """Some upstream cases in a dual-stack lab."""
    selection = Selection(("upstream/*CIDR*",), ("evaluator", "tracer", "packets"), mode="overlay", dual_stack=True)
    with judges(selection.judges, "overlay", dual=True) as panel:
        results = list(run(selection.cases(), panel))

    assert results
    assert all(result.passed for result in results)
