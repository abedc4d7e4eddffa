"""The kernel's drop counters, as it prints them."""

from __future__ import annotations

from netlab.kernel import netns
from netlab.kernel.drops import Counters, conntrack_drops, grown, softnet_drops

CONNTRACK = """\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error
00000005  00000000 00000000 00000000 00000003 0000001b 00000000 00000001 00000000 0000000a 00000001 00000007 00000000
00000005  00000000 00000000 00000000 00000000 00000004 00000000 00000001 00000000 00000000 00000002 00000000 00000000
"""


def test_softnet_drops_are_the_second_column_of_every_processor():
    """Numbers are hexadecimal."""
    assert 0x1F == softnet_drops("000000ff 00000010 00000000\n00000001 0000000f 00000000\n")


def test_conntrack_drops_are_found_by_their_names():
    """Columns came and went between kernels; early drops made room and lost no packet."""
    assert 10 + 1 + 2 == conntrack_drops(CONNTRACK)


def test_a_kernel_without_conntrack_drops_nothing():
    """An absent file reads as no loss."""
    assert 0 == conntrack_drops("")


def test_only_what_grew_is_a_loss():
    """Drops of the time before a run are not its own."""
    assert ["b"] == grown({"a": 5, "b": 5}, {"a": 5, "b": 6})


def test_counters_are_read_inside_the_namespace(spaces):
    """A new namespace has its own connection table, which dropped nothing."""
    (name,) = spaces("counted")
    counters = Counters()
    with netns.inside(name):
        counters.watch(name)
    try:
        counts = counters.read()
    finally:
        counters.close()

    assert 0 == counts[f"the connection table of {name} dropped packets"]
    assert 2 == len(counts)
