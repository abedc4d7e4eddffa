"""The partition of the address space that ipBlocks induce."""

from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.objects.policies import IPBlock
from netlab.ruleset.ranges import blocks_at, partition, range_part


def parts(family: int = 4, **blocks: str) -> dict[str, str]:
    """Partition blocks written ``CIDR-EXCEPT-EXCEPT``; return the names of the blocks by range."""
    named = {
        name: IPBlock(ip_network(text.split("-")[0]), tuple(map(ip_network, text.split("-")[1:])))
        for name, text in blocks.items()
    }
    return {str(range_part(r, family)): "".join(sorted(r.blocks)) for r in partition(named, family)}


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"a": "192.0.2.0/24"}, {"192.0.2.0/24": "a"}, id="one"),
        pytest.param({"a": "192.0.2.7/32"}, {"192.0.2.7": "a"}, id="one address"),
        pytest.param({"a": "192.0.2.0/24-192.0.2.128/25"}, {"192.0.2.0/25": "a"}, id="except at its end"),
        pytest.param(
            {"a": "192.0.2.0/24-192.0.2.8/32"},
            {"192.0.2.0/29": "a", "192.0.2.9-192.0.2.255": "a"},
            id="except in the middle",
        ),
        pytest.param(
            {"a": "10.0.0.0/8-10.1.0.0/16-10.1.2.0/24-10.2.0.0/16"},
            {"10.0.0.0/16": "a", "10.3.0.0-10.255.255.255": "a"},
            id="excepts that overlap and touch",
        ),
        pytest.param(
            {"a": "10.0.0.0/8", "b": "10.1.0.0/16"},
            {"10.0.0.0/16": "a", "10.1.0.0/16": "ab", "10.2.0.0-10.255.255.255": "a"},
            id="one inside of the other",
        ),
        pytest.param(
            {"a": "0.0.0.0/0-10.0.0.0/8", "b": "10.1.0.0/16"},
            {"0.0.0.0-9.255.255.255": "a", "10.1.0.0/16": "b", "11.0.0.0-255.255.255.255": "a"},
            id="except of one that another allows",
        ),
        pytest.param({"a": "0.0.0.0/0"}, {"0.0.0.0/0": "a"}, id="everything"),
        pytest.param(
            {"a": "10.0.0.0/25", "b": "10.0.0.128/25", "c": "10.0.0.0/24"},
            {"10.0.0.0/25": "ac", "10.0.0.128/25": "bc"},
            id="neighbours",
        ),
        pytest.param({"a": "10.0.0.0/8-10.0.0.0/9-10.128.0.0/9"}, {}, id="excepts that leave nothing"),
        pytest.param({"a": "10.0.0.0/8", "b": "fd00::/8"}, {"10.0.0.0/8": "a"}, id="other family"),
    ],
)
def test_partition(blocks, expected):
    """Ranges are disjoint, maximal and ascending, and name exactly the blocks that match them."""
    assert list(expected.items()) == list(parts(**blocks).items())


def test_partition_of_ipv6():
    """::/0 reaches to the last address, and an except of it ends where the next range begins."""
    expected = {"::-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "a", "fd00::/8": "b", "fe00::/7": "a"}

    assert expected == parts(6, a="::/0-fd00::/8", b="fd00::/8")


# Prefixes inside of one /28, so that they meet often.
_PREFIXES = st.builds(
    lambda length, bits: ip_network((0x0A000000 | (bits & 15), length), strict=False),
    st.integers(28, 32),
    st.integers(0, 15),
)
_BLOCKS = st.builds(
    lambda cidr, excepts: IPBlock(cidr, tuple(e for e in excepts if e.subnet_of(cidr))),
    _PREFIXES,
    st.lists(_PREFIXES, max_size=3),
)


@given(st.dictionaries(st.sampled_from("abcdef"), _BLOCKS))
def test_every_address_is_in_exactly_the_blocks_that_contain_it(blocks):
    """The partition agrees with each block's own reading, address by address."""
    ranges = partition(blocks, 4)
    addresses = [ip_address(0x0A000000 + n) for n in range(-1, 17)]

    assert [{n for n, b in blocks.items() if b.contains(a)} for a in addresses] == [
        blocks_at(ranges, a) for a in addresses
    ]
    assert all(a.last < b.first for a, b in pairwise(ranges))
